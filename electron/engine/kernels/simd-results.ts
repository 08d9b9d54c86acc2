import type { ValueSums } from '../quantize/passes.ts';
import type { Kernels } from './kernels.ts';

/** Counts that the second pass has for each bin, as assembly/histogram.ts has them. */
export const COUNTS_PER_BIN = 4;

/** The seven doubles that the first pass leaves: assembly/statistics.ts. */
export function readValueSums(kernels: Kernels): ValueSums {
  const [finite, sum, zeros, subnormals, nans, infinities, first] = kernels.float64(
    kernels.exports.sumsPointer(),
    7,
  ) as unknown as [number, number, number, number, number, number, number];
  const firstNonFinite = first < 0 ? null : first;
  return { finite, sum, zeros, subnormals, nans, infinities, firstNonFinite };
}

/** Counts by bin, several to a bin; what lies at the upper bound goes to the last bin. */
export function foldedCounts(cells: Uint32Array, bins: number, perBin = 1): Float64Array {
  const counts = new Float64Array(bins);
  for (let at = 0; at < cells.length; at++) {
    const bin = Math.min(Math.floor(at / perBin), bins - 1);
    counts[bin] = counts[bin]! + cells[at]!;
  }
  return counts;
}

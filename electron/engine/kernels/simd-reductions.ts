import type { EdgedBins, Reductions } from '../quantize/reductions.ts';
import { BLOCK_VALUES, type Kernels } from './kernels.ts';
import { plainReductions } from './reference/plain-reductions.ts';

/** Below so many values the plain way is faster than to clear and to fold the kernels' counts. */
const FEW_VALUES = 4096;

/** Limits between which edges in float32 are as exact as their type. */
const [LEAST_LIMIT, GREATEST_LIMIT] = [2 ** -100, 2 ** 126];

/** Bins whose edges are off by less than assembly/observe.ts takes into account. */
const MOST_BINS = 4096;

/** Of the counts in assembly/observe.ts. */
const BYTES_PER_BIN = 16;

/** The reductions of activations by the SIMD kernels, which are for nothing else meanwhile. */
export function simdReductions(kernels: Kernels): Reductions {
  const { exports } = kernels;
  kernels.reset();
  const cells = kernels.allocate(MOST_BINS * BYTES_PER_BIN);
  const edges = kernels.allocate((MOST_BINS + 1) * 4);
  const folded = kernels.allocate(MOST_BINS * 4);
  const forEachBlock = (
    values: Float32Array,
    visit: (pointer: number, count: number) => void,
  ): void => {
    for (let at = 0; at < values.length; at += BLOCK_VALUES) {
      const block = values.subarray(at, at + BLOCK_VALUES);
      kernels.float32(kernels.decoded, block.length).set(block);
      visit(kernels.decoded, block.length);
    }
  };
  return {
    sums(values) {
      exports.resetObserved();
      forEachBlock(values, exports.addObserved);
      const [min, max, sum, squares, finite] = kernels.float64(
        exports.observedSums(),
        5,
      ) as unknown as [number, number, number, number, number];
      return { min, max, sum, squares, finite };
    },
    addCounts(values, bins, counts) {
      if (values.length < FEW_VALUES || !isEven(bins, counts.length)) {
        plainReductions.addCounts(values, bins, counts);
        return;
      }
      kernels.float32(edges, bins.edges.length).set(bins.edges);
      exports.setEdges(cells, edges, counts.length, bins.limit);
      forEachBlock(values, exports.countObserved);
      exports.foldCounts(folded);
      const found = kernels.uint32(folded, counts.length);
      for (let bin = 0; bin < counts.length; bin++) counts[bin] = counts[bin]! + found[bin]!;
    },
  };
}

/** Whether edges lie as closely to where equal bins have them as the kernels expect, and 0 is the middle one. */
function isEven({ limit, edges }: EdgedBins, bins: number): boolean {
  return (
    bins <= MOST_BINS &&
    bins % 2 === 0 &&
    edges[bins / 2] === 0 &&
    limit >= LEAST_LIMIT &&
    limit <= GREATEST_LIMIT
  );
}

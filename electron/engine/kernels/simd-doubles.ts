import type { Bins } from '../quantize/histogram.ts';
import { castJob } from '../quantize/casts.ts';
import type { EncodeJob, Encoded, Passes } from '../quantize/passes.ts';
import { plainPasses } from './reference/plain-passes.ts';
import { SMALLEST_NORMAL } from './reference/plain-ranges.ts';
import { BlockReader, valueSource, type ByteSource } from './blocks.ts';
import { setGrouping } from './grouping.ts';
import type { Kernels } from './kernels.ts';
import { encodedBy, prepare, storedCodes } from './simd-encode.ts';
import { COUNTS_PER_BIN, foldedCounts, readValueSums } from './simd-results.ts';

/**
 * The passes over a float64 tensor: statistics in float64, codes by the float32 kernels from
 * values rounded once, with their errors in float64. Searches of a range and the inspector's closer
 * look go through the plain passes: they are for one layer at a time, and few are stored so wide.
 */
export function doublePasses(kernels: Kernels, source: ByteSource): Passes {
  const plain = plainPasses(valueSource(source));
  const reader = new BlockReader(kernels, source);
  return {
    ...plain,
    firstPass(grouping) {
      const ranges = collectRanges(kernels, reader, grouping, true);
      return { ranges, sums: readValueSums(kernels) };
    },
    ranges: (grouping) => collectRanges(kernels, reader, grouping, false),
    // Bins wider than the largest double are counted by halves, which is not worth a kernel.
    secondPass: (bins, mean, allFinite) =>
      Number.isFinite(bins.hi - bins.lo)
        ? secondPass(kernels, reader, bins, mean)
        : plain.secondPass(bins, mean, allFinite),
    encode: (job) => encodeDoubles(kernels, reader, job),
    cast: (dtype, sink) =>
      void encodeDoubles(kernels, reader, castJob(dtype, source.elements, sink)),
  };
}

function collectRanges(
  kernels: Kernels,
  reader: BlockReader,
  grouping: Parameters<Passes['ranges']>[0],
  withSums: boolean,
): ReturnType<Passes['ranges']> {
  const { exports } = kernels;
  kernels.reset();
  const { groups } = grouping;
  const [minima, maxima] = [kernels.allocate(groups * 8), kernels.allocate(groups * 8)];
  kernels.float64(minima, groups).fill(Infinity);
  kernels.float64(maxima, groups).fill(-Infinity);
  exports.setDoubleRanges(minima, maxima);
  exports.resetSums();
  setGrouping(exports, grouping);
  reader.forEachBlock((pointer, count, start) => {
    exports.addDoubleRanges(pointer, count, start);
    if (withSums) exports.addDoubleSums(pointer, count, SMALLEST_NORMAL.float64, start);
  });
  return {
    min: kernels.float64(minima, groups).slice(),
    max: kernels.float64(maxima, groups).slice(),
  };
}

function secondPass(
  kernels: Kernels,
  reader: BlockReader,
  { lo, hi, count: bins }: Bins,
  mean: number,
): ReturnType<Passes['secondPass']> {
  kernels.reset();
  const size = (bins + 1) * COUNTS_PER_BIN;
  const cells = kernels.allocate(size * 4);
  kernels.exports.setDoubleBins(cells, lo, bins / (hi - lo));
  let squares = 0;
  reader.forEachBlock((pointer, count) => {
    squares += kernels.exports.addDoublesToHistogram(pointer, count, mean);
  });
  return { counts: foldedCounts(kernels.uint32(cells, size), bins, COUNTS_PER_BIN), squares };
}

/** Casts round once from float64: on the way to 16 or 8 bits, float32 is rounded to odd. */
function encodeDoubles(kernels: Kernels, reader: BlockReader, job: EncodeJob): Encoded {
  kernels.reset();
  const { exports, decoded, restored } = kernels;
  const { sink } = job;
  const encoder = prepare(kernels, job, { codes: sink !== undefined, restored: true });
  const demote = job.encoding.kind === 'cast' ? exports.demoteToOdd : exports.demote;
  exports.resetDoubleErrorSums();
  reader.forEachBlock((pointer, count, start) => {
    demote(pointer, decoded, count);
    encoder.run(decoded, count, start);
    exports.addDoubleErrors(pointer, restored, count);
    if (sink !== undefined) sink(storedCodes(kernels, encoder, count));
  });
  const [noise, moreNoise, cross, moreCross, largest, otherLargest] = kernels.float64(
    exports.doubleErrorSums(),
    6,
  ) as unknown as [number, number, number, number, number, number];
  return {
    ...encodedBy(kernels, encoder),
    sums: {
      noise: noise + moreNoise,
      cross: cross + moreCross,
      maxAbsError: Math.max(largest, otherLargest),
    },
  };
}

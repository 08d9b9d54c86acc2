import { castJob } from '../quantize/casts.ts';
import type { Passes } from '../quantize/passes.ts';
import { SMALLEST_NORMAL } from './reference/plain-ranges.ts';
import { BlockReader, firstValues, type ByteSource } from './blocks.ts';
import { setGrouping, setUngrouped } from './grouping.ts';
import type { Kernels } from './kernels.ts';
import { doublePasses } from './simd-doubles.ts';
import { castFloats, encode, errorCounts, inspect, ROUNDINGS } from './simd-encode.ts';
import { COUNTS_PER_BIN, foldedCounts, readValueSums } from './simd-results.ts';

const DIGITS = 65536;

/**
 * The passes by the SIMD kernels, over a tensor's bytes, which are read straight into their
 * memory. One tensor at a time: its passes are good until those of another are made.
 */
export function simdPasses(kernels: Kernels, source: ByteSource): Passes {
  if (source.dtype === 'float64') return doublePasses(kernels, source);
  const reader = new BlockReader(kernels, source);
  const { elements, dtype } = source;
  return {
    elements,
    dtype,
    ...rangePasses(kernels, reader, SMALLEST_NORMAL[dtype]),
    ...keyPasses(kernels, reader),
    ...searchPasses(kernels, reader),
    encode: (job) => encode(kernels, reader, job),
    cast: (to, sink) =>
      dtype === 'float32'
        ? castFloats(kernels, source, to, sink)
        : void encode(kernels, reader, castJob(to, elements, sink)),
    inspect: (job, channels, first) => inspect(kernels, reader, job, channels, first),
    errorCounts: (job, bins) => errorCounts(kernels, reader, job, bins),
    firstValues: (count) => firstValues(source, count),
  };
}

function rangePasses(
  kernels: Kernels,
  reader: BlockReader,
  tiny: number,
): Pick<Passes, 'firstPass' | 'ranges' | 'secondPass'> {
  const { exports } = kernels;
  const collect = (grouping: Parameters<Passes['ranges']>[0], withSums: boolean) => {
    kernels.reset();
    const { groups } = grouping;
    const [minima, maxima] = [kernels.allocate(groups * 4), kernels.allocate(groups * 4)];
    kernels.float32(minima, groups).fill(Infinity);
    kernels.float32(maxima, groups).fill(-Infinity);
    exports.setRanges(minima, maxima);
    exports.resetSums();
    setGrouping(exports, grouping);
    reader.forEachBlock((pointer, count, start) => {
      exports.addRanges(pointer, count, start);
      if (withSums) exports.addSums(pointer, count, tiny, start);
    });
    return {
      min: Float64Array.from(kernels.float32(minima, groups)),
      max: Float64Array.from(kernels.float32(maxima, groups)),
    };
  };
  return {
    ranges: (grouping) => collect(grouping, false),
    firstPass(grouping) {
      const ranges = collect(grouping, true);
      return { ranges, sums: readValueSums(kernels) };
    },
    secondPass({ lo, hi, count: bins }, mean, allFinite) {
      kernels.reset();
      const size = (bins + 1) * COUNTS_PER_BIN;
      const cells = kernels.allocate(size * 4);
      exports.setBins(cells, lo, bins / (hi - lo));
      let squares = 0;
      const add = allFinite ? exports.addToHistogram : exports.addFiniteToHistogram;
      reader.forEachBlock((pointer, count) => (squares += add(pointer, count, mean)));
      const counts = foldedCounts(kernels.uint32(cells, size), bins, COUNTS_PER_BIN);
      return { counts, squares };
    },
  };
}

function keyPasses(kernels: Kernels, reader: BlockReader): Pick<Passes, 'countDigits' | 'gather'> {
  const { exports } = kernels;
  return {
    countDigits(prefixes, magnitudes, within) {
      kernels.reset();
      exports.setKeys(Number(magnitudes));
      if (within === null) setUngrouped(exports);
      else setGrouping(exports, within.grouping, within.group, 1);
      const tables = prefixes.map(() => kernels.allocate(DIGITS * 4));
      reader.forEachBlock((pointer, count, start) => {
        for (const [index, prefix] of prefixes.entries())
          exports.countKeys(pointer, count, start, tables[index]!, prefix[0] ?? -1);
      });
      return tables.map((table) => Float64Array.from(kernels.uint32(table, DIGITS)));
    },
    gather(grouping, first, groups, size, magnitudes) {
      kernels.reset();
      exports.setKeys(Number(magnitudes));
      setGrouping(exports, grouping, first, groups);
      // Groups a power of two apart would fall into the same few lines of the cache.
      const room = size % 256 === 0 ? size + 16 : size;
      const keys = kernels.allocate(groups * room * 4);
      const counts = kernels.allocate(groups * 4);
      const scratch = kernels.allocate((size + 1) * 4);
      exports.setGathering(keys, counts, room);
      reader.forEachBlock(exports.gather);
      const counted = kernels.uint32(counts, groups).slice();
      return {
        count: (group) => counted[group]!,
        ranked: (group, rank) => exports.selectRank(group, rank, scratch),
      };
    },
  };
}

function searchPasses(
  kernels: Kernels,
  reader: BlockReader,
): Pick<Passes, 'addCandidateErrors' | 'signedHistograms'> {
  const { exports } = kernels;
  return {
    addCandidateErrors(grouping, first, cells, { clip, rounding }) {
      kernels.reset();
      const { candidates, groups, error } = cells;
      const scales = kernels.allocate(error.length * 4);
      const zeroPoints = kernels.allocate(error.length * 4);
      const errors = kernels.allocate(error.length * 8);
      kernels.float32(scales, error.length).set(cells.scale);
      kernels.float32(zeroPoints, error.length).set(cells.zeroPoint);
      kernels.float64(errors, error.length).set(error);
      const way = ROUNDINGS[rounding];
      const { qmin, qmax } = clip;
      exports.setCandidates(candidates, groups, scales, zeroPoints, errors, way, qmin, qmax);
      setGrouping(exports, grouping, first, groups);
      reader.forEachBlock(exports.addErrors);
      error.set(kernels.float64(errors, error.length));
    },
    signedHistograms(grouping, first, limits, bins) {
      kernels.reset();
      const limitPointer = kernels.allocate(limits.length * 8);
      const tables = kernels.allocate(limits.length * bins * 4);
      kernels.float64(limitPointer, limits.length).set(limits);
      setGrouping(exports, grouping, first, limits.length);
      reader.forEachBlock((pointer, count, start) =>
        exports.addSigned(pointer, count, start, limitPointer, tables, bins),
      );
      return Float64Array.from(kernels.uint32(tables, limits.length * bins));
    },
  };
}

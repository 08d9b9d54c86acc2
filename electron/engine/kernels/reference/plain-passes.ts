import type { Values, ValueSource } from '../../quantize/values.ts';
import { addToHistogram } from '../../quantize/histogram.ts';
import { castJob } from '../../quantize/casts.ts';
import type { Passes } from '../../quantize/passes.ts';
import { countErrors, encodePlainly, inspectPlainly, keepFirst } from './plain-encode.ts';
import { countDigits, gatherSorted } from './plain-keys.ts';
import { addRanges, addSums, emptyRanges, emptySums, SMALLEST_NORMAL } from './plain-ranges.ts';
import { addCandidateErrors, signedHistograms } from './plain-search.ts';

/** The passes in plain TypeScript, over any source: the reference implementation of the SIMD kernels. */
export function plainPasses(source: ValueSource): Passes {
  return {
    elements: source.elements,
    dtype: source.dtype,
    firstPass(grouping) {
      const ranges = emptyRanges(grouping.groups);
      const sums = emptySums();
      const tiny = SMALLEST_NORMAL[source.dtype];
      source.forEachChunk((values, start) => {
        addRanges(values, start, grouping, ranges);
        addSums(values, start, tiny, sums);
      });
      return { ranges, sums };
    },
    ranges(grouping) {
      const ranges = emptyRanges(grouping.groups);
      source.forEachChunk((values, start) => addRanges(values, start, grouping, ranges));
      return ranges;
    },
    secondPass(bins, mean) {
      const counts = new Float64Array(bins.count);
      let squares = 0;
      source.forEachChunk((values) => {
        addToHistogram(values, bins, counts);
        squares += squaredDeviations(values, mean);
      });
      return { counts, squares };
    },
    countDigits: (...given) => countDigits(source, ...given),
    gather: (...given) => gatherSorted(source, ...given),
    addCandidateErrors: (...given) => addCandidateErrors(source, ...given),
    signedHistograms: (...given) => signedHistograms(source, ...given),
    encode: (job) => encodePlainly(source, job),
    cast: (dtype, sink) => void encodePlainly(source, castJob(dtype, source.elements, sink)),
    inspect: (...given) => inspectPlainly(source, ...given),
    errorCounts: (...given) => countErrors(source, ...given),
    firstValues(count) {
      const first: number[] = [];
      source.forEachChunk((values) => keepFirst(first, values, count));
      return first;
    },
  };
}

function squaredDeviations(values: Values, mean: number): number {
  let squares = 0;
  for (let index = 0; index < values.length; index++) {
    const deviation = values[index]! - mean;
    if (deviation - deviation === 0) squares += deviation * deviation;
  }
  return squares;
}

/** The passes of a tensor, which are given or made plainly from its values. */
export function passesOf(source: Passes | ValueSource): Passes {
  return 'forEachChunk' in source ? plainPasses(source) : source;
}

import { sqnrDb } from '../../../shared/report.ts';
import type { Histogram, RangeCandidate, SideDetail } from '../../../shared/report.ts';
import type { TensorDetail } from '../../../shared/report.ts';
import type { Values, ValueSource } from './chunks.ts';
import type { Coder } from './coder.ts';
import { addToHistogram, binsOver, histogramOf } from './histogram.ts';
import { forEachRun, groupingOf, type Grouping } from './layout.ts';
import { percentileOfTensor } from './percentile.ts';
import { encodeChunks, prepareTensor, quantizePrepared } from './quantize-tensor.ts';
import type { QuantizeInput, QuantizeResult } from './quantize-tensor.ts';
import type { TensorStatistics } from './statistics.ts';

/** How many of the first values the inspector lists. */
export const FIRST_VALUES = 64;

/** What a tensor shows before any scheme: all of a TensorDetail but the id and the two sides. */
export type ValuesDetail = Omit<TensorDetail, 'tensor' | 'a' | 'b'>;

/** One recipe's side without the report around it; `result` has the report's numbers. */
export interface SideNumbers {
  readonly result: QuantizeResult;
  readonly side: Omit<SideDetail, 'report'>;
}

/** The fine histogram, candidate ranges, channel ranges and first values of a tensor. */
export function describeValues(
  source: ValueSource,
  known: TensorStatistics,
  bins: number,
): ValuesDetail {
  const { statistics, channels } = known;
  const over = binsOver(statistics.min, statistics.max, bins);
  const counts = new Float64Array(bins);
  const first: number[] = [];
  source.forEachChunk((values) => {
    addToHistogram(values, over, counts);
    keepFirst(first, values);
  });
  return {
    statistics,
    histogram: histogramOf(over, counts),
    ranges: rangeCandidates(source, known),
    channels:
      channels === null ? null : { min: Array.from(channels.min), max: Array.from(channels.max) },
    firstValues: first,
  };
}

/** Ranges of the whole tensor that range methods would choose, two-sided. */
export function rangeCandidates(source: ValueSource, known: TensorStatistics): RangeCandidate[] {
  const { elements, nans, infinities, min, max } = known.statistics;
  const finite = elements - nans - infinities;
  if (finite === 0) return [];
  const { low, high } = percentileOfTensor(source, 99.99, false, finite);
  return [
    { method: 'minmax', lo: min, hi: max },
    { method: 'percentile 99.99', lo: low, hi: high },
  ];
}

/**
 * Everything the inspector shows of a tensor under one scheme, in two passes: one that quantizes,
 * measures and counts, and one for the histogram of errors over [-max, max] of the finite errors.
 * @throws AppError NON_FINITE as prepareTensor does
 */
export function describeSide(input: QuantizeInput, bins: number): SideNumbers {
  const { source, shape, axis } = input;
  const prepared = prepareTensor(input);
  const { coder } = prepared;
  const channels = axis === null ? null : channelErrors(groupingOf(shape, axis, 'channel'));
  const tally = coder.bits <= 8 ? new Float64Array(2 ** coder.bits) : null;
  const firstCodes: number[] = [];
  const firstValues: number[] = [];
  let largest = 0;
  const result = quantizePrepared(input, prepared, (values, start, codes, restored) => {
    keepFirst(firstCodes, codes);
    keepFirst(firstValues, restored);
    channels?.add(values, restored, start);
    largest = Math.max(largest, largestFiniteError(values, restored));
    if (tally !== null) countCodes(codes, coder.lowest, tally);
  });
  return {
    result,
    side: {
      codes: tally === null ? null : codesInUse(tally, coder.lowest),
      errorHistogram: errorHistogram(source, coder, largest, bins),
      channelSqnrDb: channels === null ? null : channels.sqnrDb(),
      firstCodes,
      firstValues,
    },
  };
}

function keepFirst(kept: number[], values: ArrayLike<number>): void {
  for (let index = 0; kept.length < FIRST_VALUES && index < values.length; index++)
    kept.push(values[index]!);
}

function largestFiniteError(values: Values, restored: Float64Array): number {
  let largest = 0;
  for (let index = 0; index < values.length; index++) {
    const error = Math.abs(restored[index]! - values[index]!);
    if (error > largest && error < Infinity) largest = error;
  }
  return largest;
}

function countCodes(codes: Int32Array, lowest: number, tally: Float64Array): void {
  for (let index = 0; index < codes.length; index++) {
    const slot = codes[index]! - lowest;
    tally[slot] = tally[slot]! + 1;
  }
}

function codesInUse(tally: Float64Array, lowest: number): { code: number[]; count: number[] } {
  const slots = Array.from(tally.keys()).filter((slot) => tally[slot]! > 0);
  return {
    code: slots.map((slot) => slot + lowest),
    count: slots.map((slot) => tally[slot]!),
  };
}

function errorHistogram(
  source: ValueSource,
  coder: Coder,
  largest: number,
  bins: number,
): Histogram {
  const over = binsOver(-largest, largest, bins);
  const counts = new Float64Array(bins);
  encodeChunks(source, coder, (values, _start, _codes, restored) => {
    for (let index = 0; index < values.length; index++)
      restored[index] = restored[index]! - values[index]!;
    addToHistogram(restored, over, counts);
  });
  return histogramOf(over, counts);
}

/** Signal and noise per channel, over elements whose original is finite. */
function channelErrors(grouping: Grouping): {
  add: (values: Values, restored: Float64Array, start: number) => void;
  sqnrDb: () => number[];
} {
  const signal = new Float64Array(grouping.groups);
  const noise = new Float64Array(grouping.groups);
  return {
    add(values, restored, start) {
      forEachRun(grouping, start, values.length, (from, to, first, step) => {
        for (let index = from, group = first; index < to; index++, group += step) {
          const original = values[index]!;
          if (original - original !== 0) continue;
          const error = restored[index]! - original;
          signal[group] = signal[group]! + original * original;
          noise[group] = noise[group]! + error * error;
        }
      });
    },
    sqnrDb: () => Array.from(signal, (sum, group) => sqnrDb(sum, noise[group]!) ?? NaN),
  };
}

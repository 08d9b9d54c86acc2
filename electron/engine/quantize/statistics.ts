import type { SourceDtype } from '../../../shared/dtypes.ts';
import type { Histogram, Statistics } from '../../../shared/report.ts';
import type { Values, ValueSource } from './chunks.ts';
import { addToHistogram, binsOver, histogramOf } from './histogram.ts';
import { forEachRun, type Grouping, type Layout } from './layout.ts';

/** The least and the greatest finite value of each group; 0 and 0 for a group without any. */
export interface GroupRanges {
  readonly min: Float64Array;
  readonly max: Float64Array;
}

export interface TensorStatistics {
  readonly statistics: Statistics;
  /** Per channel of the layout; null where the layout has one channel only because it has no axis. */
  readonly channels: GroupRanges | null;
}

const SMALLEST_NORMAL: Readonly<Record<SourceDtype, number>> = {
  float64: 2 ** -1022,
  float32: 2 ** -126,
  float16: 2 ** -14,
  bfloat16: 2 ** -126,
};

interface Sums {
  finite: number;
  sum: number;
  zeros: number;
  subnormals: number;
  nans: number;
  infinities: number;
  firstNonFinite: number | null;
}

/**
 * What a tensor's values are like, in two passes over its chunks: range, mean and counts first,
 * then the histogram over that range and the squared deviations from that mean.
 * Min, max and moments are over the finite values (0 where there are none); `subnormals` are so in
 * the type that the tensor is stored in; `std` is the population's.
 *
 * @param layout the channels whose ranges are wanted, or null for none
 * @param bins number of histogram bins, at least 1
 */
export function computeStatistics(
  source: ValueSource,
  layout: Layout | null,
  bins: number,
): TensorStatistics {
  const grouping = layout === null ? wholeTensor(source) : channelsOf(layout);
  const ranges = emptyRanges(grouping.groups);
  const sums = emptySums();
  const tiny = SMALLEST_NORMAL[source.dtype];
  source.forEachChunk((values, start) => {
    addRanges(values, start, grouping, ranges);
    addSums(values, start, tiny, sums);
  });
  const { min, max } = rangeOfAll(ranges);
  const mean = sums.finite === 0 ? 0 : sums.sum / sums.finite;
  const { histogram, squares } = secondPass(source, min, max, mean, bins);
  const statistics: Statistics = {
    elements: source.elements,
    min,
    max,
    absMax: Math.max(-min, max),
    mean,
    std: sums.finite === 0 ? 0 : Math.sqrt(squares / sums.finite),
    zeros: sums.zeros,
    subnormals: sums.subnormals,
    nans: sums.nans,
    infinities: sums.infinities,
    firstNonFinite: sums.firstNonFinite,
    histogram,
  };
  return { statistics, channels: layout === null ? null : closeRanges(ranges) };
}

/** The ranges of the finite values of each group, in one pass. */
export function groupRanges(source: ValueSource, grouping: Grouping): GroupRanges {
  const ranges = emptyRanges(grouping.groups);
  source.forEachChunk((values, start) => addRanges(values, start, grouping, ranges));
  return closeRanges(ranges);
}

function wholeTensor(source: ValueSource): Grouping {
  const layout = { outer: 1, channels: 1, inner: source.elements };
  return { kind: 'tensor', layout, block: 0, groups: 1 };
}

function channelsOf(layout: Layout): Grouping {
  return { kind: 'channel', layout, block: 0, groups: layout.channels };
}

function emptyRanges(groups: number): GroupRanges {
  return {
    min: new Float64Array(groups).fill(Infinity),
    max: new Float64Array(groups).fill(-Infinity),
  };
}

function closeRanges(ranges: GroupRanges): GroupRanges {
  for (let group = 0; group < ranges.min.length; group++) {
    if (ranges.min[group]! <= ranges.max[group]!) continue;
    ranges.min[group] = 0;
    ranges.max[group] = 0;
  }
  return ranges;
}

function rangeOfAll(ranges: GroupRanges): { min: number; max: number } {
  const min = ranges.min.reduce((a, b) => Math.min(a, b), Infinity);
  const max = ranges.max.reduce((a, b) => Math.max(a, b), -Infinity);
  return min <= max ? { min, max } : { min: 0, max: 0 };
}

function addRanges(values: Values, start: number, grouping: Grouping, ranges: GroupRanges): void {
  const { min, max } = ranges;
  forEachRun(grouping, start, values.length, (from, to, first, step) => {
    if (step === 0) return addRange(values, from, to, first, ranges);
    for (let index = from, group = first; index < to; index++, group++) {
      const value = values[index]!;
      if (value - value !== 0) continue;
      if (value < min[group]!) min[group] = value;
      if (value > max[group]!) max[group] = value;
    }
  });
}

function addRange(
  values: Values,
  from: number,
  to: number,
  group: number,
  ranges: GroupRanges,
): void {
  let low = ranges.min[group]!;
  let high = ranges.max[group]!;
  for (let index = from; index < to; index++) {
    const value = values[index]!;
    // NaN and the infinities are the values whose difference with themselves is not 0.
    if (value - value !== 0) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  ranges.min[group] = low;
  ranges.max[group] = high;
}

function emptySums(): Sums {
  return {
    finite: 0,
    sum: 0,
    zeros: 0,
    subnormals: 0,
    nans: 0,
    infinities: 0,
    firstNonFinite: null,
  };
}

function addSums(values: Values, start: number, tiny: number, sums: Sums): void {
  let [sum, zeros, small, others] = [0, 0, 0, 0];
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (value - value !== 0) {
      others++;
      sums.firstNonFinite ??= start + index;
      if (Number.isNaN(value)) sums.nans++;
      else sums.infinities++;
      continue;
    }
    sum += value;
    if (value < tiny && value > -tiny) {
      small++;
      if (value === 0) zeros++;
    }
  }
  sums.finite += values.length - others;
  sums.sum += sum;
  sums.zeros += zeros;
  sums.subnormals += small - zeros;
}

function secondPass(
  source: ValueSource,
  min: number,
  max: number,
  mean: number,
  count: number,
): { histogram: Histogram; squares: number } {
  const bins = binsOver(min, max, count);
  const counts = new Float64Array(count);
  let squares = 0;
  source.forEachChunk((values) => {
    addToHistogram(values, bins, counts);
    squares += squaredDeviations(values, mean);
  });
  return { histogram: histogramOf(bins, counts), squares };
}

function squaredDeviations(values: Values, mean: number): number {
  let squares = 0;
  for (let index = 0; index < values.length; index++) {
    const deviation = values[index]! - mean;
    if (deviation - deviation === 0) squares += deviation * deviation;
  }
  return squares;
}

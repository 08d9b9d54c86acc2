import type { Statistics } from '../../../shared/report.ts';
import { binsOver, histogramOf } from './histogram.ts';
import type { Grouping, Layout } from './layout.ts';
import type { GroupRanges, Passes } from './passes.ts';
import type { ValueSource } from './values.ts';
import { passesOf } from '../kernels/reference/plain-passes.ts';

export interface TensorStatistics {
  readonly statistics: Statistics;
  /** Ranges per channel of the layout, 0 and 0 for a channel without finite values; null without a layout. */
  readonly channels: GroupRanges | null;
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
  source: Passes | ValueSource,
  layout: Layout | null,
  bins: number,
): TensorStatistics {
  const passes = passesOf(source);
  const { ranges, sums } = passes.firstPass(
    layout === null ? wholeTensor(passes.elements) : channelsOf(layout),
  );
  const { min, max } = rangeOfAll(ranges);
  const { finite, sum, ...counted } = sums;
  const mean = finite === 0 ? 0 : sum / finite;
  const used = binsOver(min, max, bins);
  const { counts, squares } = passes.secondPass(used, mean, finite === passes.elements);
  const statistics: Statistics = {
    elements: passes.elements,
    min,
    max,
    absMax: Math.max(-min, max),
    mean,
    std: finite === 0 ? 0 : Math.sqrt(squares / finite),
    ...counted,
    histogram: histogramOf(used, counts),
  };
  return { statistics, channels: layout === null ? null : closeRanges(ranges) };
}

/** How many values are finite. */
export function finiteCount({ elements, nans, infinities }: Statistics): number {
  return elements - nans - infinities;
}

/** The sum of the squares of the finite values. */
export function signalOf(statistics: Statistics): number {
  const { mean, std } = statistics;
  return finiteCount(statistics) * (std * std + mean * mean);
}

/** The ranges of the finite values of each group, in one pass; 0 and 0 for a group without any. */
export function groupRanges(source: Passes | ValueSource, grouping: Grouping): GroupRanges {
  return closeRanges(passesOf(source).ranges(grouping));
}

function wholeTensor(elements: number): Grouping {
  const layout = { outer: 1, channels: 1, inner: elements };
  return { kind: 'tensor', layout, block: 0, groups: 1 };
}

function channelsOf(layout: Layout): Grouping {
  return { kind: 'channel', layout, block: 0, groups: layout.channels };
}

/**
 * Sets the ranges of groups without finite values to 0, in place: copies of a hundred million ranges take
 * gigabytes. Adding 0 makes a -0 the 0 that it is equal to: which of the two is met first says nothing.
 */
function closeRanges(ranges: GroupRanges): GroupRanges {
  const { min, max } = ranges;
  for (let group = 0; group < min.length; group++) {
    const [low, high] = [min[group]!, max[group]!];
    min[group] = low <= high ? low + 0 : 0;
    max[group] = low <= high ? high + 0 : 0;
  }
  return ranges;
}

function rangeOfAll(ranges: GroupRanges): { min: number; max: number } {
  const min = ranges.min.reduce((a, b) => Math.min(a, b), Infinity);
  const max = ranges.max.reduce((a, b) => Math.max(a, b), -Infinity);
  return min <= max ? { min: min + 0, max: max + 0 } : { min: 0, max: 0 };
}

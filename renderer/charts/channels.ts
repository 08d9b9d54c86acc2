// The ranges of a tensor's channels, and which of them stand out.
import type { Numbers } from '../../shared/lists.ts';
import { maxIndex, minIndex } from 'd3';

export interface ChannelRanges {
  readonly min: Numbers;
  readonly max: Numbers;
}

/** A bar of the chart: one channel, or several where a pixel holds more than one. */
export interface ChannelBar {
  readonly first: number;
  readonly count: number;
  readonly min: number;
  readonly max: number;
}

/** Bars for all channels, at most `columns`: neighbours that share a column become one bar of their common range. */
export function channelBars({ min, max }: ChannelRanges, columns: number): ChannelBar[] {
  const perBar = Math.max(1, Math.ceil(min.length / Math.max(1, columns)));
  const bars: ChannelBar[] = [];
  for (let first = 0; first < min.length; first += perBar) {
    const end = Math.min(min.length, first + perBar);
    let [lo, hi] = [Infinity, -Infinity];
    for (let channel = first; channel < end; channel++) {
      lo = Math.min(lo, min[channel]!);
      hi = Math.max(hi, max[channel]!);
    }
    bars.push({ first, count: end - first, min: lo, max: hi });
  }
  return bars;
}

/** The channel with the lowest SQNR; null where none stands out. Channels of zeros (NaN) do not count. */
export function worstChannel(channelSqnrDb: Numbers | null): number | null {
  if (channelSqnrDb === null || channelSqnrDb.length < 2) return null;
  const worst = minIndex(channelSqnrDb);
  return worst === -1 || channelSqnrDb[worst] === Infinity ? null : worst;
}

/** The channel whose values reach furthest from 0, which sets the range of the whole tensor; null of fewer than two. */
export function widestChannel({ min, max }: ChannelRanges): number | null {
  if (min.length < 2) return null;
  const widest = maxIndex(min, (lo, channel) =>
    Math.max(Math.abs(lo), Math.abs(max[channel] ?? 0)),
  );
  return widest;
}

// The bars of the channels' ranges, and their rows where they are copied.
import { joined, type Channels, type ChannelSummary } from '../../shared/channels.ts';
import type { CsvRow } from '../../shared/csv.ts';
import type { Side } from '../../shared/protocol.ts';

/** A bar of the chart: one channel, or several where a pixel holds more than one. */
export interface ChannelBar {
  readonly first: number;
  readonly count: number;
  readonly min: number;
  readonly max: number;
}

/** Bars for all channels, at most `columns`: neighbours that share a column become one bar of their common range. */
export function channelBars(
  { count, perRange, ranges }: ChannelSummary,
  columns: number,
): ChannelBar[] {
  const neighbours = Math.max(1, Math.ceil(ranges.min.length / Math.max(1, columns)));
  const perBar = perRange * neighbours;
  const { min, max } = joined(ranges, neighbours);
  return min.map((lo, bar) => ({
    first: bar * perBar,
    count: Math.min(perBar, count - bar * perBar),
    min: lo,
    max: max[bar]!,
  }));
}

/** Every channel as a row of a table. */
export function channelRows({ min, max, sqnrDb }: Channels, side: Side): CsvRow[] {
  return [
    ['channel', 'min', 'max', ...(sqnrDb === null ? [] : [`SQNR ${side.toUpperCase()} (dB)`])],
    ...Array.from(min, (lo, channel) => [
      channel,
      lo,
      max[channel] ?? null,
      ...(sqnrDb === null ? [] : [sqnrDb[channel] ?? null]),
    ]),
  ];
}

/** The ranges that neighbouring channels share, where the channels are too many for the clipboard. */
export function rangeRows(summary: ChannelSummary): CsvRow[] {
  const bars = channelBars(summary, summary.ranges.min.length);
  return [
    ['first channel', 'channels', 'min', 'max'],
    ...bars.map(({ first, count, min, max }) => [first, count, min, max]),
  ];
}

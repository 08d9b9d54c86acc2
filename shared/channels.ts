// The ranges of a tensor's channels and the SQNR of each, whole and as a window shows them.
import type { Numbers } from './lists.ts';

export interface ChannelRanges {
  readonly min: Numbers;
  readonly max: Numbers;
}

/** All channels of a tensor under a recipe. */
export interface Channels extends ChannelRanges {
  /** In dB, NaN for an all-zero channel; null where the tensor is kept. */
  readonly sqnrDb: Numbers | null;
}

/** More channels than a chart has pixels: each of more is not seen. */
export const SHOWN_CHANNELS = 2048;

/** One channel that stands out. */
export interface ChannelMark {
  readonly channel: number;
  readonly min: number;
  readonly max: number;
}

/** What a window shows of the ranges of channels: an embedding has hundreds of thousands. */
export interface ChannelSummary {
  readonly count: number;
  /** The channel whose values reach furthest from 0, which sets the range of the whole tensor; null of fewer than two. */
  readonly widest: ChannelMark | null;
  /** Channels that share one of `ranges`, from the first on; 1 for up to SHOWN_CHANNELS. */
  readonly perRange: number;
  readonly ranges: { readonly min: readonly number[]; readonly max: readonly number[] };
}

/** What a window shows of the SQNR of channels. */
export interface ChannelSqnr {
  /** Of the first SHOWN_CHANNELS, in dB, NaN for an all-zero channel. */
  readonly first: readonly number[];
  /** The channel with the lowest SQNR; null where none stands out. */
  readonly worst: (ChannelMark & { readonly sqnrDb: number }) | null;
}

/** Sum up ranges: at most SHOWN_CHANNELS, each the common range of neighbours. */
export function summarizeRanges(all: ChannelRanges): ChannelSummary {
  const count = all.min.length;
  const perRange = Math.max(1, Math.ceil(count / SHOWN_CHANNELS));
  const widest = widestChannel(all);
  return {
    count,
    widest: widest === null ? null : markOf(all, widest),
    perRange,
    ranges: joined(all, perRange),
  };
}

/** Sum up the SQNR of channels whose ranges are `ranges`. */
export function summarizeSqnr(sqnrDb: Numbers, ranges: ChannelRanges): ChannelSqnr {
  const worst = worstChannel(sqnrDb);
  const shown = Math.min(sqnrDb.length, SHOWN_CHANNELS);
  return {
    first: Array.from({ length: shown }, (_, channel) => sqnrDb[channel]!),
    worst: worst === null ? null : { ...markOf(ranges, worst), sqnrDb: sqnrDb[worst]! },
  };
}

/** The common ranges of so many neighbours each. */
export function joined(
  { min, max }: ChannelRanges,
  neighbours: number,
): { readonly min: number[]; readonly max: number[] } {
  const ranges: { min: number[]; max: number[] } = { min: [], max: [] };
  for (let first = 0; first < min.length; first += neighbours) {
    const end = Math.min(min.length, first + neighbours);
    let [lo, hi] = [Infinity, -Infinity];
    for (let at = first; at < end; at++) {
      lo = Math.min(lo, min[at]!);
      hi = Math.max(hi, max[at]!);
    }
    ranges.min.push(lo);
    ranges.max.push(hi);
  }
  return ranges;
}

function markOf({ min, max }: ChannelRanges, channel: number): ChannelMark {
  return { channel, min: min[channel]!, max: max[channel]! };
}

function widestChannel({ min, max }: ChannelRanges): number | null {
  if (min.length < 2) return null;
  let [widest, furthest] = [-1, -Infinity];
  for (let channel = 0; channel < min.length; channel++) {
    const reach = Math.max(Math.abs(min[channel]!), Math.abs(max[channel]!));
    if (reach > furthest) [widest, furthest] = [channel, reach];
  }
  return widest === -1 ? null : widest;
}

/** Channels of zeros (NaN) and of no error do not stand out. */
function worstChannel(sqnrDb: Numbers): number | null {
  if (sqnrDb.length < 2) return null;
  let [worst, least] = [-1, Infinity];
  for (let channel = 0; channel < sqnrDb.length; channel++)
    if (sqnrDb[channel]! < least) [worst, least] = [channel, sqnrDb[channel]!];
  return worst === -1 ? null : worst;
}

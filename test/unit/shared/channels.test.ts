import { describe, expect, test } from 'vitest';
import {
  SHOWN_CHANNELS,
  summarizeRanges,
  summarizeSqnr,
  type ChannelRanges,
} from '../../../shared/channels.ts';

describe('channels that stand out', () => {
  const ranges: ChannelRanges = { min: [-1, -5, 0, 0], max: [2, 0, 4, 1] };

  test('the worst has the lowest SQNR; channels of zeros do not count', () => {
    expect(summarizeSqnr([30, NaN, 12, 40], ranges).worst).toEqual({
      ...{ channel: 2, min: 0, max: 4, sqnrDb: 12 },
    });
    for (const none of [
      [NaN, NaN],
      [Infinity, Infinity],
    ])
      expect(summarizeSqnr(none, ranges).worst).toBeNull();
  });

  test('the widest reaches furthest from zero, at whichever end', () => {
    expect(summarizeRanges(ranges).widest).toEqual({ channel: 1, min: -5, max: 0 });
    expect(summarizeRanges({ min: [], max: [] })).toMatchObject({ count: 0, widest: null });
    expect(summarizeRanges({ min: [NaN, NaN], max: [NaN, NaN] }).widest).toBeNull();
  });

  test('a single channel does not stand out', () => {
    const one = { min: [-1], max: [1] };
    expect([summarizeSqnr([12], one).worst, summarizeRanges(one).widest]).toEqual([null, null]);
  });
});

test('up to 2048 channels are whole; more share at most 2048 ranges, and no extreme is lost', () => {
  for (const count of [1, 2047, SHOWN_CHANNELS, 2049, 256_000, 1_000_003]) {
    const min = Float64Array.from({ length: count }, (_, at) => 0 - ((at * 7919) % count));
    const max = Float64Array.from({ length: count }, (_, at) => (at * 104_729) % count);
    const { ranges, perRange, ...rest } = summarizeRanges({ min, max });
    expect(rest.count).toBe(count);
    expect(perRange === 1).toBe(count <= SHOWN_CHANNELS);
    expect(ranges.min.length).toBe(Math.ceil(count / perRange));
    expect(ranges.min.length).toBeLessThanOrEqual(SHOWN_CHANNELS);
    expect(Math.min(...ranges.min)).toBe(1 - count);
    expect(Math.max(...ranges.max)).toBe(count - 1);
    expect(summarizeSqnr(max, { min, max }).first).toEqual([...max.subarray(0, SHOWN_CHANNELS)]);
  }
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { channelBars, widestChannel, worstChannel } from '../../../../renderer/charts/channels.ts';
import { errorSeries } from '../../../../renderer/charts/errors.ts';
import { sideWith } from './reports.ts';

describe('channelBars', () => {
  test('one bar per channel where there is room', () => {
    expect(channelBars({ min: [-1, -2], max: [1, 3] }, 10)).toEqual([
      { first: 0, count: 1, min: -1, max: 1 },
      { first: 1, count: 1, min: -2, max: 3 },
    ]);
  });

  test('many channels share columns, and no extreme is lost', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -99, max: 99 }), { minLength: 1, maxLength: 500 }),
        fc.integer({ min: 1, max: 100 }),
        (values, columns) => {
          const bars = channelBars({ min: values, max: values }, columns);
          expect(bars.length).toBeLessThanOrEqual(columns);
          expect(bars.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
          expect(Math.max(...bars.map(({ max }) => max))).toBe(Math.max(...values));
          expect(Math.min(...bars.map(({ min }) => min))).toBe(Math.min(...values));
        },
      ),
    );
  });
});

describe('channels that stand out', () => {
  test('the worst has the lowest SQNR; channels of zeros do not count', () => {
    expect(worstChannel([30, NaN, 12, 40])).toBe(2);
    expect([
      worstChannel(null),
      worstChannel([NaN, NaN]),
      worstChannel([Infinity, Infinity]),
    ]).toEqual([null, null, null]);
  });

  test('the widest reaches furthest from zero, at whichever end', () => {
    expect(widestChannel({ min: [-1, -5, 0], max: [2, 0, 4] })).toBe(1);
    expect(widestChannel({ min: [], max: [] })).toBeNull();
  });

  test('a single channel does not stand out', () => {
    expect([worstChannel([12]), widestChannel({ min: [-1], max: [1] })]).toEqual([null, null]);
  });
});

describe('errorSeries', () => {
  test('each side keeps the counts of its own bins, over one x axis', () => {
    const a = sideWith({}, { lo: -1, hi: 1, counts: [5, 10] });
    const b = sideWith({}, { lo: -4, hi: 4, counts: [8, 8] });
    const { limit, series } = errorSeries(a, b);
    expect(limit).toBe(4);
    expect(series.map(({ side, most }) => [side, most])).toEqual([
      ['a', 10],
      ['b', 8],
    ]);
  });

  test('sides that are left alone or exact have no series', () => {
    const set = errorSeries(sideWith({ quantized: false }), sideWith({ maxAbsError: 0 }));
    expect(set).toEqual({ limit: 0, series: [] });
    expect(errorSeries(null, sideWith({})).series.map(({ side }) => side)).toEqual(['b']);
  });
});

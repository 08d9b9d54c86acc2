import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { channelBars, channelRows, rangeRows } from '../../../../renderer/charts/channels.ts';
import { errorSeries } from '../../../../renderer/charts/errors.ts';
import { summarizeRanges } from '../../../../shared/channels.ts';
import { sideWith } from './reports.ts';

describe('channelBars', () => {
  test('one bar per channel where there is room', () => {
    expect(channelBars(summarizeRanges({ min: [-1, -2], max: [1, 3] }), 10)).toEqual([
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
          const bars = channelBars(summarizeRanges({ min: values, max: values }), columns);
          expect(bars.length).toBeLessThanOrEqual(columns);
          expect(bars.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
          expect(Math.max(...bars.map(({ max }) => max))).toBe(Math.max(...values));
          expect(Math.min(...bars.map(({ min }) => min))).toBe(Math.min(...values));
        },
      ),
    );
  });
});

describe('rows of channels', () => {
  test('have the SQNR of their side where there is one', () => {
    expect(channelRows({ min: [-1, -2], max: [1, 3], sqnrDb: [40, NaN] }, 'b')).toEqual([
      ['channel', 'min', 'max', 'SQNR B (dB)'],
      [0, -1, 1, 40],
      [1, -2, 3, NaN],
    ]);
    expect(channelRows({ min: [-1], max: [1], sqnrDb: null }, 'a')[0]).toHaveLength(3);
  });

  test('are of neighbours where the channels are too many to copy', () => {
    const min = Float64Array.from({ length: 5000 }, (_, channel) => 0 - channel);
    const rows = rangeRows(summarizeRanges({ min, max: min }));
    expect(rows[1]).toEqual([0, 3, -2, 0]);
    expect(rows.at(-1)).toEqual([4998, 2, -4999, -4998]);
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

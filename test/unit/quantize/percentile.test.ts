import { describe, expect, test } from 'vitest';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { groupingOf } from '../../../electron/engine/quantize/layout.ts';
import {
  percentileOfTensor,
  percentilesOfGroups,
} from '../../../electron/engine/quantize/percentile.ts';
import { float32Of, float64Of, readGolden } from './goldens.ts';

interface GoldenCase {
  readonly name: string;
  readonly dtype: 'float32' | 'float64';
  readonly values: string;
  readonly plain: string;
  readonly opposite: string;
  readonly magnitude: string;
}

const golden = readGolden<{
  percents: number[];
  cases: GoldenCase[];
  perChannel: {
    shape: number[];
    values: string;
    percent: number;
    channels: { axis: number; magnitude: string; low: string; high: string }[];
  };
}>('percentile.json');

/** -0 and 0 are one number. */
function plusZero(values: Iterable<number>): number[] {
  return Array.from(values, (value) => value + 0);
}

describe("percentiles equal numpy's to the last bit", () => {
  test.each(golden.cases)('$name, $dtype', (given) => {
    const values = given.dtype === 'float64' ? float64Of(given.values) : float32Of(given.values);
    const source = arraySource(values, given.dtype, 113);
    const magnitudes = golden.percents.map((percent) =>
      percentileOfTensor(source, percent, true, values.length),
    );
    expect(plusZero(magnitudes.map(({ high }) => high))).toEqual(
      plusZero(float64Of(given.magnitude)),
    );
    expect(magnitudes.every(({ low, high }) => low === -high)).toBe(true);
    const twoSided = golden.percents.map((percent) =>
      percentileOfTensor(source, percent, false, values.length),
    );
    expect(plusZero(twoSided.map(({ high }) => high))).toEqual(plusZero(float64Of(given.plain)));
    expect(plusZero(twoSided.map(({ low }) => low))).toEqual(plusZero(float64Of(given.opposite)));
  });
});

describe("percentiles per channel equal numpy's, gathered or by radix", () => {
  const { shape, values, percent, channels } = golden.perChannel;
  const source = arraySource(float32Of(values), 'float32', 101);
  // All channels at once, a few at a time, and fewer values than a channel has.
  const budgets = [10_000, 250, 20];
  test.each(channels.flatMap((channel) => budgets.map((budget) => ({ ...channel, budget }))))(
    'axis $axis, budget of $budget values',
    ({ axis, budget, ...expected }) => {
      const grouping = groupingOf(shape, axis, 'channel');
      const symmetric = percentilesOfGroups(source, grouping, percent, true, budget);
      expect(symmetric.map(({ high }) => high)).toEqual([...float64Of(expected.magnitude)]);
      const twoSided = percentilesOfGroups(source, grouping, percent, false, budget);
      expect(twoSided.map(({ low }) => low)).toEqual([...float64Of(expected.low)]);
      expect(twoSided.map(({ high }) => high)).toEqual([...float64Of(expected.high)]);
    },
  );
});

test('NaN and infinities are left out, and without finite values the range is 0 to 0', () => {
  const values = Float32Array.of(NaN, 3, Infinity, 1, -Infinity, 2);
  expect(percentileOfTensor(arraySource(values), 50, false, 3)).toEqual({ low: 2, high: 2 });
  const grouping = groupingOf([2, 3], 1, 'channel');
  expect(percentilesOfGroups(arraySource(values), grouping, 100, true)).toEqual([
    { low: -1, high: 1 },
    { low: -3, high: 3 },
    { low: -2, high: 2 },
  ]);
  expect(percentileOfTensor(arraySource(Float32Array.of(NaN)), 50, true, 0)).toEqual({
    low: 0,
    high: 0,
  });
});

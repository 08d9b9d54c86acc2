import { describe, expect, test } from 'vitest';
import { DivergenceBounds } from '../../../electron/engine/quantize/divergence-bounds.ts';
import {
  Divergences,
  DivergenceSearch,
  leastDivergence,
} from '../../../electron/engine/quantize/divergence.ts';
import { RunningSums } from '../../../electron/engine/quantize/running-sums.ts';
import { normalValues } from '../../helpers/random.ts';

/** What values are like: of all magnitudes, few far out, one far out, none below 0, and a few values many times. */
const SHAPES: Readonly<Record<string, (value: number, index: number) => number>> = {
  normal: (value) => value,
  'long tails': (value) => value ** 5,
  outliers: (value, index) => (index % 97 === 0 ? 20 * value : value),
  'one outlier': (value, index) => (index === 3 ? 4000 : value),
  'above 0': (value) => Math.max(0, value),
  'few values': (value) => Math.round(value),
};

function histogramOf(values: Float32Array, bins: number): Float64Array {
  const limit = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const counts = new Float64Array(bins);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor(((value + limit) / (2 * limit)) * bins));
    counts[bin] = counts[bin]! + 1;
  }
  return counts;
}

const cases = Object.entries(SHAPES).flatMap(([shape, of], seed) =>
  [
    { bins: 64, levels: 2 },
    { bins: 256, levels: 100 },
    { bins: 512, levels: 8 },
    { bins: 512, levels: 128 },
    { bins: 512, levels: 512 },
  ].flatMap(({ bins, levels }) =>
    [20, 3000].map((size) => ({
      ...{ shape, bins, levels, size },
      counts: histogramOf(normalValues(size, seed + 1).map(of), bins),
    })),
  ),
);

/** The divergence of every window from the least, by its half-width. */
function everyDivergence(counts: Float64Array, levels: number): (readonly [number, number])[] {
  const divergences = new Divergences(new RunningSums(counts.length).of(counts), levels);
  const first = Math.floor(levels / 2);
  return Array.from({ length: counts.length / 2 - first + 1 }, (_, at) => [
    first + at,
    divergences.of(first + at),
  ]);
}

describe('the window that diverges least', () => {
  test.each(cases)(
    'is the first of the least ones, one by one: $size values, $shape, $bins bins, $levels levels',
    ({ counts, levels }) => {
      const [best] = everyDivergence(counts, levels).reduce((least, each) =>
        each[1] < least[1] ? each : least,
      );
      expect(leastDivergence(counts, levels)).toBe(best);
    },
  );

  test.each(cases)(
    'is among those that the bounds leave open: $size values, $shape, $bins bins, $levels levels',
    ({ counts, bins, levels }) => {
      const bounds = new DivergenceBounds(new RunningSums(bins).of(counts), levels);
      bounds.update(Math.floor(levels / 2));
      const outside = everyDivergence(counts, levels).filter(
        ([half, found]) => !(bounds.lower[half]! <= found && found <= bounds.upper[half]!),
      );
      expect(outside).toEqual([]);
    },
  );

  test('is compared with few others where values are normal', () => {
    const counts = histogramOf(normalValues(4096, 5), 2048);
    const bounds = new DivergenceBounds(new RunningSums(2048).of(counts), 128);
    bounds.update(64);
    const closest = Math.min(...bounds.upper.subarray(64));
    expect(bounds.lower.subarray(64).filter((each) => each <= closest).length).toBeLessThan(4);
  });

  test('is the same for counts of billions, which are not bounded', () => {
    const counts = histogramOf(normalValues(3000, 7), 256);
    const many = counts.map((count) => count * 1_000_003);
    const least = everyDivergence(many, 16).toSorted((a, b) => a[1] - b[1])[0]!;
    expect(leastDivergence(many, 16)).toBe(least[0]);
  });

  test('is that of each histogram alone when one search finds those of many', () => {
    const search = new DivergenceSearch(512, 128);
    const many = cases.filter(({ bins, levels }) => bins === 512 && levels === 128);
    expect(many.map(({ counts }) => search.least(counts))).toEqual(
      many.map(({ counts }) => leastDivergence(counts, 128)),
    );
  });
});

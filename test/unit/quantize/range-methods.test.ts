import { describe, expect, test } from 'vitest';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { entropyRanges } from '../../../electron/engine/quantize/entropy.ts';
import { groupingOf, layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics, groupRanges } from '../../../electron/engine/quantize/statistics.ts';
import { normalValues } from '../../helpers/random.ts';
import { float32Of, readGolden } from './goldens.ts';
import { schemeOf, type SchemeFields } from '../../../shared/scheme.ts';

const golden = readGolden<{
  cases: { name: string; values: string; ranges: [number, number, number][] }[];
}>('entropy.json');

function quantize(values: Float32Array, shape: number[], fields: Partial<SchemeFields>) {
  const source = arraySource(values, 'float32', 997);
  return quantizeTensor({
    name: 'w',
    source,
    shape,
    axis: 0,
    scheme: schemeOf({ granularity: 'tensor', ...fields }),
    statistics: computeStatistics(source, layoutOf(shape, 0), 16),
  });
}

/** Normal values with a few far out, in channels of different sizes. */
function withOutliers(): { values: Float32Array; shape: number[] } {
  const shape = [8, 500];
  const values = normalValues(4000, 31).map((value, index) => value * 2 ** Math.floor(index / 500));
  for (let row = 0; row < 8; row++) values[row * 500 + row * 7] = 25 * 2 ** row;
  return { values, shape };
}

describe("entropy ranges equal those of onnxruntime's calibrator, with 2048 bins", () => {
  test.each(
    golden.cases.flatMap(({ name, values, ranges }) =>
      ranges.map(([levels, low, high]) => ({ name, levels, values, low, high })),
    ),
  )('$name, $levels levels', ({ values, levels, low, high }) => {
    const given = float32Of(values);
    const source = arraySource(given, 'float32', 700);
    const grouping = groupingOf([given.length], null, 'tensor');
    const full = groupRanges(source, grouping);
    const found = entropyRanges(source, grouping, full, levels);
    expect([found.min[0], found.max[0]]).toEqual([low, high]);
  });
});

describe('entropy ranges', () => {
  test('with more levels than bins equal minmax', () => {
    const { values, shape } = withOutliers();
    const full = quantize(values, shape, { dtype: 'int16' });
    expect(quantize(values, shape, { dtype: 'int16', range: 'entropy' })).toEqual(full);
  });

  test('per channel are those of each channel alone', () => {
    const { values, shape } = withOutliers();
    const together = quantize(values, shape, { granularity: 'channel', range: 'entropy' });
    const alone = Array.from({ length: 8 }, (_, row) =>
      quantize(values.slice(row * 500, row * 500 + 500), [1, 500], { range: 'entropy' }),
    );
    expect(together.scale).toEqual(alone.flatMap(({ scale }) => [...scale]));
    expect(together.clipped).toBeGreaterThan(0);
  });

  test('of zeros are zero', () => {
    expect(quantize(new Float32Array(10), [10], { range: 'entropy' }).scale).toEqual([1]);
  });
});

const schemes: Partial<SchemeFields>[] = (['int8', 'uint8', 'int4', 'uint4', 'int16'] as const)
  .flatMap((dtype) => [
    { dtype, symmetric: true },
    { dtype, symmetric: false },
  ])
  .flatMap((scheme) => [
    { ...scheme, granularity: 'tensor' as const },
    { ...scheme, granularity: 'channel' as const },
    { ...scheme, granularity: { block: 32 } },
  ]);

describe('least-error ranges', () => {
  test.each(schemes)('never lose more than minmax: %o', (scheme) => {
    const { values, shape } = withOutliers();
    const full = quantize(values, shape, scheme);
    const least = quantize(values, shape, { ...scheme, range: 'mse' });
    expect(least.noise).toBeLessThanOrEqual(full.noise);
  });

  test('of a few bits lose less where there are outliers', () => {
    const { values, shape } = withOutliers();
    for (const symmetric of [true, false]) {
      const scheme = { dtype: 'int4', symmetric, granularity: 'channel' } as const;
      const full = quantize(values, shape, scheme);
      const least = quantize(values, shape, { ...scheme, range: 'mse' });
      expect(least.noise).toBeLessThan(full.noise * 0.9);
      expect(least.clipped).toBeGreaterThan(0);
    }
  });

  test('come within a percent of the best clip of a fine search', () => {
    const values = normalValues(3000, 8);
    const scheme = { dtype: 'int4', symmetric: true } as const;
    const found = quantize(values, [3000], { ...scheme, range: 'mse' });
    const limit = Math.max(...values.map(Math.abs));
    let best = Infinity;
    for (let percent = 1; percent <= 100; percent++) {
      const clip = (limit * percent) / 100;
      const scale = Math.fround((2 * clip) / 15);
      let noise = 0;
      for (const value of values) {
        const code = Math.max(-8, Math.min(7, Math.round(value / scale)));
        noise += (code * scale - value) ** 2;
      }
      best = Math.min(best, noise);
    }
    expect(found.noise).toBeLessThan(best * 1.01);
  });

  test('move both ends of an asymmetric range', () => {
    const values = normalValues(3000, 12).map((value) => value + 2);
    values[5] = 40;
    const scheme = { dtype: 'uint4', symmetric: false } as const;
    const full = quantize(values, [3000], scheme);
    const least = quantize(values, [3000], { ...scheme, range: 'mse' });
    expect(least.noise).toBeLessThan(full.noise / 2);
  });

  test('do not depend on how many groups are searched at a time', () => {
    const rows = 40_000;
    const values = normalValues(rows * 3, 17);
    const scheme = { dtype: 'int4', granularity: 'channel', range: 'mse' } as const;
    const all = quantize(values, [rows, 3], scheme);
    const last = quantize(values.slice(-30), [10, 3], scheme);
    expect(Array.from(all.scale).slice(-10)).toEqual(last.scale);
  });
});

describe('int32', () => {
  test('is symmetric over +-(2^31 - 1), and rounding of float32 is not called clipping', () => {
    const values = Float32Array.of(-1, 1, 0.5, 2 ** -20, 0);
    const result = quantize(values, [5], { dtype: 'int32' });
    expect(result.scale).toEqual([Math.fround(1 / (2 ** 31 - 1))]);
    // 32-bit codes are not told apart.
    expect(result).toMatchObject({ zeroPoint: [0], clipped: 0, levelsUsed: null });
    expect(result.maxAbsError).toBeLessThan(1e-7);
  });
});

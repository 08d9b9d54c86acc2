import { describe, expect, test } from 'vitest';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import type { FixedDtype } from '../../../shared/dtypes.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { bytesOf, float32Of, readGolden } from './goldens.ts';
import { schemeOf, type SchemeFields } from '../../../shared/scheme.ts';

const golden = readGolden<{
  values: string;
  cases: { dtype: FixedDtype; rounding: 'even' | 'zero'; codes: string }[];
}>('fixed.json');

function quantize(
  values: Float32Array,
  fields: Partial<SchemeFields>,
  shape: readonly number[] = [values.length],
  axis: number | null = null,
) {
  const source = arraySource(values);
  const codes: number[] = [];
  const result = quantizeTensor({
    name: 'w',
    source,
    shape,
    axis,
    scheme: schemeOf({ dtype: 'q7', granularity: 'tensor', ...fields }),
    statistics: computeStatistics(source, axis === null ? null : layoutOf(shape, axis), 4),
    sink: (bytes) => codes.push(...bytes),
  });
  return { result, codes: Uint8Array.from(codes) };
}

describe('CMSIS-DSP formats, rounded or cut as the library does, never wrapping', () => {
  const values = float32Of(golden.values);
  test.each(golden.cases)('$dtype, rounding $rounding', ({ dtype, rounding, codes }) => {
    const found = quantize(values, { dtype, rounding });
    expect(found.codes).toEqual(bytesOf(codes));
    const bits = { q7: 7, q15: 15, q31: 31 }[dtype];
    expect(found.result.scale).toEqual([2 ** -bits]);
    expect(found.result.zeroPoint).toEqual([0]);
  });
});

test('values beyond [-1, 1) are counted where they saturate', () => {
  const { result, codes } = quantize(Float32Array.of(-1, 0.9921875, 1, 5, -3), {});
  expect([...new Int8Array(codes.buffer)]).toEqual([-128, 127, 127, 127, -128]);
  expect(result.clipped).toBe(3);
});

describe('a power-of-two scale', () => {
  test('is the least at which nothing saturates', () => {
    const shift = (...values: number[]): number => {
      const { result } = quantize(Float32Array.from(values), { powerOfTwo: true });
      expect(result.clipped).toBe(0);
      // Values are q * 2^-7 * 2^shift.
      return Math.log2(result.scale[0]!) + 7;
    };
    expect(shift(0.5, -0.7)).toBe(0);
    expect(shift(-1)).toBe(0);
    expect(shift(1)).toBe(1);
    // Rounds to 128, which an int8 does not hold.
    expect(shift(0.999)).toBe(1);
    expect(shift(-3.5, 2)).toBe(2);
    expect(shift(0.01)).toBe(-6);
    expect(shift(0, 0)).toBe(0);
  });

  test('is found for each channel', () => {
    const { result } = quantize(
      Float32Array.of(100, -3, 0.1, 0.05),
      { dtype: 'q15', powerOfTwo: true, granularity: 'channel' },
      [2, 2],
      0,
    );
    expect(result.scale).toEqual([2 ** (7 - 15), 2 ** (-3 - 15)]);
    expect(result.axis).toBe(0);
  });

  test('cutting toward zero lets 0.999 stay in [-1, 1)', () => {
    const found = quantize(Float32Array.of(0.999), { powerOfTwo: true, rounding: 'zero' });
    expect(found.result.scale).toEqual([2 ** -7]);
    expect([...found.codes]).toEqual([127]);
  });

  test('stays a normal float32 for the smallest values, and finite for the greatest', () => {
    const least = quantize(Float32Array.of(1e-45), { powerOfTwo: true, dtype: 'q31' });
    expect(least.result.scale).toEqual([2 ** -126]);
    const greatest = quantize(Float32Array.of(-3.4e38), { powerOfTwo: true });
    expect(greatest.result.scale).toEqual([2 ** 121]);
  });
});

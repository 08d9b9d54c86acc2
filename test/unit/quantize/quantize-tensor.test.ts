import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { schemeOf, type SchemeFields } from '../../../shared/scheme.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import type { Values } from '../../../electron/engine/quantize/values.ts';
import { describeSide, describeValues } from '../../../electron/engine/quantize/detail.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { packerOf } from '../../../electron/engine/quantize/packing.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import type { QuantizeInput } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { normalValues } from '../../helpers/random.ts';

function input(
  values: Values,
  fields: Partial<SchemeFields>,
  shape: readonly number[] = [values.length],
  axis: number | null = null,
): QuantizeInput {
  const source = arraySource(values, undefined, 1000);
  const layout = axis === null ? null : layoutOf(shape, axis);
  const statistics = computeStatistics(source, layout, 16);
  return { name: 'w', source, shape, axis, scheme: schemeOf(fields), statistics };
}

describe('error measures', () => {
  test('are those of dequantized minus original, summed in float64', () => {
    const values = normalValues(5000, 1);
    const codes: number[] = [];
    const given = input(values, { granularity: 'tensor' });
    const result = quantizeTensor({ ...given, sink: (bytes) => codes.push(...bytes) });
    let [signal, noise, largest] = [0, 0, 0];
    values.forEach((value, index) => {
      const code = (codes[index]! << 24) >> 24;
      const error = Math.fround(code * result.scale[0]!) - value;
      signal += value * value;
      noise += error * error;
      largest = Math.max(largest, Math.abs(error));
    });
    expect(result.signal / signal).toBeCloseTo(1, 13);
    expect(result.sqnrDb).toBeCloseTo(10 * Math.log10(signal / noise), 11);
    expect(result).toMatchObject({
      noise,
      maxAbsError: largest,
      mse: noise / 5000,
      rmse: Math.sqrt(noise / 5000),
      clipped: 0,
    });
    expect(result.cosine).toBeGreaterThan(0.9999);
    expect(result.cosine).toBeLessThan(1);
  });

  test('SQNR is infinite where nothing is lost', () => {
    const result = quantizeTensor(input(Float32Array.of(-127, 1, 2, 127), {}));
    expect(result).toMatchObject({ mse: 0, sqnrDb: Infinity, cosine: 1, maxAbsError: 0 });
  });

  test('SQNR and cosine are undefined for an all-zero tensor, with scale 1 and zero point 0', () => {
    const result = quantizeTensor(input(new Float32Array(5), { symmetric: false, dtype: 'uint8' }));
    expect(result).toMatchObject({
      scale: [1],
      zeroPoint: [0],
      mse: 0,
      sqnrDb: null,
      cosine: null,
      levelsUsed: 1,
    });
  });

  test('cosine is undefined where all codes are zero, though the values are not', () => {
    const values = normalValues(300, 2).map((value) => value * 1e-39);
    const result = quantizeTensor(input(values, { granularity: 'tensor' }));
    expect(result).toMatchObject({ scale: [1], levelsUsed: 1, cosine: null });
    expect(result.sqnrDb).toBeCloseTo(0, 11);
  });

  test('an empty tensor has scale 1, zero point 0 and no error', () => {
    const result = quantizeTensor(input(new Float32Array(0), { granularity: 'tensor' }));
    expect(result).toMatchObject({ scale: [1], zeroPoint: [0], mse: 0, levelsUsed: 0 });
  });

  test('the codes do not depend on how the values are cut into runs', () => {
    const values = normalValues(997, 3);
    const whole = input(values, { dtype: 'uint8', symmetric: false }, [997], 0);
    const bytes = (chunk: number): Uint8Array => {
      const pieces: Uint8Array[] = [];
      const source = arraySource(values, 'float32', chunk);
      quantizeTensor({ ...whole, source, sink: (piece) => pieces.push(piece) });
      return Buffer.concat(pieces);
    };
    expect(bytes(1)).toEqual(bytes(997));
    expect(bytes(100)).toEqual(bytes(997));
  });
});

describe('clipping', () => {
  test('a percentile range counts the values whose nearest code is out of range', () => {
    const values = Float32Array.from({ length: 1001 }, (_, index) => index - 500);
    const result = quantizeTensor(
      input(values, { granularity: 'tensor', range: { percentile: 90 } }),
    );
    expect(result.scale).toEqual([Math.fround(450 / 127)]);
    // Above 127.5 and below -128.5 steps of 3.543...: 452 to 500 and -500 to -456.
    expect(result.clipped).toBe(49 + 45);
    expect(result.maxAbsError).toBeCloseTo(50, 4);
  });

  test('the narrow range of LiteRT leaves -128 out', () => {
    const values = Float32Array.from({ length: 1001 }, (_, index) => index - 500);
    const scheme = { granularity: 'tensor', range: { percentile: 90 } } as const;
    const codes: number[] = [];
    const result = quantizeTensor({
      ...input(values, { ...scheme, narrowRange: true }),
      sink: (bytes) => codes.push(...bytes),
    });
    expect(Math.min(...codes.map((code) => (code << 24) >> 24))).toBe(-127);
    expect(result.clipped).toBe(49 + 49);
  });

  test('finite values that a cast makes infinite are counted', () => {
    const result = quantizeTensor(
      input(Float32Array.of(1, 65519, 65520, -1e6, Infinity, NaN), { dtype: 'float16' }),
    );
    expect(result).toMatchObject({ clipped: 2, mse: Infinity, sqnrDb: -Infinity, cosine: null });
  });
});

describe('values that are not finite', () => {
  test('stop an integer scheme with the tensor and the flat index', () => {
    const given = input(Float32Array.of(1, 2, 3, NaN, Infinity), {});
    expect(() => quantizeTensor(given)).toThrow(AppError);
    expect(() => quantizeTensor(given)).toThrow(
      'w: an integer scheme needs finite values (found 1 NaN and 1 infinite, the first at flat index 3',
    );
  });

  test('pass through a cast and are left out of the error', () => {
    const codes: number[] = [];
    const result = quantizeTensor({
      ...input(Float32Array.of(1, Infinity, NaN, 1.0001), { dtype: 'bfloat16' }),
      sink: (bytes) => codes.push(...new Uint16Array(bytes.slice().buffer)),
    });
    expect(codes).toEqual([0x3f80, 0x7f80, 0x7fc0, 0x3f80]);
    expect(result).toMatchObject({ clipped: 0, levelsUsed: 3, scale: [], zeroPoint: [] });
    expect(result.maxAbsError).toBe(Math.fround(1.0001) - 1);
  });

  test('a float64 range beyond float32 scales is refused by the tensor, not stored as infinity', () => {
    expect(() => quantizeTensor(input(Float64Array.of(-1e300, 1e300), {}))).toThrow(
      'w: the range of values is too wide for a float32 scale',
    );
  });
});

describe('packing', () => {
  test('4-bit codes go low nibble first, across runs, and an odd tail has a high nibble of 0', () => {
    const packer = packerOf(4);
    const pieces = [[1], [-1, 2, 7], [], [-8]].map((codes) => packer.push(Int32Array.from(codes)));
    expect([...Buffer.concat([...pieces, packer.end()])]).toEqual([0xf1, 0x72, 0x08]);
  });

  test('16-bit codes are little-endian two’s complement', () => {
    expect([...packerOf(16).push(Int32Array.of(-2, 0x1234))]).toEqual([0xfe, 0xff, 0x34, 0x12]);
  });
});

describe('the inspector', () => {
  const values = normalValues(600, 21);

  test('counts each code in use, in ascending order', () => {
    const given = input(Float32Array.of(-127, 0, 0, 3, 127), { granularity: 'tensor' });
    const { side, result } = describeSide(given, 8);
    expect(side.codes).toEqual({ code: [-127, 0, 3, 127], count: [1, 2, 1, 1] });
    expect(side.firstCodes).toEqual([-127, 0, 0, 3, 127]);
    expect(side.firstValues).toEqual([-127, 0, 0, 3, 127]);
    expect(result.levelsUsed).toBe(4);
  });

  test('its numbers are those of the report', () => {
    const given = input(values, { dtype: 'uint8', symmetric: false }, [20, 30], 0);
    expect(describeSide(given, 32).result).toEqual(quantizeTensor(given));
  });

  test('has as many errors in its histogram as the tensor has elements', () => {
    const { side, result } = describeSide(input(values, {}, [20, 30], 1), 32);
    expect(side.errorHistogram.counts.reduce((a, b) => a + b, 0)).toBe(600);
    expect(side.errorHistogram).toMatchObject({ lo: -result.maxAbsError, hi: result.maxAbsError });
  });

  test('gives the SQNR of every channel, which pool to that of the tensor, NaN for a zero one', () => {
    const some = values.slice();
    some.fill(0, 0, 30);
    const { side, result } = describeSide(input(some, {}, [20, 30], 0), 8);
    const rows = Array.from({ length: 20 }, (_, row) =>
      quantizeTensor(input(some.slice(row * 30, row * 30 + 30), { granularity: 'tensor' })),
    );
    for (const [row, { sqnrDb }] of rows.entries())
      if (sqnrDb !== null) expect(side.channelSqnr!.first[row]).toBeCloseTo(sqnrDb, 11);
    expect(side.channelSqnr!.first[0]).toBeNaN();
    const noise = rows.reduce((sum, row) => sum + row.noise, 0);
    expect(result.noise).toBeCloseTo(noise, 12);
  });

  test('shows the values, their fine histogram and the ranges that methods would choose', () => {
    const { statistics, source } = input(values, {}, [20, 30], 0);
    const detail = describeValues(source, statistics, 100);
    expect(detail.firstValues).toEqual([...values.subarray(0, 64)]);
    expect(detail.histogram.counts).toHaveLength(100);
    expect(detail.channels?.ranges.min).toHaveLength(20);
    expect(detail.ranges[0]).toEqual({
      method: 'minmax',
      lo: Math.min(...values),
      hi: Math.max(...values),
    });
    const [minmax, percentile] = detail.ranges;
    expect(percentile!.lo).toBeGreaterThan(minmax!.lo);
    expect(percentile!.hi).toBeLessThan(minmax!.hi);
  });
});

import { describe, expect, test } from 'vitest';
import {
  computeScaleZeroPoint,
  float16Scale,
  scaleRange,
  scaleSteps,
  type AffineDtype,
} from '../../../shared/affine.ts';
import { codesOf, dtypeOf } from '../../../shared/dtypes.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { integerCoder } from '../../../electron/engine/kernels/reference/coder.ts';
import { groupingOf, layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { packerOf } from '../../../electron/engine/quantize/packing.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { bytesOf, float32Of, readGolden } from './goldens.ts';
import { schemeOf } from '../../../shared/scheme.ts';

interface GoldenScheme {
  readonly dtype: AffineDtype;
  readonly symmetric: boolean;
  readonly granularity: 'tensor' | 'channel';
  readonly scale: string;
  readonly zeroPoint: number[];
  readonly codes: string;
}

interface GoldenCase {
  readonly name: string;
  readonly shape: number[];
  readonly axis: number;
  readonly values: string;
  readonly schemes: GoldenScheme[];
}

interface GoldenOverride extends Omit<GoldenScheme, 'granularity'> {
  readonly low: number;
  readonly high: number;
}

const golden = readGolden<{
  cases: GoldenCase[];
  overrides: { values: string; schemes: GoldenOverride[] };
}>('affine.json');

/** Bytes as the goldens keep codes: 4-bit codes unpacked, one to a byte. */
function storedBytes(codes: Int32Array, dtype: AffineDtype): Uint8Array {
  return packerOf(Math.max(8, dtypeOf(dtype).bits)).push(codes);
}

function unpackedCodes(bytes: Uint8Array<ArrayBuffer>, dtype: AffineDtype): Int32Array {
  if (dtype === 'int16') return Int32Array.from(new Int16Array(bytes.buffer));
  if (dtype === 'uint16') return Int32Array.from(new Uint16Array(bytes.buffer));
  return Int32Array.from(dtype.startsWith('u') ? bytes : new Int8Array(bytes.buffer));
}

function packed(codes: Int32Array, dtype: AffineDtype): Uint8Array {
  const packer = packerOf(dtypeOf(dtype).bits);
  return Buffer.concat([packer.push(codes), packer.end()]);
}

const everyScheme = golden.cases.flatMap((given) =>
  given.schemes.map((expected) => ({
    title: `${expected.dtype} ${expected.symmetric ? 'symmetric' : 'asymmetric'} per ${expected.granularity}: ${given.name}`,
    given,
    expected,
  })),
);

describe("scales, zero points and codes equal onnxruntime's on every element", () => {
  test.each(everyScheme)('$title', ({ given, expected }) => {
    const { shape, axis } = given;
    const source = arraySource(float32Of(given.values), 'float32', 7);
    const { dtype, symmetric, granularity } = expected;
    const pieces: Uint8Array[] = [];
    const result = quantizeTensor({
      name: given.name,
      source,
      shape,
      axis,
      scheme: schemeOf({ dtype, symmetric, granularity }),
      statistics: computeStatistics(source, layoutOf(shape, axis), 16),
      sink: (bytes) => pieces.push(bytes),
    });
    expect(Float32Array.from(result.scale)).toEqual(float32Of(expected.scale));
    expect(result.zeroPoint).toEqual(expected.zeroPoint);
    const codes = unpackedCodes(bytesOf(expected.codes), dtype);
    expect(Buffer.concat(pieces).equals(packed(codes, dtype))).toBe(true);
    expect(result.levelsUsed).toBe(new Set(codes).size);
  });
});

describe("with a range given, scales, zero points and codes equal onnxruntime's", () => {
  const values = float32Of(golden.overrides.values);
  test.each(golden.overrides.schemes)('$dtype, symmetric $symmetric, $low to $high', (expected) => {
    const { dtype, symmetric, low, high } = expected;
    const found = computeScaleZeroPoint(low, high, scaleRange(dtype, symmetric), symmetric);
    expect(Float32Array.of(found.scale)).toEqual(float32Of(expected.scale));
    expect([found.zeroPoint]).toEqual(expected.zeroPoint);
    const parameters = {
      scale: Float64Array.of(found.scale),
      zeroPoint: Int32Array.of(found.zeroPoint),
    };
    const grouping = groupingOf([values.length], null, 'tensor');
    const coder = integerCoder(grouping, parameters, {
      bits: dtypeOf(dtype).bits,
      clip: codesOf(dtype),
      span: scaleRange(dtype, symmetric),
      rounding: 'even',
    });
    const codes = new Int32Array(values.length);
    const clipped = coder.encode(values, 0, codes, new Float64Array(values.length));
    expect(storedBytes(codes, dtype)).toEqual(bytesOf(expected.codes));
    const units = Array.from(values, (value) => Math.fround(value / found.scale) + found.zeroPoint);
    const { qmin, qmax } = codesOf(dtype);
    const beyond = units.filter((unit) => unit < qmin - 0.5 || unit > qmax + 0.5);
    expect(clipped).toBeGreaterThan(0);
    expect(clipped).toBe(beyond.length);
  });
});

describe('scales of ranges at the limits', () => {
  const int8 = scaleRange('int8', false);

  test('a range as wide as float32 has a finite scale, though its width overflows', () => {
    const found = computeScaleZeroPoint(-3e38, 3e38, int8, false);
    expect(found.scale).toBe(Math.fround((2 * Math.fround(3e38)) / 255));
    expect(found.zeroPoint).toBe(0);
  });

  test('an empty or all-zero range has scale 1 and zero point 0, unsigned too', () => {
    expect(computeScaleZeroPoint(0, 0, int8, false)).toEqual({ scale: 1, zeroPoint: 0 });
    const uint8 = scaleRange('uint8', true);
    expect(computeScaleZeroPoint(0, 0, uint8, true)).toEqual({ scale: 1, zeroPoint: 0 });
  });

  test('float16 and bfloat16 scales are rounded in their own type', () => {
    expect(computeScaleZeroPoint(-1, 1, { qmin: -127, qmax: 127 }, true, 'float16').scale).toBe(
      0.00787353515625,
    );
    expect(computeScaleZeroPoint(-1, 1, { qmin: -127, qmax: 127 }, true, 'bfloat16').scale).toBe(
      0.00787353515625,
    );
  });
});

test('the steps to a scale and a zero point are those that lead there', () => {
  const codes = codesOf('uint8');
  expect(scaleSteps(-1, 3, codes, false)).toEqual({
    low: -1,
    high: 3,
    width: 4,
    exactScale: 4 / 255,
    exactZeroPoint: 63.75,
    isTooNarrow: false,
    scale: Math.fround(4 / 255),
    zeroPoint: 64,
  });
  // 0 is always in the range; a symmetric one is as far from it on both sides.
  expect(scaleSteps(2, 3, codes, false)).toMatchObject({ low: 0, high: 3, zeroPoint: 0 });
  expect(scaleSteps(-1, 3, scaleRange('int8', true), true)).toMatchObject({
    low: -3,
    high: 3,
    exactZeroPoint: 0,
  });
  expect(scaleSteps(0, 1e-44, codes, false)).toMatchObject({ isTooNarrow: true, scale: 1 });
});

describe('a scale stored as float16', () => {
  test.each([
    [0.1, 0.0999755859375],
    [1 / 127, 0.00787353515625],
    [-0.1, -0.0999755859375],
    [1, 1],
    [0, 0],
    // Below 2^-14 the next one up: no value is clipped, and no scale becomes 0.
    [2 ** -24, 2 ** -24],
    [2 ** -60, 2 ** -24],
    [1.2 * 2 ** -24, 2 ** -23],
    [65519, 65504],
    [65520, Infinity],
  ])('of %d is %d', (scale, stored) => {
    expect(float16Scale(scale)).toBe(stored);
  });
});

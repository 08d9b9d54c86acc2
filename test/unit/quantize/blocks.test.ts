import { describe, expect, test } from 'vitest';
import { blockAxisOf } from '../../../shared/plan.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { describeSide } from '../../../electron/engine/quantize/detail.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import type { KernelScheme } from '../../../electron/engine/quantize/scheme.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { bytesOf, float32Of, readGolden } from './goldens.ts';
import { schemeOf } from '../../../shared/scheme.ts';

interface GoldenCase {
  readonly name: string;
  readonly shape: number[];
  readonly values: string;
  readonly linear: {
    readonly dtype: 'int8' | 'uint8' | 'int4' | 'uint4';
    readonly symmetric: boolean;
    readonly axis: number;
    readonly block: number;
    readonly scale: string;
    readonly zeroPoint: number[];
    readonly codes: string;
    readonly restored: string;
  }[];
  readonly signed: {
    readonly dtype: 'int4' | 'uint4';
    readonly axis: number;
    readonly block: number;
    readonly range: 'minmax' | 'mse';
    readonly scale: string;
    readonly zeroPoint: number[];
    readonly codes: string;
    readonly restored: string;
  }[];
}

const { cases } = readGolden<{ cases: GoldenCase[] }>('blocks.json');

/** Quantizes in uneven runs; blocks go along the axis beside the channels' one. */
function quantize(given: GoldenCase, scheme: KernelScheme, channelAxis: number) {
  const { name, shape } = given;
  const source = arraySource(float32Of(given.values), 'float32', 23);
  const statistics = computeStatistics(source, layoutOf(shape, channelAxis), 8);
  const pieces: Uint8Array[] = [];
  const input = { name, source, shape, axis: channelAxis, scheme, statistics };
  const result = quantizeTensor({ ...input, sink: (bytes) => pieces.push(bytes) });
  return { input, result, bytes: Buffer.concat(pieces) };
}

const linear = cases.flatMap((given) =>
  given.linear.map((expected) => ({
    title: `${expected.dtype} ${expected.symmetric ? 'symmetric' : 'asymmetric'} along ${expected.axis}: ${given.name}`,
    given,
    expected,
  })),
);

describe("blocks for DequantizeLinear equal onnxruntime's in scale, zero point, code and value", () => {
  test.each(linear)('$title', ({ given, expected }) => {
    const { dtype, symmetric, axis, block } = expected;
    const scheme = schemeOf({ dtype, symmetric, granularity: { block } });
    const { input, result, bytes } = quantize(given, scheme, 1 - axis);
    expect(result.axis).toBe(axis);
    expect(Float32Array.from(result.scale)).toEqual(float32Of(expected.scale));
    expect(result.zeroPoint).toEqual(expected.zeroPoint);
    expect(bytes.equals(bytesOf(expected.codes))).toBe(true);
    const { firstValues } = describeSide(input, 4).side;
    expect(Float32Array.from(firstValues)).toEqual(
      float32Of(expected.restored).subarray(0, firstValues.length),
    );
  });
});

const signed = cases.flatMap((given) =>
  given.signed.map((expected) => ({
    title: `${expected.dtype}, ${expected.range}, along ${expected.axis}: ${given.name}`,
    given,
    expected,
  })),
);

describe('blocks with scales of either sign equal the plain reference, and restore as onnxruntime does', () => {
  test.each(signed)('$title', ({ given, expected }) => {
    const { dtype, axis, block, range } = expected;
    const fields = { dtype, granularity: { block }, range } as const;
    const { input, result, bytes } = quantize(
      given,
      schemeOf({ ...fields, signedScale: true }),
      1 - axis,
    );
    expect(Float32Array.from(result.scale)).toEqual(float32Of(expected.scale));
    expect(result.zeroPoint).toEqual(expected.zeroPoint);
    expect(bytes.equals(bytesOf(expected.codes))).toBe(true);
    const { firstValues } = describeSide(input, 4).side;
    const restored = float32Of(expected.restored).subarray(0, firstValues.length);
    // -0 of a negative scale is the 0 that its code stands for.
    expect(Float32Array.from(firstValues)).toEqual(restored.map((each) => each + 0));
    const plain = quantize(given, schemeOf({ ...fields, range: 'minmax' }), 1 - axis).result;
    expect(result.noise).toBeLessThanOrEqual(plain.noise);
  });
});

test('blocks run along the axis that is summed over, beside the channels', () => {
  expect(blockAxisOf([64, 32], 1)).toBe(0);
  expect(blockAxisOf([32, 64], 0)).toBe(1);
  expect(blockAxisOf([8, 16, 3, 3], 0)).toBe(1);
  expect(blockAxisOf([4, 64, 32], 2)).toBe(1);
  expect(blockAxisOf([7], 0)).toBe(0);
  // An LSTM's [directions, 4 hidden, inputs], and a ConvTranspose's [in, out, width].
  expect(blockAxisOf([1, 64, 32], 1)).toBe(2);
  // 512 experts with 512 inputs each.
  expect(blockAxisOf([512, 2048, 512], 1)).toBe(2);
  expect(blockAxisOf([16, 32, 3], 1)).toBe(0);
});

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CASTS } from '../../../electron/engine/quantize/casts.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { encodeSmallFloat } from '../../../shared/small-float.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { bytesOf, float32Of, readGolden } from './goldens.ts';

interface Golden {
  readonly widened: string;
  readonly edges: string;
  readonly ties: string;
  readonly fromTies: string;
  readonly scatteredSha256: string;
}

const golden = readGolden<{ edges: string; float8_e4m3fn: Golden; float8_e5m2: Golden }>(
  'float8.json',
);

describe.each(['float8_e4m3fn', 'float8_e5m2'] as const)('%s', (dtype) => {
  const { format, decode } = CASTS[dtype];
  const expected = golden[dtype];
  const encode = (values: Float32Array): Uint8Array =>
    Uint8Array.from(values, (value) => encodeSmallFloat(value, format));

  test('all 256 patterns widen as in ml_dtypes, the sign of zero kept', () => {
    const widened = Float32Array.from({ length: 256 }, (_, bits) => decode(bits));
    expect(widened).toEqual(float32Of(expected.widened));
  });

  test('overflow and infinity saturate, subnormals and ties are exact, NaN stays NaN', () => {
    expect(encode(float32Of(golden.edges))).toEqual(bytesOf(expected.edges));
    expect(encode(float32Of(expected.ties))).toEqual(bytesOf(expected.fromTies));
  });

  test('float32 patterns from all over the range narrow as in ml_dtypes and onnxruntime', () => {
    const patterns = Uint32Array.from({ length: 65536 }, (_, index) => (index * 65537) % 2 ** 32);
    const codes = encode(new Float32Array(patterns.buffer));
    expect(createHash('sha256').update(codes).digest('hex')).toBe(expected.scatteredSha256);
  });
});

test('values that saturate are counted as clipped, those that round down to the largest are not', () => {
  const values = Float32Array.of(448, 464, 464.00003, -1e30, 1);
  const source = arraySource(values);
  const result = quantizeTensor({
    name: 'w',
    source,
    shape: [5],
    axis: null,
    scheme: { kind: 'cast', dtype: 'float8_e4m3fn' },
    statistics: computeStatistics(source, null, 4),
  });
  expect(result.clipped).toBe(2);
  expect(result.maxAbsError).toBe(Math.fround(1e30) - 448);
});

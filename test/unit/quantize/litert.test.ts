import { describe, expect, test } from 'vitest';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { defaultOf } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import { bytesOf, float32Of, readGolden } from './goldens.ts';

const { cases } = readGolden<{
  cases: {
    name: string;
    shape: number[];
    axis: number;
    values: string;
    scale: string;
    codes: string;
  }[];
}>('litert_weights.json');

describe("the litert-dynamic preset gives the scales and codes of LiteRT's converter", () => {
  test.each(cases)('$name', ({ name, shape, axis, values, scale, codes }) => {
    const source = arraySource(float32Of(values), 'float32', 77);
    const pieces: Uint8Array[] = [];
    const result = quantizeTensor({
      name,
      source,
      shape,
      axis,
      scheme: defaultOf(findPreset('litert-dynamic')!)!,
      statistics: computeStatistics(source, layoutOf(shape, axis), 4),
      sink: (bytes) => pieces.push(bytes),
    });
    expect(Float32Array.from(result.scale)).toEqual(float32Of(scale));
    expect(Array.from(result.zeroPoint).every((zeroPoint) => zeroPoint === 0)).toBe(true);
    expect(Buffer.concat(pieces).equals(bytesOf(codes))).toBe(true);
  });
});

test('the litert-int4 preset divides by 7 and leaves -8 out, as LiteRT has it', () => {
  const [{ values, shape, axis }] = cases.filter(({ name }) => name === 'FULLY_CONNECTED') as [
    (typeof cases)[number],
  ];
  const weights = float32Of(values);
  const source = arraySource(weights, 'float32', 77);
  const pieces: Uint8Array[] = [];
  const result = quantizeTensor({
    name: 'weights',
    source,
    shape,
    axis,
    scheme: defaultOf(findPreset('litert-int4')!)!,
    statistics: computeStatistics(source, layoutOf(shape, axis), 4),
    sink: (bytes) => pieces.push(bytes),
  });
  const packed = Buffer.concat(pieces);
  const codes = Array.from(
    weights,
    (_, index) => (packed[index >> 1]! << (index % 2 === 0 ? 28 : 24)) >> 28,
  );
  const width = weights.length / shape[axis]!;
  for (let channel = 0; channel < shape[axis]!; channel++) {
    const row = weights.subarray(channel * width, (channel + 1) * width);
    const most = row.reduce((largest, value) => Math.max(largest, Math.abs(value)), 5e-7);
    expect(result.scale[channel]).toBe(Math.fround(Math.fround(most) / 7));
    for (const [at, value] of row.entries()) {
      const code = codes[channel * width + at]!;
      expect(Math.abs(code)).toBeLessThanOrEqual(7);
      expect(Math.abs(code - value / result.scale[channel]!)).toBeLessThanOrEqual(0.500001);
    }
  }
});

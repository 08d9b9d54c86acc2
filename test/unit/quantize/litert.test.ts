import { describe, expect, test } from 'vitest';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { findPreset } from '../../../shared/recipe.ts';
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
      scheme: findPreset('litert-dynamic')!.default!,
      statistics: computeStatistics(source, layoutOf(shape, axis), 4),
      sink: (bytes) => pieces.push(bytes),
    });
    expect(Float32Array.from(result.scale)).toEqual(float32Of(scale));
    expect(result.zeroPoint.every((zeroPoint) => zeroPoint === 0)).toBe(true);
    expect(Buffer.concat(pieces).equals(bytesOf(codes))).toBe(true);
  });
});

import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import { schemeOf, type SchemeFields } from '../../../shared/scheme.ts';
import { fitLitert } from '../../../electron/engine/formats/litert/fit/fit.ts';
import type { LitertTensor } from '../../../electron/engine/formats/litert/read/tensors.ts';

const weight = {
  ref: { dtype: 'float32', shape: [64, 64], axis: 0, elements: 4096, bytes: 16384 },
  stored: [],
} as unknown as LitertTensor;

describe('LiteRT does not store a scheme with the reason', () => {
  test.each<[string, Partial<SchemeFields>, Partial<LitertTensor['ref']>, ExportMode]>([
    ['the float mode stores float types only, not int8', {}, {}, 'float'],
    ["LiteRT's DEQUANTIZE takes no uint16", { dtype: 'uint16' }, {}, 'qdq'],
    [
      "LiteRT's DEQUANTIZE takes one scale a tensor or a channel, not blocks",
      { granularity: { block: 32 } },
      {},
      'qdq',
    ],
    [
      "LiteRT's int16 has zero point 0, so it is symmetric only",
      { dtype: 'int16', symmetric: false },
      {},
      'qdq',
    ],
    ["LiteRT's DEQUANTIZE restores float32, which float64 is not", {}, { dtype: 'float64' }, 'qdq'],
    [
      'with its scales it would grow from 16 to 60 bytes of the file',
      {},
      { shape: [4, 1], elements: 4, bytes: 16 },
      'qdq',
    ],
  ])('%s', (refused, changes, ref, mode) => {
    const tensor = { ...weight, ref: { ...weight.ref, ...ref } };
    expect(fitLitert(tensor, schemeOf(changes), mode)).toEqual({ refused });
  });
});

import { describe, expect, test } from 'vitest';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import { schemeOf, type SchemeFields } from '../../../shared/scheme.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { searchedRanges } from '../../../electron/engine/quantize/detail.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { plainPasses } from '../../../electron/engine/kernels/reference/plain-passes.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';

const values = Float32Array.of(-4, -1, 0, 0.25, 0.5, 1, 2, 8);
const source = plainPasses(arraySource(values));
const statistics = computeStatistics(source, layoutOf([2, 4], 0), 4);
const byHand: SchemeFields = {
  dtype: 'int8',
  symmetric: true,
  granularity: 'tensor',
  range: { clip: [-1, 1] },
};
const quantize = (fields: SchemeFields) => {
  const scheme = schemeOf(fields);
  return quantizeTensor({ name: 'w', source, shape: [2, 4], axis: 0, scheme, statistics });
};

describe('a range that is set by hand', () => {
  test('is the range of the tensor, and what lies outside is clipped', () => {
    const { scale, clipped, maxAbsError } = quantize(byHand);
    expect(scale).toEqual([Math.fround(1 / 127)]);
    expect(clipped).toBe(3);
    expect(maxAbsError).toBeCloseTo(7, 5);
  });

  test('asymmetric, has both its ends', () => {
    const { scale, zeroPoint } = quantize({
      ...byHand,
      symmetric: false,
      range: { clip: [-1, 3] },
    });
    expect(scale).toEqual([Math.fround(4 / 255)]);
    expect(zeroPoint).toEqual([-64]);
  });

  test('cuts the ranges of channels, and widens none', () => {
    const { scale } = quantize({ ...byHand, granularity: 'channel', range: { clip: [-2, 2] } });
    expect(scale).toEqual([Math.fround(2 / 127), Math.fround(2 / 127)]);
    const wide = quantize({ ...byHand, granularity: 'channel', range: { clip: [-100, 100] } });
    expect(wide.scale).toEqual([Math.fround(4 / 127), Math.fround(8 / 127)]);
  });

  test('is a field of a recipe file, its ends in order', () => {
    const recipe = { version: 1, name: 'x', default: byHand };
    expect(parseRecipe(recipe).default).toEqual(byHand);
    const turned = { ...recipe, default: { ...byHand, range: { clip: [1, -1] } } };
    expect(() => parseRecipe(turned)).toThrow(/default\.range/);
  });
});

test('the ranges of the searching methods are those that a scheme of theirs would use', () => {
  for (const candidate of searchedRanges(source, statistics, schemeOf(byHand))) {
    const range = candidate.method as 'mse' | 'entropy';
    const { scale } = quantize({ ...byHand, range });
    const limit = Math.max(candidate.hi, -candidate.lo);
    expect(scale[0]).toBe(Math.fround(limit / 127));
  }
});

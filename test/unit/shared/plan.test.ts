import { describe, expect, test } from 'vitest';
import type { TensorRef } from '../../../shared/model.ts';
import { planWeights, type PlannedTensor } from '../../../shared/plan.ts';
import type { Recipe, Rule } from '../../../shared/recipe.ts';
import { BASE_SCHEME, schemeOf, type SchemeFields } from '../../../shared/scheme.ts';
import type { Statistics } from '../../../shared/report.ts';
import { fitPlan } from '../../../electron/engine/export/fit-plan.ts';
import type { Layout } from '../../../electron/engine/export/layout.ts';
import { noGain } from '../../../electron/engine/formats/no-gain.ts';
import { nonFiniteReason, overflowReason, reportOf } from '../../../electron/engine/reports.ts';

const weight: PlannedTensor = {
  ...{ id: 0, name: 'w', dtype: 'float32', shape: [64, 64], elements: 4096, bytes: 16384 },
  ...{ layer: 'fc', op: 'MatMul', role: 'weight', axis: 1, quantization: null },
};

function recipe(
  scheme: Partial<SchemeFields> | null,
  rules: readonly Rule[] = [],
  minElements = 0,
): Recipe {
  const wanted = scheme === null ? null : { ...BASE_SCHEME, ...scheme };
  return { version: 1, name: 'r', default: wanted, minElements, rules };
}

const int8 = recipe({});

describe('a recipe keeps a tensor with the reason', () => {
  test.each<[string, Partial<PlannedTensor>, Recipe]>([
    ['kept by a rule', {}, recipe({}, [{ match: { name: '^w$' }, scheme: null }])],
    ['the recipe keeps every tensor', {}, recipe(null)],
    [
      'the recipe keeps every tensor that none of its rules matches',
      ...([{}, recipe(null, [{ match: { name: '^other$' }, scheme: {} }])] as const),
    ],
    ['under 5000 elements, the minimum size of the recipe', {}, recipe({}, [], 5000)],
    ['stored in float16 already', { dtype: 'float16', bytes: 8192 }, recipe({ dtype: 'float16' })],
    [
      'int8 with its scales needs 5 bytes, and the tensor has 4',
      { shape: [1, 1], elements: 1, bytes: 4 },
      recipe({ dtype: 'int8', granularity: 'tensor', symmetric: true }),
    ],
    ['belongs to a quantized weight', { fixed: 'belongs to a quantized weight' }, int8],
    [
      'quantized already, int8',
      { dtype: 'int8', quantization: { scale: [1], zeroPoint: [0], axis: null, blockSize: null } },
      int8,
    ],
    ['has no elements', { shape: [0, 64], elements: 0, bytes: 0 }, int8],
    ['int64, not a float tensor', { dtype: 'int64' }, int8],
    ['a bias, added at full precision', { role: 'bias' }, int8],
    ['a normalization parameter', { role: 'norm' }, int8],
    ['a constant, not a weight', { role: 'constant' }, int8],
    ['not known to be a weight', { role: 'other' }, int8],
    [
      'float8_e4m3fn weights are not read for quantization',
      { dtype: 'float8_e4m3fn', bytes: 4096 },
      int8,
    ],
  ])('%s', (reason, changes, wanted) => {
    const [entry] = planWeights([{ ...weight, ...changes }], wanted);
    const byRule = reason === 'kept by a rule';
    expect(entry).toEqual({
      tensor: 0,
      scheme: null,
      reason,
      byRule,
    });
  });
});

describe('a recipe changes the scheme with the reason', () => {
  test('per tensor where there is no channel axis', () => {
    expect(planWeights([{ ...weight, axis: null }], int8)[0]).toMatchObject({
      scheme: { granularity: 'tensor' },
      reason: 'per tensor: MatMul defines no channel axis here',
    });
  });

  test("the model's own codes", () => {
    const own = { scale: [0.5], zeroPoint: [3], axis: null, blockSize: null } as const;
    const quantization = { ...own, pending: 'uint8' } as const;
    expect(planWeights([{ ...weight, quantization }], int8)[0]).toMatchObject({
      scheme: { dtype: 'uint8', symmetric: false, granularity: 'tensor' },
      reason: "stored as the codes that the model's own QuantizeLinear makes of it",
    });
  });
});

describe('an export mode keeps a tensor with the reason', () => {
  const layout: Layout = { pieces: [], beside: [], bytes: 0, quantized: [], refused: [] };
  const fitted = (wanted: Recipe) => fitPlan(planWeights([weight], wanted), layout)[0];

  test('not stored by this export mode', () => {
    expect(fitted(int8)).toMatchObject({ scheme: null, reason: 'not stored by this export mode' });
  });

  test('shown only, where the type has 32 bits', () => {
    expect(fitted(recipe({ dtype: 'q31', granularity: 'tensor' }))).toMatchObject({
      scheme: { dtype: 'q31' },
      reason: 'shown only, as an export keeps it: not stored by this export mode',
    });
  });

  test('it would save no bytes', () => {
    expect(noGain(100, 100)).toBe('would stay at 100 bytes');
    expect(noGain(100, 120)).toBe('would grow from 100 to 120 bytes');
  });
});

test('a tensor without a measurement is reported as kept', () => {
  const [entry] = planWeights([weight], int8);
  expect(reportOf(weight as TensorRef, entry!, null, null, null)).toMatchObject({
    quantized: false,
    reason: 'not measured',
  });
});

test('values that a scheme cannot hold are the reason', () => {
  const statistics = { nans: 1, infinities: 2, firstNonFinite: 7, absMax: 1e6 } as Statistics;
  expect(nonFiniteReason(statistics)).toBe(
    'holds 3 NaN or infinite values, the first at index 7, which no integer stands for',
  );
  const cast = schemeOf({ dtype: 'float16' });
  expect(overflowReason(cast, statistics)).toBe('holds values over 65504, the largest of float16');
});

import { describe, expect, test } from 'vitest';
import {
  byOutputs,
  curveOf,
  lossBetween,
  planWithin,
  totalOfChoice,
  type Budget,
  type BudgetName,
  type BudgetSums,
} from '../../../shared/budget-plan.ts';
import { planWeights } from '../../../shared/plan.ts';
import { findPreset } from '../../../shared/presets.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { schemeOf, type Scheme } from '../../../shared/scheme.ts';
import { randomValues } from '../../helpers/onnx-model.ts';

const SCHEMES: readonly (Scheme | null)[] = [
  null,
  schemeOf({ dtype: 'int4', granularity: { block: 32 } }),
  schemeOf({ dtype: 'int8' }),
  schemeOf({ dtype: 'int16' }),
];
const BITS = [32, 4.5, 8.1, 16.1];
const NOISE = [0, 1e-2, 1e-4, 1e-9];

function sums(elements: number, way: number, spread: number): BudgetSums {
  const isKept = SCHEMES[way] === null;
  return {
    bytesBefore: elements * 4,
    bytesAfter: Math.ceil((elements * BITS[way]!) / 8),
    quantized: isKept ? 0 : 1,
    kept: isKept ? 1 : 0,
    elements: isKept ? 0 : elements,
    signal: isKept ? 0 : elements,
    noise: isKept ? 0 : elements * NOISE[way]! * spread,
  };
}

function budgetOf(count: number, seed: number): Budget {
  const values = randomValues(count * 2, seed);
  const names = Array.from({ length: count }, (_, at): BudgetName => {
    const elements = 2000 + Math.round((values[at]! + 1) * 50_000);
    const spread = 10 ** (values[count + at]! * 2);
    const options = SCHEMES.map((scheme, way) => ({ scheme, sums: sums(elements, way, spread) }));
    return { name: `layer.${at}`, tensors: [at], options, base: SCHEMES[1] ?? null };
  });
  return { base: findPreset('int8')!, names, fixed: sums(500, 0, 1), unused: [] };
}

/** Every choice of options there is. */
function* choices(count: number): Generator<number[]> {
  for (let code = 0; code < SCHEMES.length ** count; code++)
    yield Array.from(
      { length: count },
      (_, at) => Math.floor(code / SCHEMES.length ** at) % SCHEMES.length,
    );
}

describe('a plan', () => {
  test.each([1, 2, 3])('of few layers is within 2 % of the best of all, seed %i', (seed) => {
    const budget = budgetOf(5, seed);
    const all = [...choices(5)].map((chosen) => totalOfChoice(budget, chosen));
    for (const share of [0.2, 0.3, 0.5, 0.8]) {
      const maxBytes = Math.round(all[0]!.bytesBefore * share);
      const noiseOf = ({ mse, quantized }: (typeof all)[number], chosen: number): number =>
        quantized === 0 ? 0 : mse! * chosen;
      const plan = planWithin(budget, { maxBytes });
      expect(plan.meets).toBe(true);
      const elements = (chosen: readonly number[]): number =>
        chosen.reduce((sum, way, at) => sum + budget.names[at]!.options[way]!.sums.elements, 0);
      const best = Math.min(
        ...[...choices(5)]
          .map((chosen, at) => ({ total: all[at]!, noise: noiseOf(all[at]!, elements(chosen)) }))
          .filter(({ total }) => total.bytesAfter <= maxBytes)
          .map(({ noise }) => noise),
      );
      expect(noiseOf(plan.total, elements(plan.chosen))).toBeLessThanOrEqual(best * 1.02 + 1e-12);
    }
  });

  test('says of all but weights what the recipe says', () => {
    const sine = { op: 'Sin' };
    const base: Recipe = {
      ...findPreset('static-int8')!,
      accuracyLevel: 4,
      dropMetadata: true,
      prepare: true,
      calibration: { images: { mean: [0, 0, 0] } },
      rules: [{ match: sine, scheme: null, activations: null }],
    };
    const { recipe } = planWithin({ ...budgetOf(3, 1), base }, { minSqnrDb: 30 });
    const [first, ...rules] = recipe.rules;
    expect(first).toEqual({ match: sine, activations: null });
    expect(rules.map(({ activations }) => activations)).toEqual(rules.map(() => undefined));
    expect(recipe).toEqual({ ...base, name: 'budget', default: null, rules: recipe.rules });
  });

  test('keeps at least so many dB in few bytes, and its recipe says the same of every layer', () => {
    const budget = budgetOf(30, 7);
    const plan = planWithin(budget, { minSqnrDb: 40 });
    expect(plan.meets).toBe(true);
    expect(plan.total.sqnrDb).toBeGreaterThanOrEqual(40);
    const tensors = budget.names.map(({ name }, id) => ({
      id,
      name,
      dtype: 'float32' as const,
      shape: [100, 1000],
      elements: 100_000,
      bytes: 400_000,
      layer: name,
      op: 'MatMul',
      role: 'weight' as const,
      axis: 1,
      quantization: null,
    }));
    for (const { tensor, scheme } of planWeights(tensors, plan.recipe))
      expect(scheme).toEqual(budget.names[tensor]!.options[plan.chosen[tensor]!]!.scheme);
  });

  test('that nothing reaches comes as near as can be, and says so', () => {
    const budget = budgetOf(4, 3);
    const plan = planWithin(budget, { maxBytes: 100 });
    expect(plan.meets).toBe(false);
    expect(plan.chosen).toEqual([1, 1, 1, 1]);
  });
});

test('the curve rises in both, and each of its points is reached by the plan of as many bytes', () => {
  const budget = budgetOf(40, 11);
  const curve = curveOf(budget);
  expect(curve.length).toBeGreaterThan(40);
  for (const [at, { bytes, sqnrDb }] of curve.entries()) {
    if (at > 0) {
      expect(bytes).toBeGreaterThan(curve[at - 1]!.bytes);
      expect(sqnrDb!).toBeGreaterThan(curve[at - 1]!.sqnrDb!);
    }
    const { total } = planWithin(budget, { maxBytes: bytes });
    expect(total.bytesAfter).toBeLessThanOrEqual(bytes);
  }
});

test('the curve by outputs ends where some layer is quantized: without any, rounding alone is left', () => {
  const budget = budgetOf(40, 11);
  const losses = new Map(
    budget.names.map(({ name }, at) => [name, (own: number) => own * 1e-4 * (1 + (at % 7))]),
  );
  const curve = curveOf(byOutputs(budget, losses));
  const all = budget.names.reduce((sum, { options }) => sum + options[0]!.sums.bytesAfter, 0);
  expect(curve.at(-1)!.bytes).toBeLessThan(all + budget.fixed.bytesAfter);
  expect(curve.length).toBeGreaterThan(40);
});

test('what the outputs lose is interpolated between two points by logarithms, and carried on outside of them', () => {
  const loss = lossBetween({ own: 1, noise: 0.1 }, { own: 0.01, noise: 1e-6 });
  expect([1, 0.01].map(loss)).toEqual([0.1, 1e-6]);
  // Half the decibels of both.
  expect(loss(0.1)).toBeCloseTo(Math.sqrt(0.1 * 1e-6), 12);
  expect(loss(2)).toBeCloseTo(0.2, 12);
  expect(loss(0.001)).toBeCloseTo(1e-7, 15);
  expect(loss(0)).toBe(0);
});

test.each([null, { own: 0.01, noise: 0 }, { own: 3, noise: 0.2 }])(
  'where a finer point says nothing (%j) what the outputs lose grows with the noise of the weight',
  (fine) => {
    const loss = lossBetween({ own: 2, noise: 0.1 }, fine);
    expect([0, 1, 4].map(loss)).toEqual([0, 0.05, 0.2]);
  },
);

test('a weight that no scheme changes costs the outputs nothing', () => {
  expect(lossBetween({ own: 0, noise: 0 }, null)(1)).toBe(0);
});

import { expect, test } from 'vitest';
import { plannedOnce } from '../../../../renderer/state/plans.ts';
import { firstRow } from '../../../../renderer/state/table.ts';
import type { ModelSummary } from '../../../../shared/protocol.ts';
import type { Recipe, Rule } from '../../../../shared/recipe.ts';
import { findPreset } from '../../../../shared/presets.ts';
import { cpuMilliseconds } from '../../../helpers/cpu.ts';
import { tensor } from '../tensors.ts';

const int8 = findPreset('int8')!;

/** Rules that take longer than planning may. */
const slow: Recipe = {
  ...int8,
  rules: Array.from({ length: 200 }, (): Rule => ({
    match: { name: 'a[ab]{12}[cd]' },
    scheme: null,
  })),
};
const tensors = Array.from({ length: 2000 }, (_, id) =>
  tensor(id, { name: `${'a'.repeat(1000)}${id}`, ...(id === 0 ? { role: 'bias' } : {}) }),
);
const model = { tensors } as unknown as ModelSummary;

test('a recipe is planned once for a model, and anew for another recipe or model', () => {
  const plan = plannedOnce(tensors, int8);
  expect(plannedOnce(tensors, int8)).toBe(plan);
  expect(plannedOnce(tensors, { ...int8 })).not.toBe(plan);
  expect(plannedOnce([...tensors], int8)).not.toBe(plan);
  expect(firstRow(model, int8)).toBe(1);
});

test('rules that take too long are given up within a moment, once, and leave a row to show', () => {
  const tooLong = expect.objectContaining({ code: 'LIMIT' }) as Error;
  const first = cpuMilliseconds(() => {
    expect(() => plannedOnce(tensors, slow)).toThrow(tooLong);
  });
  expect(first).toBeLessThan(500);
  const again = cpuMilliseconds(() => {
    expect(() => plannedOnce(tensors, slow)).toThrow(tooLong);
    expect(firstRow(model, slow)).toBe(1);
  });
  expect(again).toBeLessThan(200);
});

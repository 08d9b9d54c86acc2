import { expect, test } from 'vitest';
import {
  withActivationRange,
  withActivations,
  withEqualization,
  withImages,
} from '../../../../renderer/state/activation-rules.ts';
import { overriddenNames, withOverrides } from '../../../../renderer/state/overrides.ts';
import { differingFields, sameRecipe } from '../../../../renderer/state/recipes.ts';
import { equalizationWord, presetOf } from '../../../../renderer/format/schemes.ts';
import { BASE_ACTIVATIONS, withBorder } from '../../../../shared/recipe.ts';
import { parseRecipe } from '../../../../shared/recipe-file.ts';
import { findPreset } from '../../../../shared/presets.ts';
import { isIdle } from '../../../../shared/rules.ts';

const int8 = findPreset('int8')!;

test('a change of the activations starts from those that stand in, and makes the recipe its own', () => {
  const changed = withActivations(int8, { dtype: 'int8' });
  expect(changed.activations).toEqual({ ...BASE_ACTIVATIONS, dtype: 'int8' });
  expect([...differingFields(int8, changed)]).toEqual(['activations']);
  expect(presetOf(changed)).toBeUndefined();
  expect(presetOf(withActivations(changed, { dtype: 'uint8' }))).toBeDefined();
});

test('equalized weights make the recipe its own, and are told with the activations', () => {
  const changed = withEqualization(int8, 'byOutputs');
  expect(parseRecipe(JSON.parse(JSON.stringify(changed)))).toEqual(changed);
  expect([...differingFields(int8, changed)]).toEqual(['activations']);
  expect(sameRecipe(int8, changed)).toBe(false);
  expect(presetOf(changed)).toBeUndefined();
  expect(presetOf(withEqualization(changed, undefined))).toEqual(int8);
  const best = findPreset('static-int8-best')!;
  expect(presetOf(best)).toEqual(best);
  expect([best, withEqualization(best, true), int8].map(equalizationWord)).toEqual([
    ...['weights equalized where best for outputs', 'weights equalized', ''],
  ]);
  expect(() => parseRecipe({ ...int8, equalize: 'often' })).toThrow(/equalize/);
});

test("the range of an operator's output is one rule of activations, which the next range replaces", () => {
  const first = withActivationRange(int8, 'p2o.Conv.1', 'mse');
  expect(first.rules).toEqual([
    { match: { name: '^p2o\\.Conv\\.1$' }, activations: { range: 'mse' } },
  ]);
  const second = withActivationRange(first, 'p2o.Conv.1', { clip: [-1, 2] });
  expect(second.rules).toHaveLength(1);
  expect(second.rules[0]!.activations).toEqual({ range: { clip: [-1, 2] } });
  expect(parseRecipe(JSON.parse(JSON.stringify(second)))).toEqual(second);
  expect(withActivationRange(second, 'other', 'mse').rules).toHaveLength(2);
});

test('a rule of activations is no override of a tensor and never idle', () => {
  const { rules } = withActivationRange(int8, 'conv', 'mse');
  expect(overriddenNames(rules[0]!)).toBeNull();
  expect(isIdle(rules[0]!, 0)).toBe(false);
  const recipe = { ...int8, rules };
  expect(withOverrides(recipe, ['conv'], undefined).rules).toEqual(rules);
});

test('how pictures become inputs is kept in the recipe, and what is not set stays guessed', () => {
  const cropped = withImages(int8, { resize: 'cover' });
  expect(withImages(cropped, { channels: 'BGR' }).calibration).toEqual({
    images: { resize: 'cover', channels: 'BGR' },
  });
  // Otherwise the history would take the change for none.
  expect(sameRecipe(int8, cropped)).toBe(false);
  expect(sameRecipe(int8, { ...int8, accuracyLevel: 4 })).toBe(false);
  expect(sameRecipe(int8, withBorder(int8, 'uint8'))).toBe(false);
  expect(withBorder({ ...int8, activations: null }, 'int8').activations).toBeNull();
});

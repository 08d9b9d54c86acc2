import { expect, test } from 'vitest';
import { findPreset, parseRecipe } from '../../../shared/recipe.ts';

const int8 = findPreset('int8')!;
const { dtype, ...rest } = int8.default!;

test.each<[string, unknown, RegExp]>([
  ['of the recipe', { ...int8, minElement: 5 }, /minElement: .*expected minElements\)/],
  [
    'of a scheme',
    { ...int8, default: { ...rest, dtyp: dtype } },
    /default\.dtyp: .*expected dtype\)/,
  ],
  [
    'of a rule',
    { ...int8, rules: [{ match: {}, scheme: { Symetric: true } }] },
    /rules\.0\.scheme\.Symetric: .*expected symmetric\)/,
  ],
  ['that is like none', { ...int8, colour: 1 }, /colour: a recipe has no such field$/],
])('a misspelt field %s is named, with the nearest one there is', (_, recipe, message) => {
  expect(() => parseRecipe(recipe)).toThrow(message);
});

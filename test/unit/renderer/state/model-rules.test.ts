import { expect, test } from 'vitest';
import { ModelRules } from '../../../../renderer/state/model-rules.ts';
import { withOverrides } from '../../../../renderer/state/overrides.ts';
import { firstRecipes } from '../../../../renderer/state/recipes.ts';
import type { ModelSummary } from '../../../../shared/protocol.ts';
import { parseRecipe } from '../../../../shared/recipe-file.ts';
import { tensor } from '../tensors.ts';

const model = { fileBytes: 100, tensors: [tensor(0)] } as unknown as ModelSummary;
const { a, b } = firstRecipes();
const ofFile = { match: { op: 'Gather' }, scheme: null };

test('rules made for a model stay for it alone; those of a recipe file stay for any', () => {
  const rules = new ModelRules();
  rules.keep([ofFile]);
  rules.belongTo('one.onnx', model);
  const recipe = withOverrides({ ...a, rules: [ofFile] }, ['w0'], null);
  expect(recipe.rules).toHaveLength(2);
  expect(rules.belongTo('one.onnx', model)).toBe(true);
  expect(rules.belongTo('two.onnx', model)).toBe(false);
  expect(rules.belongTo('two.onnx', { ...model, fileBytes: 101 })).toBe(false);
  expect(rules.without(recipe).rules).toEqual([ofFile]);
});

test('settings keep which rules are whose through a restart', () => {
  const before = new ModelRules();
  before.keep([ofFile]);
  before.belongTo('one.onnx', model);
  const recipe = withOverrides({ ...a, rules: [ofFile] }, ['w0'], null);
  const stored: unknown = JSON.parse(JSON.stringify(before.stored({ a: recipe, b })));
  const read = parseRecipe(JSON.parse(JSON.stringify(recipe)));
  const after = new ModelRules();
  after.restore({ a: read, b }, stored);
  expect(after.without(read).rules).toEqual([ofFile]);
  expect(after.belongTo('one.onnx', model)).toBe(true);
  after.restore({ a: read, b }, 'nonsense');
});

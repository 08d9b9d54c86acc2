import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  record,
  redo,
  redoable,
  startHistory,
  undo,
  undoable,
} from '../../../../renderer/state/history.ts';
import { overriddenNames, withOverrides } from '../../../../renderer/state/overrides.ts';
import {
  differingFields,
  firstRecipes,
  withDefault,
  withMinElements,
} from '../../../../renderer/state/recipes.ts';
import { exactPattern } from '../../../../shared/patterns.ts';
import { planWeights } from '../../../../shared/plan.ts';
import type { Rule } from '../../../../shared/recipe.ts';
import { parseRecipe } from '../../../../shared/recipe-file.ts';
import { isIdle } from '../../../../shared/rules.ts';
import { tensor } from '../tensors.ts';

const { a, b } = firstRecipes();

test('the first recipes differ in dtype, symmetry and granularity', () => {
  expect([...differingFields(a, b)]).toEqual(['dtype', 'symmetry', 'granularity']);
  expect(differingFields(a, a).size).toBe(0);
});

test('fields that say nothing of a dtype do not differ, and do not hide a preset', () => {
  const q7 = withDefault(b, { dtype: 'q7' });
  expect([...differingFields(a, q7)]).toEqual(['dtype']);
  const shifted = withDefault(q7, { powerOfTwo: true });
  expect([...differingFields(a, shifted)]).toEqual(['dtype', 'symmetry', 'granularity']);
  expect([...differingFields(a, withDefault(b, { dtype: 'float16' }))]).toEqual(['dtype']);
  expect([...differingFields(a, withDefault(b, null))]).toEqual(['dtype']);
  expect(q7.name).toBe('q7');
});

test('an edited recipe is named custom, and has its name again when edited back', () => {
  const edited = withMinElements(a, 5);
  expect(edited.name).toBe('custom');
  expect(withMinElements(edited, a.minElements).name).toBe('int8');
  expect(withDefault(a, null).default).toBeNull();
  expect(withDefault(withDefault(a, null), { dtype: 'uint8' }).default?.dtype).toBe('uint8');
});

test('the pattern of a name matches that name and no other', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (name, other) => {
      const pattern = new RegExp(exactPattern(name), 'u');
      expect(pattern.test(name)).toBe(true);
      expect(pattern.test(other)).toBe(name === other);
      expect(overriddenNames({ match: { name: exactPattern(name) }, scheme: null })).toEqual([
        name,
      ]);
    }),
  );
});

test('a rule with a pattern of its own, an op or a role is no override', () => {
  for (const match of [{ name: '^head\\.' }, { name: '^a.$' }, { name: '^\\d$' }, { op: 'Conv' }])
    expect(overriddenNames({ match, scheme: null })).toBeNull();
  expect(overriddenNames({ match: { name: '^a$', op: 'Conv' }, scheme: null })).toBeNull();
});

test('an override decides for its layers alone, is replaced by the next, and can be taken away', () => {
  const tensors = [tensor(0), tensor(1, { name: 'a|b/(x)' }), tensor(2)];
  const once = withOverrides(a, ['a|b/(x)', 'w2'], { dtype: 'float16' });
  expect(planWeights(tensors, once).map((plan) => plan.scheme?.dtype)).toEqual([
    'int8',
    'float16',
    'float16',
  ]);
  const twice = withOverrides(once, ['w2'], null);
  expect(twice.rules).toHaveLength(2);
  expect(planWeights(tensors, twice)[2]).toMatchObject({ scheme: null, byRule: true });
  expect(withOverrides(twice, ['w2', 'a|b/(x)'], undefined).rules).toEqual([]);
});

test('overrides of thousands of layers fit into few rules that parse, and shrink layer by layer', () => {
  const tensors = Array.from({ length: 2000 }, (_, id) => tensor(id, { name: `block.${id}/w|x` }));
  const names = tensors.map(({ name }) => name);
  const recipe = parseRecipe(withOverrides(a, names, { dtype: 'float16' }));
  expect(recipe.rules.length).toBeLessThan(20);
  expect(planWeights(tensors, recipe).every(({ scheme }) => scheme?.dtype === 'float16')).toBe(
    true,
  );
  expect(recipe.rules.flatMap((rule) => overriddenNames(rule))).toEqual(names);
  const fewer = withOverrides(recipe, names.slice(0, 1999), undefined);
  expect(fewer.rules).toEqual([
    { match: { name: exactPattern(names[1999]!) }, scheme: { dtype: 'float16' } },
  ]);
});

test('a rule that matches nothing is idle unless it keeps an operator or was not counted', () => {
  const named: Rule = { match: { name: '^w1$' }, scheme: null };
  expect([0, 1, null].map((count) => isIdle(named, count))).toEqual([true, false, false]);
  expect(isIdle({ match: { op: 'Softmax' }, scheme: null }, 0)).toBe(false);
  expect(isIdle({ match: { op: 'Conv' }, scheme: { dtype: 'int8' } }, 0)).toBe(true);
});

test('a rule by layer plans as one by tensor does, and the last that matches wins', () => {
  const tensors = [tensor(0), tensor(1)];
  const plan = planWeights(tensors, {
    ...a,
    rules: [
      { match: { layer: '^layer' }, scheme: { dtype: 'float16' } },
      { match: { name: '^w1$' }, scheme: null },
    ],
  });
  expect(plan.map(({ scheme, byRule }) => [scheme?.dtype ?? null, byRule])).toEqual([
    ['float16', true],
    [null, true],
  ]);
});

test('a recipe takes patterns of layers, and names the field of one that does not compile', () => {
  const recipe = { version: 1, name: 'mine', default: null };
  const rule = { match: { layer: '^head' }, scheme: { dtype: 'float16' } };
  expect(parseRecipe({ ...recipe, rules: [rule] }).rules).toEqual([rule]);
  expect(() =>
    parseRecipe({ ...recipe, rules: [{ match: { layer: '(' }, scheme: null }] }),
  ).toThrow(/rules\.0\.match\.layer.*not supported/);
});

test('undo and redo walk the same steps, and a new step forgets what was undone', () => {
  let history = record(record(startHistory(1), 2, 'two'), 3, 'three');
  expect(undoable(history)).toBe('three');
  history = undo(history);
  expect([history.present, undoable(history), redoable(history)]).toEqual([2, 'two', 'three']);
  expect(redo(history).present).toBe(3);
  history = record(history, 9, 'nine');
  expect([redoable(history), undo(undo(history)).present]).toEqual([null, 1]);
  expect(undo(startHistory(1)).present).toBe(1);
  expect(redo(startHistory(1)).present).toBe(1);
});

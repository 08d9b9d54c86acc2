import { expect, test } from 'vitest';
import { compilePattern, exactPattern } from '../../../shared/patterns.ts';
import { planWeights } from '../../../shared/plan.ts';
import type { Rule } from '../../../shared/recipe.ts';
import { MAX_RULES, MAX_SEARCHES, parseRecipe } from '../../../shared/recipe-file.ts';
import { PRESETS } from '../../../shared/presets.ts';
import { compileRules } from '../../../shared/rule-matcher.ts';
import { MAX_NAME, shortName } from '../../../shared/short-name.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { tensor } from '../renderer/tensors.ts';

const recipe = (rules: readonly unknown[]): unknown => ({ ...PRESETS[2], rules });
const named = (name: string): Rule => ({ match: { name }, scheme: null });

/** The code, field and message of the error of a recipe. */
function refusal(rules: readonly unknown[]): string {
  try {
    parseRecipe(recipe(rules), 'r.json');
    return 'none';
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code} ${message}`;
  }
}

test('a pattern that backtracks exponentially in JavaScript matches in linear time', () => {
  const tensors = [tensor(0, { name: `${'a'.repeat(60)}b` }), tensor(1, { name: 'aaa' })];
  const time = cpuMilliseconds(() => {
    const plan = planWeights(tensors, parseRecipe(recipe([named('^(a+)+$')])));
    expect(plan.map(({ byRule }) => byRule)).toEqual([false, true]);
  });
  expect(time).toBeLessThan(1000);
});

test('100,000 rules of exact names are looked up: the last one of a name, an operator and a role wins', () => {
  const tensors = Array.from({ length: 2000 }, (_, id) => tensor(id, { name: `layer.${id}` }));
  const rules = Array.from({ length: MAX_RULES }, (_, at): Rule => ({
    match: { name: exactPattern(`layer.${at % 50_000}`), ...(at < 50_000 ? {} : { op: 'None' }) },
    scheme: { dtype: 'float16' },
  }));
  const time = cpuMilliseconds(() => {
    const plan = planWeights(tensors, parseRecipe(recipe(rules)));
    expect(plan.every(({ scheme }) => scheme?.dtype === 'float16')).toBe(true);
  });
  expect(time).toBeLessThan(5000);
});

test('rules of names, operators, roles and regular expressions keep their order', () => {
  const byName = named('^(?:w0|w1)$');
  const search = named('^w\\d');
  const byOp: Rule = { match: { op: 'MatMul' }, scheme: null };
  const byRole: Rule = { match: { role: 'weight' }, scheme: null };
  const all = [byName, byOp, byRole, search];
  const each = tensor(0, { name: 'w0', op: 'MatMul', role: 'weight' });
  for (let turn = 0; turn < all.length; turn++) {
    const rules = [...all.slice(turn), ...all.slice(0, turn)];
    expect(compileRules(rules)(each)).toBe(rules.at(-1));
    expect(compileRules(rules)({ ...each, op: 'Conv', role: 'bias' })).toBe(
      rules.findLast((rule) => rule === byName || rule === search),
    );
  }
});

test('limits the number and the size of regular expressions, by name', () => {
  const rules = Array.from({ length: MAX_SEARCHES + 1 }, (_, at) => named(`^layer\\.${at}\\.`));
  expect(refusal(rules.slice(1))).toBe('none');
  expect(refusal(rules)).toBe(
    `LIMIT r.json, rules.${MAX_SEARCHES}.match.name: has too many rules with a regular expression (found 201, expected at most 200)`,
  );
  expect(refusal([named('x{1000}'), named('(x{999}y|z{999}){1}'), named('x{1000}y{999}')])).toMatch(
    /^LIMIT r\.json, rules\.2\.match\.name: the regular expressions of the rules are too large/,
  );
  expect(refusal(Array<Rule>(MAX_RULES + 1).fill(named('^a$')))).toMatch(
    /^LIMIT r\.json, rules: has too many rules/,
  );
  expect(refusal([named('a'.repeat(4097))])).toMatch(/^BAD_RECIPE r\.json, rules\.0\.match\.name/);
});

test.each(['(?<=a)b', '(?<!a)b', '(?=a)b', '(?!a)b', '(a)\\1', '(?<x>a)\\k<x>', '(a', 'a{1001}'])(
  'refuses the pattern %s, and names its rule',
  (pattern) => {
    expect(refusal([named('ok'), named(pattern)])).toMatch(
      /^BAD_RECIPE r\.json, rules\.1\.match\.name: the name pattern of a rule is not supported/,
    );
  },
);

test('other patterns match as in JavaScript', () => {
  const names = ['a', 'a.b', 'model.layers.10.weight', 'é', '😀', 'a\nb', 'A1_', '', '\\k', 'a/b'];
  const patterns = ['^a', 'b$', '\\.\\d+\\.', '^.$', '[^a]', '\\u{1f600}|\\u0061', '\\\\k', 'a\\/'];
  for (const pattern of [...patterns, '(?<x>a)', '\\p{L}', '[\\w.]+', '\\Bb', '^$', 'a|', '[^]b'])
    for (const name of names)
      expect([pattern, name, compilePattern(pattern).test(name)]).toEqual([
        pattern,
        name,
        new RegExp(pattern, 'u').test(name),
      ]);
});

test('long names are matched by their short form, which keeps them apart, in the page as in the engine', () => {
  const names = ['x', 'y'].map((middle) => 'a'.repeat(9999) + middle + 'b'.repeat(9999));
  const [first, second] = names.map(shortName) as [string, string];
  expect(first).not.toBe(second);
  expect(first.length).toBeLessThanOrEqual(MAX_NAME);
  expect(shortName(first)).toBe(first);
  const matches = compileRules([named(exactPattern(first))]);
  const [long, other] = names.map((name) => tensor(0, { name }));
  expect(matches(long!)).toBeDefined();
  expect(matches(other!)).toBeUndefined();
});

test('stops with LIMIT when regular expressions take over two seconds on a model', () => {
  const rules = Array.from({ length: 200 }, (): Rule => named('a[ab]{12}[cd]'));
  const tensors = Array.from({ length: 2000 }, (_, id) =>
    tensor(id, { name: `${'a'.repeat(1000)}${id}` }),
  );
  expect(() => planWeights(tensors, parseRecipe(recipe(rules)))).toThrow(
    expect.objectContaining({ code: 'LIMIT' }) as Error,
  );
});

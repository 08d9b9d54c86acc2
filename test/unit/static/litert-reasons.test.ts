import { describe, expect, test } from 'vitest';
import { measureBudget } from '../../../electron/engine/budget.ts';
import { Session } from '../../../electron/engine/session.ts';
import { candidateSchemes, planWithin } from '../../../shared/budget-plan.ts';
import { findPreset } from '../../../shared/presets.ts';
import type { Recipe, Rule } from '../../../shared/recipe.ts';
import { schemeOf, withFields } from '../../../shared/scheme.ts';
import { testPool } from '../../helpers/engine.ts';
import { table, u8 } from '../../helpers/flatbuffer.ts';
import type { OperatorSpec, TensorSpec } from '../../helpers/litert-model.ts';
import { dense, other, smallModel } from '../../helpers/small-litert.ts';
import { sameRanges } from '../../helpers/ranges.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const preset = findPreset('litert-full-integer')!;
const WIDE = findPreset('litert-16x8')!;
const ruled = (rule: Omit<Rule, 'match'>, op = 'FULLY_CONNECTED'): Recipe => ({
  ...preset,
  rules: [{ match: { op }, ...rule }],
});

function open(...parts: Parameters<typeof smallModel>): Session {
  const session = Session.open(writeFile(folder, smallModel(...parts), 'a.tflite'), pool);
  session.useRanges(sameRanges(session));
  return session;
}

describe('an operator of LiteRT computes in float with the reason', () => {
  test('it is in a subgraph, whose values are not observed', () => {
    const session = open([other('LOGISTIC', [0], [3])], {}, [[dense()]]);
    const { operators } = session.plan(preset, 'static');
    session.close();
    expect(operators[1]!.reason).toBe('it is in a subgraph, whose values are not observed');
  });

  test.each<[string, OperatorSpec[], Recipe?, Record<number, Partial<TensorSpec>>?]>([
    ['LiteRT has no integer kernel of NEG', [other('NEG', [0], [3])]],
    ['kept in float by a rule', [dense()], ruled({ activations: null })],
    ['its input is stored, and not computed', [dense([1, 1, 2])]],
    ['both its inputs are computed, and no stored weight is among them', [dense([0, 0, 2])]],
    [
      'its bias is computed, and integer kernels take a stored one',
      [other('LOGISTIC', [0], [4]), dense([0, 1, 4])],
    ],
    ['its weight stays in float: kept by a rule', [dense()], ruled({ scheme: null })],
    [
      "LiteRT's integer kernels take weights in symmetric int8, one scale a tensor or a channel",
      [dense()],
      ruled({ scheme: { dtype: 'int4' } }),
    ],
    ['w is taken as codes of another kind already', [dense(), other('MUL', [3, 1], [4])]],
    ['w: it is a variable', [dense()], preset, { 1: { extra: { 5: u8(1) } } }],
    ['integer kernels do not fuse its TANH', [dense([0, 1, 2], [3], 4)]],
    [
      'x is a variable, which keeps its float values',
      [dense()],
      preset,
      { 0: { extra: { 5: u8(1) } } },
    ],
    [
      'x has the name of another value, so that its range is not known',
      [dense()],
      preset,
      { 3: { name: 'x' } },
    ],
    ['LiteRT has no int16 kernel of TILE', [other('TILE', [0], [3])], WIDE],
    ['several operators make y', [other('TANH', [0], [3]), other('TANH', [0], [3])]],
  ])('%s', (reason, operators, recipe = preset, changes = {}) => {
    const session = open(operators, changes);
    const plan = session.plan(recipe, 'static');
    session.close();
    expect(plan.operators.map((each) => each.reason)).toContain(reason);
  });

  test('a value that it takes has no range', () => {
    const session = open([other('LOGISTIC', [0], [4]), dense()]);
    session.useRanges(sameRanges(session, [{ name: 'x', reason: 'held no finite number' }]));
    const { operators } = session.plan(preset, 'static');
    const { values } = session.opened.graph();
    session.close();
    const [first] = operators;
    expect(first!.reason).toBe('x: held no finite number');
    expect(values[first!.missing!]!.name).toBe('x');
  });

  test('and its weight with that of the operator', () => {
    const session = open([dense([0, 1, 2], [3], 4)]);
    const { weights } = session.plan(preset, 'static');
    session.close();
    expect(weights[0]!.reason).toBe(
      'FULLY_CONNECTED stays in float: integer kernels do not fuse its TANH',
    );
  });
});

test('a plan counts a weight as float where a rule of the recipe keeps its operator in float', async () => {
  const session = open([dense()]);
  const base = { ...ruled({ activations: null }), minElements: 0 };
  const { signal } = new AbortController();
  const candidates = candidateSchemes(['int8']);
  const budget = await measureBudget(session, { base, mode: 'static', candidates }, { signal });
  const { recipe, total } = planWithin(budget, { minSqnrDb: 20 });
  const { reports } = await session.analyze(recipe, { signal, mode: 'static' });
  session.close();
  expect(reports.map(({ quantized }) => quantized)).toEqual([false, false]);
  expect(total.bytesAfter).toBe(reports.reduce((sum, { bytesAfter }) => sum + bytesAfter, 0));
});

describe('parameters that are not those of a value alone have the reason', () => {
  test.each<[string, OperatorSpec[], number]>([
    ['the scale and zero point that LiteRT prescribes', [other('LOGISTIC', [0], [3])], 1],
    [
      'one scale with x, as operators hand its codes on',
      [{ ...other('RESHAPE', [0], [3]), options: [17, table({})] }],
      1,
    ],
    [
      'zero point 0, which XNNPACK takes the second matrix of BATCH_MATMUL to have',
      [dense([0, 1, 2], [3]), other('BATCH_MATMUL', [0, 3], [4])],
      1,
    ],
  ])('%s', (reason, operators, value) => {
    const session = open(operators);
    const { activations } = session.plan(preset, 'static');
    session.close();
    expect(activations.find((each) => each.value === value)!.reason).toBe(reason);
  });

  test('a constant, and codes in the narrow range', async () => {
    const session = open([dense(), other('MUL', [3, 2], [4])]);
    const plain = { ...preset, default: { ...preset.default!, narrowRange: false } };
    await session.analyze(plain, { signal: new AbortController().signal, mode: 'static' });
    const { weights, operators } = session.plan(plain, 'static');
    session.close();
    const scheme = withFields(schemeOf(plain.default), { narrowRange: true });
    expect(weights).toMatchObject([
      { scheme, reason: "codes from -127 to 127, as LiteRT's integer kernels take them" },
      {
        scheme: { dtype: 'int8', symmetric: false },
        reason: 'quantized as activations are, which it is added to or multiplied with',
      },
    ]);
    // The same numbers are a bias, and stored beside the constant.
    expect(operators[0]!.bias).toMatchObject({ tensor: 1 });
  });

  test('a bias of an operator on int16', async () => {
    const session = open([dense()]);
    const { signal } = new AbortController();
    const { reports } = await session.analyze(WIDE, { signal, mode: 'static' });
    // Four codes of 64 bits, and a float32 scale for each.
    expect(reports[1]!.bytesAfter).toBe(4 * 8 + 4 * 4);
    const { weights, activations } = session.plan(WIDE, 'static');
    session.close();
    expect(weights[1]!.reason).toBe(
      'int32 with the scales of the input times those of the weight; in 64 bits, as int16 kernels take it',
    );
    // Of -2 to 3.
    expect(activations[0]).toMatchObject({ scale: Math.fround(3 / 32767), zeroPoint: 0 });
  });
});

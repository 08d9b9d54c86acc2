import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { Recipe, Rule } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import { BASE_SCHEME, type SchemeFields } from '../../../shared/scheme.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import {
  floatTensor,
  halfTensor,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { sameRanges } from '../../helpers/ranges.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;

function open(nodes: onnx.INodeProto[], tensors: readonly onnx.ITensorProto[]): Session {
  const graph = {
    node: nodes,
    initializer: [...tensors],
    input: [value('x', [1, 8, 8, 8])],
    output: [value('y', ['a'])],
  };
  const imports = [{ domain: 'com.microsoft', version: 1 }];
  return Session.open(writeFile(folder, model(graph, { imports })), pool);
}

function recipe(scheme: Partial<SchemeFields> = {}, rules: readonly Rule[] = []): Recipe {
  const wanted = { ...BASE_SCHEME, ...scheme };
  return { version: 1, name: 'r', default: wanted, minElements: 0, rules };
}

const weight = floatTensor('w', [8, 8], randomValues(64, 1));
const filters = floatTensor('w', [8, 8, 1, 1], randomValues(64, 1));
const product = node('MatMul', ['x', 'w'], ['y']);
const gemm = (attribute: onnx.IAttributeProto): onnx.INodeProto =>
  node('Gemm', ['x', 'w'], ['y'], { attribute: [attribute] });
describe('an operator computes in float with the reason', () => {
  test.each<[string, onnx.INodeProto, onnx.ITensorProto, Recipe]>([
    [
      'no integer kernel is known of com.microsoft.Gelu',
      node('Gelu', ['x'], ['y'], { domain: 'com.microsoft' }),
      weight,
      recipe(),
    ],
    [
      'Sigmoid stays in float, as no integer kernel of it gains anything',
      node('Sigmoid', ['x'], ['y']),
      weight,
      recipe(),
    ],
    ['kept in float by a rule', product, weight, recipe({}, [{ match: {}, activations: null }])],
    [
      'its bias is computed, and the integer Conv takes a stored one',
      node('Conv', ['x', 'w', 'x'], ['y']),
      filters,
      recipe(),
    ],
    [
      'its alpha or beta is not 1, which the integer Gemm does not multiply a bias with',
      gemm({ name: 'alpha', type: 1, f: 2 }),
      weight,
      recipe(),
    ],
    [
      'it takes its first input transposed, which the integer Gemm does not',
      gemm({ name: 'transA', type: 2, i: 1 }),
      weight,
      recipe(),
    ],
    [
      'both its inputs are computed, and no stored weight is among them',
      node('MatMul', ['x', 'x'], ['y']),
      weight,
      recipe(),
    ],
    ['its input is stored, and not computed', node('MatMul', ['w', 'w'], ['y']), weight, recipe()],
    [
      'its weight stays in float: kept by a rule',
      product,
      weight,
      recipe({}, [{ match: { name: '^w$' }, scheme: null }]),
    ],
    [
      'its weight is int16, and integer kernels take int8 and uint8',
      product,
      weight,
      recipe({ dtype: 'int16' }),
    ],
    ['its weight is quantized in blocks', product, weight, recipe({ granularity: { block: 16 } })],
    [
      'its weight is float16, and not float32',
      product,
      halfTensor('w', [8, 8], randomValues(64, 1)),
      recipe(),
    ],
    ['x: holds no finite number', node('Conv', ['x', 'w'], ['y']), filters, recipe()],
  ])('%s', (reason, operator, stored, wanted) => {
    const session = open([operator], [stored]);
    const skipped = reason.startsWith('x: ') ? [{ name: 'x', reason: reason.slice(3) }] : [];
    session.useRanges(sameRanges(session, skipped));
    const { operators } = session.plan(wanted, 'static');
    const x = session.opened.graph().values.find(({ name }) => name === 'x')!;
    session.close();
    const found = operators.find((each) => each.reason === reason);
    expect(found?.isInteger).toBe(false);
    expect(found?.missing).toBe(skipped.length === 0 ? undefined : x.id);
  });

  test('not calibrated yet', () => {
    const session = open([product], [weight]);
    const { operators } = session.plan(recipe(), 'static');
    session.close();
    expect(operators[0]!.reason).toBe('x: not calibrated yet');
  });
});

test.each(['default', 'ort-static'])(
  'an operator on integers or booleans, a shape, a change of type and control flow have no reason: %s',
  (plan) => {
    const integers = (name: string, values: readonly number[]): onnx.ITensorProto => ({
      ...{ name, dims: [values.length], dataType: 7 },
      rawData: new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer),
    });
    const branch = (name: string, op: string): onnx.IAttributeProto => ({
      ...{ name, type: 5 },
      g: { name, node: [node(op, ['i'], [`${name}_y`])], output: [{ name: `${name}_y` }] },
    });
    const attribute = [branch('then_branch', 'Neg'), branch('else_branch', 'Abs')];
    const to = (type: number): Partial<onnx.INodeProto> => ({
      attribute: [{ name: 'to', type: 2, i: type }],
    });
    const session = open(
      [
        node('Shape', ['x'], ['s']),
        node('Gather', ['s', 'i'], ['d']),
        node('Equal', ['d', 'i'], ['e']),
        node('Not', ['e'], ['n']),
        node('If', ['n'], ['f'], { attribute }),
        node('Add', ['f', 'i'], ['a']),
        node('Size', ['a'], ['l']),
        node('Cast', ['l'], ['c'], to(1)),
        node('Cast', ['c'], ['h'], to(10)),
        node('Greater', ['c', 'w'], ['g']),
        node('Unknown', ['g'], ['u'], { domain: 'other' }),
        node('Neg', ['u'], ['y']),
      ],
      [integers('i', [1]), floatTensor('w', [1], [1])],
    );
    const wanted = plan === 'default' ? recipe() : findPreset('ort-static')!;
    const { operators } = session.plan(wanted, 'static');
    const { operators: all } = session.opened.graph();
    session.close();
    const inFloat = operators.filter(({ reason }) => reason !== null);
    // The second Cast is of floats; of what an operator of another domain gives nothing is known.
    expect(inFloat.map(({ operator }) => all[operator]!.name)).toEqual([
      'Cast_h',
      'Greater_g',
      'Unknown_u',
      'Neg_y',
    ]);
    expect(operators.some(({ isInteger }) => isInteger)).toBe(false);
  },
);

describe('parameters that are not those of the values have the reason', () => {
  test('a value whose codes are handed on', () => {
    const session = open(
      [node('Conv', ['x', 'w'], ['c']), node('Flatten', ['c'], ['y'])],
      [floatTensor('w', [64, 8, 3, 3], randomValues(64 * 72, 1))],
    );
    session.useRanges(sameRanges(session));
    const { activations } = session.plan(recipe(), 'static');
    session.close();
    const reason = 'the parameters of c, whose codes Flatten hands on';
    expect(activations.at(-1)).toMatchObject({ reason });
  });

  test('a bias, and a weight whose scale the bias widens', async () => {
    const values = randomValues(32 * 8 * 9, 1).map((each) => each * 1e-9);
    const tiny = floatTensor('w', [32, 8, 3, 3], values);
    const bias = floatTensor('b', [32], randomValues(32, 2));
    const session = open([node('Conv', ['x', 'w', 'b'], ['y'])], [tiny, bias]);
    session.useRanges(sameRanges(session));
    const { reports } = await session.analyze(recipe(), { signal, mode: 'static' });
    session.close();
    expect(reports.map(({ reason }) => reason)).toEqual([
      'a wider scale, so that the bias fits in int32',
      'int32 with the scales of the input times those of the weight',
    ]);
  });
});

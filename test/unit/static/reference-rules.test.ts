import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { Plan } from '../../../shared/plan.ts';
import { defaultOf, type Recipe } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { sameRanges } from '../../helpers/ranges.ts';
import { exportStatic } from '../../helpers/static-export.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();

const PRESET = findPreset('ort-static')!;

function fileOf(
  nodes: onnx.INodeProto[],
  tensors: readonly onnx.ITensorProto[],
  outputs: readonly string[] = ['y'],
): string {
  const graph = {
    node: nodes,
    initializer: [...tensors],
    input: [value('x', [1, 8])],
    output: outputs.map((name) => value(name, ['a', 'b'])),
  };
  return writeFile(folder, model(graph));
}

/** The plan of a model whose values all have one range, and whose stored tensors all have scale 1. */
function planOf(
  nodes: onnx.INodeProto[],
  tensors: readonly onnx.ITensorProto[],
  wanted: Recipe = PRESET,
): Plan {
  const session = Session.open(fileOf(nodes, tensors), pool);
  const asked = session.tensors.map(({ id, role }) => {
    const scheme = role === 'weight' ? defaultOf(wanted) : null;
    return { tensor: id, scheme, reason: null, byRule: false };
  });
  const plan = session.opened.planStatic!(asked, {
    recipe: wanted,
    rangeOf: () => ({ low: -1, high: 1 }),
    parametersOf: () => ({ scale: [1], zeroPoint: [0] }),
    channelsOf: () => null,
    excessOf: () => null,
    numbersOf: () => [1, 2, 3, 4, 5, 6, 7, 8],
  });
  session.close();
  return plan;
}

const weight = floatTensor('w', [8, 8], randomValues(64, 1));
const row = floatTensor('b', [8], randomValues(8, 2));

describe('what the reference leaves in float says so', () => {
  const reasons = ({ operators, weights }: Plan): (string | null)[] =>
    [...operators, ...weights].map(({ reason }) => reason);

  test('an operator that is not named, and what only it takes', () => {
    const plan = planOf(
      [node('MatMul', ['x', 'w'], ['m']), node('Sub', ['m', 'b'], ['y'])],
      [weight, row],
    );
    expect(reasons(plan)).toContain('Sub is not among the operators that the recipe names');
  });

  test('a weight of an operator that is not named', () => {
    const activations = { ...PRESET.activations!, operators: ['Relu'] };
    const nodes = [node('MatMul', ['x', 'w'], ['m']), node('Relu', ['m'], ['y'])];
    const { weights } = planOf(nodes, [weight], recipe('ort-static', { activations }));
    expect(weights[0]!.reason).toBe('no operator that the recipe names takes it');
  });

  test('an operator in a body', () => {
    const attribute = ['then_branch', 'else_branch'].map((name) => ({
      ...{ name, type: 5 },
      g: { name, node: [node('MatMul', ['x', 'w'], ['z'])], output: [value('z', ['a', 'b'])] },
    }));
    const plan = planOf([node('If', ['c'], ['y'], { attribute })], [weight]);
    expect(reasons(plan)).toContain('it is in a subgraph, which quantize_static leaves in float');
  });

  test('an operator that hands on what is not quantized', () => {
    const plan = planOf([node('Tanh', ['x'], ['t']), node('Flatten', ['t'], ['y'])], []);
    expect(reasons(plan)).toContain('neither its inputs nor its outputs are quantized');
  });

  test('a constant of an elementwise operator has the type of activations', () => {
    const plan = planOf([node('Add', ['x', 'b'], ['y'])], [row]);
    expect(plan.weights[0]).toMatchObject({
      reason: 'a constant, quantized as activations are',
      scheme: { dtype: 'int8', symmetric: false, granularity: 'tensor' },
    });
  });
});

describe('where the reference changes results, ours does not', () => {
  const feeds = { x: { shape: [1, 8], dtype: 'float32' as const } };
  const large = (name: string) => floatTensor(name, [8, 4096], randomValues(8 * 4096, 1));

  async function answers(file: string, wanted = PRESET) {
    const made = await exportStatic({ pool, folder }, file, wanted);
    const [before, after] = [await runOnnx(file, feeds), await runOnnx(made.out, feeds)];
    const outputs = Object.keys(before);
    return { ...made, sqnr: outputs.map((name) => outputSqnr(before[name]!, after[name]!)) };
  }

  test('a Gemm multiplies its bias with beta once', async () => {
    const beta = { name: 'beta', type: 1, f: 0.5 };
    const bias = floatTensor(
      'b',
      [4096],
      randomValues(4096, 3).map((each) => each * 20),
    );
    const gemm = node('Gemm', ['x', 'w', 'b'], ['y'], { attribute: [beta] });
    const { sqnr, proto, plan } = await answers(fileOf([gemm], [large('w'), bias]));
    expect(sqnr[0]).toBeGreaterThan(30);
    expect(plan.weights[1]!.reason).toBe(
      "int32 with the scales of the input times those of the weight, times the Gemm's beta",
    );
    const written = proto.graph!.node!.find(({ opType }) => opType === 'Gemm')!;
    expect(written.attribute!.map(({ name }) => name)).not.toContain('beta');
  });

  test('a graph output that one Relu takes keeps the range that it has', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['y']), node('Relu', ['y'], ['r'])];
    const { sqnr, plan } = await answers(fileOf(nodes, [large('w')], ['y', 'r']));
    expect(Math.min(...sqnr)).toBeGreaterThan(25);
    expect(plan.activations.find(({ zeroPoint }) => Math.abs(zeroPoint) < 30)).toBeDefined();
  });

  test('a Clip whose limits leave 0 out stays', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['m']), node('Clip', ['m', 'low', 'high'], ['y'])];
    const limits = [floatTensor('low', [], [1]), floatTensor('high', [], [3])];
    const { sqnr } = await answers(fileOf(nodes, [large('w'), ...limits]));
    expect(sqnr[0]).toBeGreaterThan(25);
  });

  test('a bias that something else takes as well keeps 32 bits', async () => {
    const nodes = [node('Gemm', ['x', 'w', 'b'], ['g']), node('Add', ['g', 'b'], ['y'])];
    const bias = floatTensor('b', [4096], randomValues(4096, 3));
    const { plan, proto } = await answers(fileOf(nodes, [large('w'), bias]));
    expect(plan.operators[0]!.bias?.codes).toHaveLength(4096);
    const add = proto.graph!.node!.find(({ opType }) => opType === 'Add')!;
    expect(add.input![1]).toBe('b');
  });

  test('a rule keeps an operator in float', async () => {
    const rules = [{ match: { op: 'MatMul' }, activations: null }];
    const nodes = [
      node('MatMul', ['x', 'w'], ['m']),
      node('Sigmoid', ['m'], ['s']),
      node('Gemm', ['s', 'v'], ['y']),
    ];
    const { plan } = await answers(
      fileOf(nodes, [large('w'), floatTensor('v', [4096, 8], randomValues(8 * 4096, 2))]),
      recipe('ort-static', { rules, minElements: 0 }),
    );
    expect(plan.operators.map(({ reason }) => reason)).toEqual([
      ...['kept in float by a rule', null, null],
    ]);
  });
});

describe('a bias that has no scale for each value stays in float, with its operator in the default plan', () => {
  test.each<[string, onnx.ITensorProto]>([
    ['its bias has 1 values, and its weight 8 scales', floatTensor('b', [], [1])],
    [
      'its bias has 64 values, and its weight 8 scales',
      floatTensor('b', [8, 8], randomValues(64, 2)),
    ],
    ['its bias has no elements', floatTensor('b', [0], [])],
    [
      'its bias is float64, and not float32',
      { name: 'b', dims: [8], dataType: 11, rawData: new Uint8Array(64) },
    ],
  ])('%s', (reason, bias) => {
    const session = Session.open(
      fileOf([node('Gemm', ['x', 'w', 'b'], ['y'])], [weight, bias]),
      pool,
    );
    session.useRanges(sameRanges(session));
    const { operators } = session.plan(recipe('static-int8', { minElements: 0 }), 'static');
    session.close();
    expect(operators[0]!.reason).toBe(reason);
  });
});

test('the scale of a normalization is quantized per tensor, as onnxruntime does', () => {
  const nodes = [node('LayerNormalization', ['x', 's', 'b'], ['y'])];
  const scale = floatTensor('s', [8], randomValues(8, 4));
  const plan = planOf(nodes, [scale, row]);
  expect(plan.weights[0]!.scheme).toMatchObject({ dtype: 'int8', granularity: 'tensor' });
  expect(plan.weights[0]!.reason).toBe('quantized per tensor, as onnxruntime does');
});

import * as path from 'node:path';
import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { BASE_ACTIVATIONS, type Recipe } from '../../../shared/recipe.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { exportStatic } from '../../helpers/static-export.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;

const exported = (file: string, wanted: Recipe) => exportStatic({ pool, folder }, file, wanted);

function kernelsOf(file: string) {
  const out = path.join(folder, 'optimized.onnx');
  return runInRuntime(
    sharedRuntime,
    { kind: 'optimize', model: file, out },
    signal,
    () => undefined,
  );
}

/** x -> Conv -> Relu -> Conv -> Clip -> MaxPool -> Flatten -> Gemm -> y, and a Sigmoid beside. */
function smallNetwork(opset = 13): string {
  const clip = floatTensor('six', [], [6]);
  return writeFile(
    folder,
    model(
      {
        node: [
          node('Conv', ['x', 'w1', 'b1'], ['c1']),
          node('Relu', ['c1'], ['r1']),
          node('Conv', ['r1', 'w2', 'b2'], ['c2']),
          node('Clip', ['c2', 'zero', 'six'], ['r2']),
          node('MaxPool', ['r2'], ['p'], {
            attribute: [{ name: 'kernel_shape', type: 7, ints: [2, 2] }],
          }),
          node('Flatten', ['p'], ['f']),
          node('Gemm', ['f', 'w3', 'b3'], ['g']),
          node('Sigmoid', ['g'], ['y']),
        ],
        input: [value('x', [1, 3, 8, 8])],
        output: [value('y', [1, 5])],
        initializer: [
          floatTensor('w1', [16, 3, 3, 3], randomValues(432, 1)),
          floatTensor('b1', [16], randomValues(16, 2)),
          floatTensor('w2', [16, 16, 3, 3], randomValues(2304, 3)),
          floatTensor('b2', [16], randomValues(16, 4)),
          floatTensor('w3', [144, 5], randomValues(720, 5)),
          floatTensor('b3', [5], randomValues(5, 6)),
          floatTensor('zero', [], [0]),
          clip,
        ],
      },
      { opset },
    ),
  );
}

describe('a small network', () => {
  test('computes on integers from end to end, and answers nearly as its source', async () => {
    const file = smallNetwork();
    const { out, result, plan } = await exported(file, recipe('static-int8'));
    const kernels = await kernelsOf(out);
    expect(kernels.integer).toBeGreaterThanOrEqual(3);
    const feeds = { x: { shape: [1, 3, 8, 8], dtype: 'float32' as const } };
    const [before, after] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(25);
    expect(result.activations!.quantized).toBe(plan.activations.length);
  });

  test('a Relu and a Clip are told by the codes behind them, and MaxPool hands codes on', async () => {
    const { plan, proto, reasonOf } = await exported(smallNetwork(), recipe('static-int8'));
    const quantized = proto.graph!.node!.filter(({ opType }) => opType === 'QuantizeLinear');
    expect(quantized.map(({ input }) => input![0])).toEqual([
      'x',
      'r1_float',
      'r2_float',
      'p_float',
      'f_float',
    ]);
    const left = 'the codes behind it say the same, so onnxruntime leaves it out';
    expect([reasonOf('Relu'), reasonOf('Clip')]).toEqual([left, left]);
    const [, relu, clip, pool, flat] = plan.activations;
    expect(relu!.zeroPoint).toBe(0);
    // No code stands for more than 6, in the runtime's float32 arithmetic.
    expect(Math.fround(255 * clip!.scale)).toBeLessThanOrEqual(6);
    for (const carried of [pool, flat])
      expect(carried).toMatchObject({ scale: clip!.scale, zeroPoint: clip!.zeroPoint });
  });

  test('a bias is int32 in units of the scales of input and weight', async () => {
    const activations = { ...BASE_ACTIVATIONS, biasCorrection: false };
    const wanted = recipe('static-int8', { activations });
    const { plan, proto } = await exported(smallNetwork(), wanted);
    const stored = (name: string): onnx.ITensorProto =>
      proto.graph!.initializer!.find((each) => each.name === name)!;
    const numbers = (tensor: onnx.ITensorProto, Type: typeof Float32Array | typeof Int32Array) =>
      Array.from(new Type(Uint8Array.from(tensor.rawData!).buffer));
    const weightScales = numbers(stored('w1_scale'), Float32Array);
    const inputScale = plan.activations[0]!.scale;
    const scales = weightScales.map((scale) => Math.fround(inputScale * scale));
    expect(numbers(stored('b1_scale'), Float32Array)).toEqual(scales);
    const codes = randomValues(16, 2).map((each, channel) => Math.round(each / scales[channel]!));
    expect(numbers(stored('b1_quantized'), Int32Array)).toEqual(codes);
    expect(proto.graph!.initializer!.some(({ name }) => name === 'b1')).toBe(false);
  });

  test('a rule keeps an operator in float, and what only it takes is not quantized', async () => {
    const rules = [{ match: { op: 'Gemm' }, activations: null }];
    const { proto, reasonOf } = await exported(smallNetwork(), recipe('static-int8', { rules }));
    expect(reasonOf('Gemm')).toBe('kept in float by a rule');
    expect(proto.graph!.node!.find(({ opType }) => opType === 'Gemm')!.input![2]).toBe('b3');
  });
});

/** x -> Slice -> Conv at opset 9, where a Slice has its limits as attributes. */
function slicedModel(): string {
  const limits = (name: string, ints: number[]) => ({ name, type: 7, ints });
  return writeFile(
    folder,
    model(
      {
        node: [
          node('Slice', ['x'], ['s'], {
            attribute: [
              limits('starts', [1, -7]),
              limits('ends', [100, 9]),
              limits('axes', [2, 3]),
            ],
          }),
          node('Conv', ['s', 'w'], ['y']),
        ],
        input: [value('x', [1, 3, 8, 8])],
        output: [value('y', [1, 16, 5, 5])],
        initializer: [floatTensor('w', [16, 3, 3, 3], randomValues(432, 1))],
      },
      { opset: 9, irVersion: 4 },
    ),
  );
}

test('a Slice whose limits are attributes takes them as inputs at the opset that integer kernels need', async () => {
  const file = slicedModel();
  const { out, proto } = await exported(file, recipe('static-int8'));
  expect(Number(proto.opsetImport.find(({ domain }) => domain === '')!.version)).toBeGreaterThan(9);
  expect(proto.opsetImport.map(({ domain }) => domain)).toEqual(['']);
  const feeds = { x: { shape: [1, 3, 8, 8], dtype: 'float32' as const } };
  const [before, after] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(30);
});

test('a copy in which nothing is quantized keeps its opset and its attributes', async () => {
  const { out, proto } = await exported(slicedModel(), recipe('static-int8', { default: null }));
  expect(Number(proto.opsetImport.find(({ domain }) => domain === '')!.version)).toBe(9);
  expect(await runOnnx(out, { x: { shape: [1, 3, 8, 8], dtype: 'float32' } })).toHaveProperty('y');
});

test('a Conv in float between two on integers loads below opset 13, where Clip has attributes', async () => {
  const real = (name: string, f: number) => ({ name, type: 1, f });
  const axes = [{ name: 'axes', type: 7, ints: [0] }];
  const file = writeFile(
    folder,
    model(
      {
        node: [
          node('Conv', ['x', 'w1', 'b'], ['c1']),
          node('Clip', ['c1'], ['r1'], { attribute: [real('min', 0), real('max', 6)] }),
          node('Conv', ['r1', 'w2', 'b'], ['c2']),
          node('Conv', ['c2', 'w3', 'b'], ['c3']),
          // At opset 13 Squeeze takes its axes as an input, so that the model stays below.
          node('Squeeze', ['c3'], ['y'], { attribute: axes }),
        ],
        input: [value('x', [1, 16, 12, 12])],
        output: [value('y', [16, 6, 6])],
        initializer: [
          ...['w1', 'w2', 'w3'].map((name, seed) =>
            floatTensor(name, [16, 16, 3, 3], randomValues(2304, seed)),
          ),
          floatTensor('b', [16], randomValues(16, 7)),
        ],
      },
      { opset: 9, irVersion: 4 },
    ),
  );
  const rules = [{ match: { name: 'Conv_c2' }, activations: null }];
  const { out, proto, reasonOf } = await exported(file, recipe('static-int8', { rules }));
  expect(reasonOf('Conv_c3')).toBe(
    'Conv_c2 stays in float, which onnxruntime would compute on integers were its output quantized',
  );
  const kernels = await kernelsOf(out);
  expect(kernels.integerNodes.find(({ op }) => op === 'QLinearConv')?.count).toBe(1);
  const opset = Number(proto.opsetImport.find(({ domain }) => domain === '')!.version);
  expect(opset).toBe(12);
  const feeds = { x: { shape: [1, 16, 12, 12], dtype: 'float32' as const } };
  const [before, after] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(25);
});

test('a bias that does not fit in int32 widens the scale of its channel', async () => {
  const weights = randomValues(16 * 27, 1);
  // One channel of tiny weights and a large bias.
  for (let at = 0; at < 27; at++) weights[at] = weights[at]! * 1e-9;
  const file = writeFile(
    folder,
    model({
      node: [node('Conv', ['x', 'w', 'b'], ['y'])],
      input: [value('x', [1, 3, 8, 8])],
      output: [value('y', [1, 16, 6, 6])],
      initializer: [
        floatTensor('w', [16, 3, 3, 3], weights),
        floatTensor('b', [16], [100, ...randomValues(15, 2)]),
      ],
    }),
  );
  const { plan, out } = await exported(file, recipe('static-int8'));
  const bias = plan.operators[0]!.bias!;
  expect(bias.codes[0]).toBeLessThanOrEqual(2 ** 31 - 1);
  expect(bias.codes[0]).toBeGreaterThan(2 ** 31 * 0.999);
  const feeds = { x: { shape: [1, 3, 8, 8], dtype: 'float32' as const } };
  const [before, after] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(30);
});

/** x -> Conv -> what follows -> Conv -> y; the first Conv's channels reach from far below -3 to 10. */
function betweenConvs(middle: readonly onnx.INodeProto[], last: string): string {
  const bias = Array.from({ length: 16 }, (_, channel) => (channel % 2 === 0 ? -40 : 5));
  return writeFile(
    folder,
    model({
      node: [
        node('Conv', ['x', 'w1', 'b1'], ['c1']),
        ...middle,
        node('Conv', [last, 'w2', 'b2'], ['y']),
      ],
      input: [value('x', [1, 3, 8, 8])],
      output: [value('y', [1, 16, 4, 4])],
      initializer: [
        floatTensor('w1', [16, 3, 3, 3], randomValues(432, 1)),
        floatTensor('b1', [16], bias),
        floatTensor('w2', [16, 16, 3, 3], randomValues(2304, 3)),
        floatTensor('b2', [16], randomValues(16, 4)),
        floatTensor('three', [], [3]),
        floatTensor('zero', [], [0]),
        floatTensor('six', [], [6]),
      ],
    }),
  );
}

const HARD_SWISH = [
  node('Add', ['c1', 'three'], ['a']),
  node('Clip', ['a', 'zero', 'six'], ['k']),
  node('Mul', ['c1', 'k'], ['m']),
  node('Div', ['m', 'six'], ['h']),
];

/** What the codes of the first Conv's output stand for at the lowest, and why. */
async function lowestOf(file: string, wanted: Recipe): Promise<[number, string | null]> {
  const { plan, graph } = await exported(file, wanted);
  const entry = plan.activations.find((each) => graph.values[each.value]!.name === 'c1')!;
  return [-entry.zeroPoint * entry.scale, entry.reason];
}

describe('codes span what makes a difference', () => {
  const minmax = { dtype: 'uint8', symmetric: false, range: 'minmax' } as const;

  test('hard-swish makes 0 of all below -3', async () => {
    const file = betweenConvs(HARD_SWISH, 'h');
    const [lowest, reason] = await lowestOf(file, recipe('static-int8', { activations: minmax }));
    expect(lowest).toBeLessThanOrEqual(-3);
    expect(lowest).toBeGreaterThan(-3.2);
    const why =
      'its range is chosen within -3.1 to 14.7, as the operators that take it give the same results for all values beyond';
    expect(reason).toBe(why);
  });

  test('the whole range where something else takes the value as well', async () => {
    const file = betweenConvs([...HARD_SWISH, node('Add', ['h', 'c1'], ['s'])], 's');
    const [lowest, reason] = await lowestOf(file, recipe('static-int8', { activations: minmax }));
    expect(lowest).toBeLessThan(-30);
    expect(reason).toBe(null);
  });

  test('and the range that a recipe sets by hand', async () => {
    const byHand = { ...minmax, range: { clip: [-20, 20] } } as const;
    const file = betweenConvs(HARD_SWISH, 'h');
    const [lowest, reason] = await lowestOf(file, recipe('static-int8', { activations: byHand }));
    expect(lowest).toBeCloseTo(-20, 0);
    expect(reason).toBe(null);
  });
});

test('a real model runs each Conv and Gemm on integers', async () => {
  const { file } = REAL_MODELS.find(({ name }) => name === 'PP-OCR cls')!;
  const { out, plan } = await exported(file, recipe('static-int8'));
  const kernels = await kernelsOf(out);
  const planned = plan.operators.filter(({ isInteger }) => isInteger).length;
  expect(planned).toBe(54);
  const conv = kernels.integerNodes.find(({ op }) => op === 'QLinearConv');
  const gemm = kernels.integerNodes.find(({ op }) => op === 'QGemm');
  expect([conv?.count, gemm?.count]).toEqual([53, 1]);
});

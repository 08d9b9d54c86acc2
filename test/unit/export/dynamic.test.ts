import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { SchemeFields } from '../../../shared/scheme.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import {
  constant,
  floatTensor,
  model,
  node,
  randomValues,
  value,
  type ModelOptions,
} from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);
const channel: SchemeFields = {
  dtype: 'int8',
  symmetric: true,
  granularity: 'channel',
  range: 'minmax',
};
const tensor: SchemeFields = { ...channel, granularity: 'tensor' };
const unsigned: SchemeFields = { ...channel, dtype: 'uint8', symmetric: false };

const weight = (name: string, ...dims: number[]): onnx.ITensorProto =>
  floatTensor(
    name,
    dims,
    randomValues(
      dims.reduce((a, b) => a * b, 1),
      5,
    ),
  );
const integers = (attributes: Record<string, number | number[]>): Partial<onnx.INodeProto> => ({
  attribute: Object.entries(attributes).map(([name, given]) =>
    typeof given === 'number' ? { name, type: 2, i: given } : { name, type: 7, ints: given },
  ),
});

interface Case {
  readonly graph: onnx.IGraphProto;
  readonly input: readonly number[];
  readonly scheme?: SchemeFields;
  readonly options?: ModelOptions;
}

async function run({
  graph,
  input,
  scheme = channel,
  options = {},
}: Case): Promise<{ ops: string[]; db: number; made: onnx.ModelProto }> {
  const whole = { ...graph, input: [value('x', input)], output: [value('y', [])] };
  const file = writeFile(folder, model(whole, options));
  const { out, bytes } = await exported(
    file,
    recipe('int8', { minElements: 0, default: scheme }),
    'dynamic',
  );
  const feeds = { x: { shape: input, dtype: 'float32' } } as const;
  const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  const made = onnx.ModelProto.decode(bytes);
  return {
    ops: made.graph!.node!.map((entry) => entry.opType!),
    db: outputSqnr(source['y']!, answer['y']!),
    made,
  };
}

const STEPS = ['DynamicQuantizeLinear', 'MatMulInteger', 'Cast', 'Mul', 'Mul'];

test.each([
  ['an output', node('MatMul', ['x', 'w'], [])],
  ['its first input', node('MatMul', ['', 'w'], ['y'])],
])('a MatMul without %s is no integer operator', async (_, broken) => {
  const graph = { node: [broken], initializer: [weight('w', 64, 32)] };
  for (const mode of ['dynamic', 'nbits'] as const) {
    const wanted = recipe(mode === 'nbits' ? 'int4-block32' : 'int8', { minElements: 0 });
    const { bytes } = await exported(writeFile(folder, model(graph)), wanted, mode);
    const ops = onnx.ModelProto.decode(bytes).graph!.node!.map(({ opType }) => opType);
    expect(ops).toEqual(['DequantizeLinear', 'MatMul']);
  }
});

describe('a node runs on integers', () => {
  test.each<[string, Case, string[]]>([
    [
      'MatMul, per channel',
      {
        graph: { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', 64, 48)] },
        input: [4, 64],
      },
      STEPS,
    ],
    [
      'MatMul, per tensor',
      {
        graph: { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', 64, 48)] },
        input: [4, 64],
        scheme: tensor,
      },
      STEPS,
    ],
    [
      'MatMul, uint8 with zero points',
      {
        graph: { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', 64, 48)] },
        input: [4, 64],
        scheme: unsigned,
      },
      STEPS,
    ],
    [
      'MatMul of a stack of inputs',
      {
        graph: { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', 64, 48)] },
        input: [2, 3, 64],
      },
      STEPS,
    ],
    [
      'MatMul with its weight in a Constant',
      {
        graph: { node: [constant('w', weight('', 64, 48)), node('MatMul', ['x', 'w'], ['y'])] },
        input: [4, 64],
      },
      STEPS,
    ],
    [
      'Gemm with a bias',
      {
        graph: {
          node: [node('Gemm', ['x', 'w', 'b'], ['y'])],
          initializer: [weight('w', 64, 48), weight('b', 48)],
        },
        input: [4, 64],
      },
      [...STEPS, 'Add'],
    ],
    [
      'Gemm with its weight transposed',
      {
        graph: {
          node: [node('Gemm', ['x', 'w', 'b'], ['y'], integers({ transB: 1 }))],
          initializer: [weight('w', 48, 64), weight('b', 48)],
        },
        input: [4, 64],
      },
      ['DynamicQuantizeLinear', 'Transpose', 'MatMulInteger', 'Cast', 'Mul', 'Mul', 'Add'],
    ],
    [
      'Conv with a bias',
      {
        graph: {
          node: [
            node('Conv', ['x', 'w', 'b'], ['y'], integers({ pads: [1, 1, 1, 1], strides: [2, 2] })),
          ],
          initializer: [weight('w', 16, 8, 3, 3), weight('b', 16)],
        },
        input: [1, 8, 9, 9],
      },
      ['DynamicQuantizeLinear', 'ConvInteger', 'Cast', 'Mul', 'Constant', 'Reshape', 'Mul', 'Add'],
    ],
    [
      'Conv of groups',
      {
        graph: {
          node: [node('Conv', ['x', 'w'], ['y'], integers({ group: 4 }))],
          initializer: [weight('w', 64, 2, 3, 3)],
        },
        input: [1, 8, 9, 9],
      },
      ['DynamicQuantizeLinear', 'ConvInteger', 'Cast', 'Mul', 'Mul'],
    ],
    [
      'Conv of one dimension',
      {
        graph: {
          node: [node('Conv', ['x', 'w', 'b'], ['y'])],
          initializer: [weight('w', 32, 16, 3), weight('b', 32)],
        },
        input: [1, 16, 20],
      },
      ['DynamicQuantizeLinear', 'ConvInteger', 'Cast', 'Mul', 'Constant', 'Reshape', 'Mul', 'Add'],
    ],
    [
      'Conv, uint8 per tensor',
      {
        graph: {
          node: [node('Conv', ['x', 'w'], ['y'])],
          initializer: [weight('w', 16, 16, 3, 3)],
        },
        input: [1, 16, 9, 9],
        scheme: { ...unsigned, granularity: 'tensor' },
      },
      ['DynamicQuantizeLinear', 'ConvInteger', 'Cast', 'Mul', 'Mul'],
    ],
  ])('%s', async (_, given, ops) => {
    const result = await run(given);
    expect([...result.ops].sort()).toEqual([...ops].sort());
    expect(result.db).toBeGreaterThan(30);
  });

  test('an input that feeds several nodes is quantized once', async () => {
    const graph = {
      node: [
        node('MatMul', ['x', 'a'], ['p']),
        node('MatMul', ['x', 'b'], ['q']),
        node('Add', ['p', 'q'], ['y']),
      ],
      initializer: [weight('a', 64, 48), weight('b', 64, 48)],
    };
    const { ops, db } = await run({ graph, input: [4, 64] });
    expect(ops.filter((op) => op === 'DynamicQuantizeLinear')).toHaveLength(1);
    expect(db).toBeGreaterThan(30);
  });

  test("below opset 11, where it cannot be raised, MatMul becomes com.microsoft's one operator", async () => {
    const graph = {
      node: [node('Dropout', ['x'], ['h']), node('MatMul', ['h', 'w'], ['y'])],
      initializer: [weight('w', 64, 48)],
    };
    const { ops, db } = await run({ graph, input: [4, 64], options: { opset: 9, irVersion: 7 } });
    expect(ops).toEqual(['Dropout', 'DynamicQuantizeMatMul']);
    expect(db).toBeGreaterThan(30);
  });
});

describe('a node falls back to floats', () => {
  test.each<[string, Case, string[]]>([
    [
      'Gemm that scales',
      {
        graph: {
          node: [
            node('Gemm', ['x', 'w'], ['y'], { attribute: [{ name: 'alpha', type: 1, f: 0.5 }] }),
          ],
          initializer: [weight('w', 64, 48)],
        },
        input: [4, 64],
      },
      ['DequantizeLinear', 'Gemm'],
    ],
    [
      'ConvTranspose',
      {
        graph: {
          node: [node('ConvTranspose', ['x', 'w'], ['y'])],
          initializer: [weight('w', 16, 16, 3, 3)],
        },
        input: [1, 16, 9, 9],
      },
      ['DequantizeLinear', 'ConvTranspose'],
    ],
    [
      'Conv with a zero point in each channel',
      {
        graph: {
          node: [node('Conv', ['x', 'w'], ['y'])],
          initializer: [weight('w', 16, 16, 3, 3)],
        },
        input: [1, 16, 9, 9],
        scheme: unsigned,
      },
      ['DequantizeLinear', 'Conv'],
    ],
    [
      'a stack of matrices',
      {
        graph: { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', 2, 32, 32)] },
        input: [2, 4, 32],
      },
      ['DequantizeLinear', 'MatMul'],
    ],
    [
      'a weight behind a Transpose',
      {
        graph: {
          node: [
            node('Transpose', ['w'], ['t'], integers({ perm: [1, 0] })),
            node('MatMul', ['x', 't'], ['y']),
          ],
          initializer: [weight('w', 48, 64)],
        },
        input: [4, 64],
      },
      ['DequantizeLinear', 'Transpose', 'MatMul'],
    ],
    [
      'float16 weights',
      {
        graph: { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', 64, 48)] },
        input: [4, 64],
        scheme: { ...channel, dtype: 'float16' },
      },
      ['Cast', 'MatMul'],
    ],
    [
      'int16 weights',
      {
        graph: { node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', 64, 48)] },
        input: [4, 64],
        scheme: { ...channel, dtype: 'int16' },
      },
      ['DequantizeLinear', 'MatMul'],
    ],
  ])('%s', async (_, given, ops) => {
    const result = await run(given);
    expect(result.ops).toEqual(ops);
    expect(result.db).toBeGreaterThan(30);
  });

  test('only for the use that needs it, when a weight feeds a MatMul and something else', async () => {
    const graph = {
      node: [
        node('MatMul', ['x', 'w'], ['h']),
        node('Mul', ['h', 's'], ['p']),
        node('ReduceMean', ['w'], ['s'], integers({ keepdims: 0 })),
        node('Identity', ['p'], ['y']),
      ],
      initializer: [weight('w', 64, 48)],
    };
    graph.node = [graph.node[2]!, graph.node[0]!, graph.node[1]!, graph.node[3]!];
    const { ops } = await run({ graph, input: [4, 64] });
    expect(ops).toEqual(['DequantizeLinear', 'ReduceMean', ...STEPS, 'Mul', 'Identity']);
  });
});

/** Values whose columns differ in size, as the channels of trained weights do. */
function uneven(name: string, rows: number, columns: number): onnx.ITensorProto {
  const values = randomValues(rows * columns, 5).map(
    (given, at) => given * 4 ** ((at % columns) % 6),
  );
  return floatTensor(name, [rows, columns], values);
}

const tiedGemm = (first: string): onnx.INodeProto[] => [
  node(first, ['x', 'w'], ['h']),
  node('Relu', ['h'], ['r']),
  node('Gemm', ['r', 'w'], ['y'], integers({ transB: 1 })),
];

describe('one weight whose uses have their channels on different axes', () => {
  test.each<[string, Case, number]>([
    [
      'MatMul and a transposed Gemm, square',
      { graph: { node: tiedGemm('MatMul'), initializer: [uneven('w', 64, 64)] }, input: [3, 64] },
      1,
    ],
    [
      'MatMul and a transposed Gemm, not square',
      { graph: { node: tiedGemm('MatMul'), initializer: [uneven('w', 48, 64)] }, input: [3, 48] },
      1,
    ],
    [
      'two Gemms, one of them transposed',
      { graph: { node: tiedGemm('Gemm'), initializer: [uneven('w', 48, 64)] }, input: [3, 48] },
      1,
    ],
    [
      'a transposed Gemm before a MatMul',
      {
        graph: {
          node: [
            node('Gemm', ['x', 'w'], ['h'], integers({ transB: 1 })),
            node('MatMul', ['h', 'w'], ['y']),
          ],
          initializer: [uneven('w', 48, 64)],
        },
        input: [3, 64],
      },
      1,
    ],
    [
      'MatMul and a transposed Gemm with one scale',
      {
        graph: { node: tiedGemm('MatMul'), initializer: [uneven('w', 48, 64)] },
        input: [3, 48],
        scheme: tensor,
      },
      2,
    ],
    [
      'a Gather, its Transpose and a MatMul',
      {
        graph: {
          node: [
            constant('i', { dims: [2], dataType: 7, int64Data: [1, 2] }),
            node('Gather', ['w', 'i'], ['g']),
            node('Transpose', ['w'], ['t'], integers({ perm: [1, 0] })),
            node('MatMul', ['x', 't'], ['h']),
            node('MatMul', ['h', 'w'], ['k']),
            node('Gemm', ['k', 'g'], ['y'], integers({ transB: 1 })),
          ],
          initializer: [uneven('w', 48, 64)],
        },
        input: [3, 64],
      },
      0,
    ],
  ])('%s: integers only where the scales fit the output', async (_, given, onIntegers) => {
    const { ops, db } = await run(given);
    expect(ops.filter((op) => op === 'MatMulInteger')).toHaveLength(onIntegers);
    expect(db).toBeGreaterThan(30);
  });
});

test('a weight that is also handed on to an output is restored for it', async () => {
  const initializer = [weight('w', 64, 48)];
  const graph = {
    node: [node('MatMul', ['x', 'w'], ['y']), node('Identity', ['w'], ['z'])],
    initializer,
    input: [value('x', [4, 64])],
    output: [value('y', []), value('z', [])],
  };
  const file = writeFile(folder, model(graph));
  for (const mode of ['dynamic', 'nbits'] as const) {
    const scheme: SchemeFields =
      mode === 'nbits' ? { ...channel, granularity: { block: 16 } } : channel;
    const wanted = recipe('int8', { minElements: 0, default: scheme });
    const { out } = await exported(file, wanted, mode);
    const feeds = { x: { shape: [4, 64], dtype: 'float32' } } as const;
    const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    for (const name of ['y', 'z'])
      expect(outputSqnr(source[name]!, answer[name]!)).toBeGreaterThan(30);
  }
});

test.each(REAL_MODELS)(
  '$name loads and runs in dynamic mode, no larger than before',
  async ({ file, feeds }) => {
    const { out } = await exported(file, recipe('int8'), 'dynamic');
    const answer = await runOnnx(out, feeds);
    for (const numbers of Object.values(answer)) expect(numbers.every(Number.isFinite)).toBe(true);
  },
);

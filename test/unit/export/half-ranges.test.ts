import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { recipe } from '../../helpers/export.ts';
import {
  constant,
  floatTensor,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;

const scalar = (name: string, number: number): onnx.ITensorProto => floatTensor(name, [], [number]);
const weight = (name: string, scale = 0.2): onnx.ITensorProto => {
  const values = randomValues(64 * 64, name.charCodeAt(0)).map((number) => number * scale);
  return floatTensor(name, [64, 64], values);
};
const last = { attribute: [{ name: 'axes', type: 7, ints: [-1] }] };

interface Case {
  readonly nodes: onnx.INodeProto[];
  readonly tensors: onnx.ITensorProto[];
  readonly rows?: number;
}

/** Exports a graph from x [rows, 64] to y for float16 arithmetic, and runs it on random rows and on rows of zeros. */
async function run({ nodes, tensors, rows = 4 }: Case): Promise<{
  kept: Record<string, string>;
  db: number;
  zeros: readonly number[];
}> {
  const graph = {
    node: nodes,
    initializer: tensors,
    input: [value('x', [rows, 64])],
    output: [value('y', [])],
  };
  const file = writeFile(folder, model(graph));
  const out = `${file}.half.onnx`;
  const session = Session.open(file, pool);
  const wanted = recipe('float16', { minElements: 1024 });
  const result = await session.export(wanted, 'float16', out, { signal: never });
  session.close();
  const random = { x: { shape: [rows, 64], dtype: 'float32' } } as const;
  const empty = { x: { ...random.x, fill: 0 } } as const;
  const [source, made] = [await runOnnx(file, random), await runOnnx(out, random)];
  const before = await runOnnx(file, empty);
  const after = await runOnnx(out, empty);
  expect(after['y']!.map(Number.isFinite)).toEqual(before['y']!.map(Number.isFinite));
  const kept = (result.operators ?? []).map(({ name, reason }) => [name, reason] as const);
  return {
    kept: Object.fromEntries(kept),
    db: outputSqnr(source['y']!, made['y']!),
    zeros: after['y']!,
  };
}

const product = node('MatMul', ['x', 'w'], ['h']);

/** LayerNorm as exporters write it out, from h to n. */
const layerNorm = (square: onnx.INodeProto): onnx.INodeProto[] => [
  node('ReduceMean', ['h'], ['mean'], last),
  node('Sub', ['h', 'mean'], ['c']),
  square,
  node('ReduceMean', ['c2'], ['variance'], last),
  node('Add', ['variance', 'e'], ['guarded']),
  node('Sqrt', ['guarded'], ['deviation']),
  node('Div', ['c', 'deviation'], ['n']),
];

describe('what may leave the range of float16 is computed in float32', () => {
  test.each([
    ['Mul', 1e-12, node('Mul', ['c', 'c'], ['c2'])],
    ['Pow', 1e-12, node('Pow', ['c', 'two'], ['c2'])],
    ['Mul', 1e-5, node('Mul', ['c', 'c'], ['c2'])],
  ])('a LayerNorm written out with %s and %s, as a whole', async (_, epsilon, square) => {
    const { kept, db, zeros } = await run({
      nodes: [product, ...layerNorm(square), node('MatMul', ['n', 'v'], ['y'])],
      tensors: [weight('w'), weight('v'), scalar('e', epsilon), scalar('two', 2)],
    });
    expect(Object.keys(kept).map((name) => name.split('_')[1])).toEqual([
      'mean',
      'c',
      'c2',
      'variance',
      'guarded',
      'deviation',
      'n',
    ]);
    expect(new Set(Object.values(kept))).toEqual(new Set(['squares exceed 65504 from 256 on']));
    expect(zeros.every((number) => number === 0)).toBe(true);
    expect(db).toBeGreaterThan(60);
  });

  test('an RMSNorm with a reciprocal of the root, up to the product', async () => {
    const { kept, db } = await run({
      nodes: [
        product,
        node('Mul', ['h', 'h'], ['h2']),
        node('ReduceMean', ['h2'], ['m'], last),
        node('Add', ['m', 'e'], ['g']),
        node('Sqrt', ['g'], ['r']),
        node('Reciprocal', ['r'], ['i']),
        node('Mul', ['h', 'i'], ['n']),
        node('MatMul', ['n', 'v'], ['y']),
      ],
      tensors: [weight('w', 200), weight('v'), scalar('e', 1e-6)],
    });
    expect(Object.keys(kept)).toEqual([
      'Mul_h2',
      'ReduceMean_m',
      'Add_g',
      'Sqrt_r',
      'Reciprocal_i',
      'Mul_n',
    ]);
    expect(db).toBeGreaterThan(60);
  });

  test('a transform, its power spectrum and mel filters, to the logarithm', async () => {
    const { kept, db } = await run({
      nodes: [
        product,
        node('Pow', ['h', 'two'], ['p']),
        node('MatMul', ['p', 'v'], ['mel']),
        node('Abs', ['mel'], ['a']),
        node('Add', ['a', 'e'], ['g']),
        node('Log', ['g'], ['l']),
        node('Relu', ['l'], ['y']),
      ],
      tensors: [weight('w', 200), weight('v'), scalar('two', 2), scalar('e', 1e-10)],
    });
    expect(Object.keys(kept)).toEqual([
      'MatMul_h',
      'Pow_p',
      'MatMul_mel',
      'Abs_a',
      'Add_g',
      'Log_l',
    ]);
    expect(db).toBeGreaterThan(50);
  });

  test('a softmax written out, from Exp to its division', async () => {
    const { kept, db } = await run({
      nodes: [
        product,
        node('Exp', ['h'], ['e']),
        node('ReduceSum', ['e', 'axes'], ['s']),
        node('Div', ['e', 's'], ['p']),
        node('Relu', ['p'], ['y']),
      ],
      tensors: [weight('w', 4), { name: 'axes', dims: [1], dataType: 7, int64Data: [1] }],
    });
    expect(Object.keys(kept)).toEqual(['Exp_e', 'ReduceSum_s', 'Div_p']);
    expect(db).toBeGreaterThan(35);
  });

  test('the logarithm of a Softmax, which float16 makes zeros of', async () => {
    const { kept, db } = await run({
      nodes: [product, node('Softmax', ['h'], ['p']), node('Log', ['p'], ['y'])],
      tensors: [weight('w', 3)],
    });
    expect(Object.keys(kept)).toEqual(['Softmax_p', 'Log_y']);
    expect(db).toBeGreaterThan(50);
  });
});

describe('what float16 does not hold is computed in float32', () => {
  test.each([60, 80])('a mask of -FLT_MAX with %i columns, up to the softmax', async (size) => {
    const mask = Array.from({ length: size * size }, (_, at) =>
      at % size > at / size || Math.floor(at / size) === 5 ? -3.4028234663852886e38 : 0,
    );
    const { kept, db } = await run({
      rows: size,
      nodes: [
        product,
        node('Transpose', ['x'], ['t'], { attribute: [{ name: 'perm', type: 7, ints: [1, 0] }] }),
        node('MatMul', ['h', 't'], ['s']),
        node('Add', ['s', 'mask'], ['m']),
        node('Softmax', ['m'], ['p']),
        node('MatMul', ['p', 'x'], ['y']),
      ],
      tensors: [weight('w'), floatTensor('mask', [size, size], mask)],
    });
    expect(kept['Softmax_p']).toBe('float16 does not hold the constant -3.4e+38');
    expect(db).toBeGreaterThan(60);
  });

  test('a small constant under a logarithm, through what moves it', async () => {
    const { kept, db } = await run({
      nodes: [
        product,
        node('Abs', ['h'], ['a']),
        constant('e', floatTensor('e', [1], [1e-9])),
        node('Expand', ['e', 'shape'], ['many']),
        node('Add', ['a', 'many'], ['g']),
        node('Log', ['g'], ['y']),
      ],
      tensors: [weight('w'), { name: 'shape', dims: [2], dataType: 7, int64Data: [4, 64] }],
    });
    expect(Object.keys(kept)).toEqual(['Abs_a', 'Add_g', 'Log_y']);
    expect(db).toBeGreaterThan(50);
  });

  test('a small bound of Clip under a division', async () => {
    const { kept, db } = await run({
      nodes: [
        product,
        node('Abs', ['h'], ['a']),
        node('ReduceMean', ['a'], ['r'], { attribute: [{ name: 'axes', type: 7, ints: [-1] }] }),
        node('Clip', ['r', 'e'], ['g']),
        node('Div', ['h', 'g'], ['y']),
      ],
      tensors: [weight('w'), scalar('e', 1e-12)],
    });
    expect(Object.keys(kept)).toEqual(['Clip_g', 'Div_y']);
    expect(kept['Clip_g']).toBe('float16 does not hold the constant 1e-12 with full precision');
    expect(db).toBeGreaterThan(50);
  });

  test('but not a small constant that guards nothing', async () => {
    const { kept } = await run({
      nodes: [product, node('Add', ['h', 'e'], ['g']), node('MatMul', ['g', 'v'], ['y'])],
      tensors: [weight('w'), weight('v'), scalar('e', 3e-5)],
    });
    expect(kept).toEqual({});
  });

  test('a weight with a value over 65504 stays in float32', async () => {
    const big = weight('w');
    const values = randomValues(64 * 64, 1);
    values[7] = 1e6;
    const { kept, db } = await run({
      nodes: [product, node('MatMul', ['h', 'v'], ['y'])],
      tensors: [{ ...big, ...floatTensor('w', [64, 64], values) }, weight('v')],
    });
    expect(kept).toEqual({ MatMul_h: 'float16 does not hold the constant 1000000' });
    expect(db).toBeGreaterThan(40);
  });
});

test('thousands of sines of one value are planned in linear time', () => {
  const count = 8000;
  const sines = Array.from({ length: count }, (_, at) => node('Sin', ['t'], [`s${at}`]));
  const file = writeFile(
    folder,
    model({
      node: [node('Neg', ['x'], ['t']), ...sines, node('MatMul', ['s0', 'w'], ['y'])],
      initializer: [weight('w')],
      input: [value('x', [4, 64])],
      output: [value('y', [])],
    }),
  );
  const session = Session.open(file, pool);
  const wanted = recipe('float16', { minElements: 1024 });
  const plan = session.plan(wanted, 'float16');
  const time = cpuMilliseconds(() => {
    const layout = session.opened.layout(plan, 'float16', wanted, 'out.onnx', new Map());
    expect(layout.operators?.length).toBeGreaterThanOrEqual(0);
  });
  session.close();
  expect(time).toBeLessThan(2000);
});

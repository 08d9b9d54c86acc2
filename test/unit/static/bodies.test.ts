import * as path from 'node:path';
import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { Session } from '../../../electron/engine/session.ts';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { valueKey } from '../../../shared/graph.ts';
import { growingLoopModel, ifModel, loopModel, scanModel } from '../../helpers/body-models.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { call, functionModel } from '../../helpers/onnx-functions.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { exportStatic } from '../../helpers/static-export.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const { signal } = new AbortController();
const SAMPLES = { inputs: null, samples: 12, seed: 1 };

const exported = (bytes: Uint8Array, wanted = recipe('static-int8')) =>
  exportStatic({ pool, folder }, writeFile(folder, bytes), wanted, SAMPLES);

/** Which integer kernels onnxruntime runs, and how many of each. */
async function integerKernels(file: string): Promise<Readonly<Record<string, number>>> {
  const out = path.join(folder, 'optimized.onnx');
  const request = { kind: 'optimize', model: file, out } as const;
  const { integerNodes } = await runInRuntime(sharedRuntime, request, signal, () => undefined);
  return Object.fromEntries(integerNodes.map(({ op, count }) => [op, count]));
}

async function sqnrOf(bytes: Uint8Array, out: string, feeds: Feeds): Promise<number> {
  const file = writeFile(folder, bytes);
  const sqnr: number[] = [];
  for (const seed of [5, 6, 7]) {
    const [before, after] = [await runOnnx(file, feeds, seed), await runOnnx(out, feeds, seed)];
    for (const name of Object.keys(before)) sqnr.push(outputSqnr(before[name]!, after[name]!));
  }
  return Math.min(...sqnr);
}

const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const });
type Feeds = Parameters<typeof runOnnx>[1];
const CELL = { x: float(5, 2, 16), start: float(2, 32) };

describe('operators in bodies compute on integers', () => {
  test('in both branches of an If, with a weight of the main graph', async () => {
    const { out, plan, graph, observed } = await exported(ifModel());
    const integers = plan.operators.filter(({ isInteger }) => isInteger);
    expect(integers.map(({ operator }) => graph.operators[operator]!.op)).toEqual(
      expect.arrayContaining(['Conv', 'Conv', 'Gemm', 'Gemm']),
    );
    // Both branches call their value r: each is observed where it is computed.
    expect([...observed.keys()].filter((name) => name.endsWith('/r'))).toEqual([
      'choose.then_branch/r',
      'choose.else_branch/r',
    ]);
    const kernels = await integerKernels(out);
    expect(kernels).toMatchObject({ QLinearConv: 2, QGemm: 2 });
    expect(await sqnrOf(ifModel(), out, { x: float(1, 3, 6, 6) })).toBeGreaterThan(30);
  });

  test('in a Loop, over all of its iterations', async () => {
    const { out, observed, graph, proto } = await exported(loopModel());
    const state = graph.values.find(({ name }) => name === 's')!;
    // 12 samples of 5 iterations, and not one of each.
    expect(observed.get(valueKey(state))!.count).toBe(12 * 5 * 2 * 32);
    expect(await integerKernels(out)).toMatchObject({ QGemm: 2, MatMulIntegerToFloat: 1 });
    expect(await sqnrOf(loopModel(), out, CELL)).toBeGreaterThan(30);
    // onnxruntime prepares MatMul and Add as a Gemm, whose bias no integer kernel takes.
    const body = proto.graph!.node!.find(({ opType }) => opType === 'Loop')!.attribute![0]!.g!;
    const cell = body.node!.find(({ opType, input }) => opType === 'Gemm' && input!.length === 2)!;
    expect(body.node!.some(({ input }) => input!.includes(cell.output![0]!))).toBe(true);
  });

  test('in a Scan that says where its outputs are stacked', async () => {
    const { out } = await exported(scanModel());
    expect(await integerKernels(out)).toMatchObject({ QGemm: 2 });
    expect(await sqnrOf(scanModel(), out, CELL)).toBeGreaterThan(30);
  });

  test('in a function, which is inlined', async () => {
    const body = {
      name: 'Dense',
      inputs: ['a', 'w'],
      outputs: ['c'],
      nodes: [node('MatMul', ['a', 'w'], ['b']), node('Relu', ['b'], ['c'])],
    };
    const weight = floatTensor('v', [64, 64], randomValues(4096, 1));
    const graph = {
      node: [call('Dense', ['x', 'v'], ['y'])],
      initializer: [weight],
      input: [value('x', [4, 64])],
      output: [value('y', [4, 64])],
    };
    const bytes = functionModel(graph, [body]);
    const { out } = await exported(bytes);
    expect(await integerKernels(out)).toMatchObject({ MatMulIntegerToFloat: 1 });
    expect(await sqnrOf(bytes, out, { x: float(4, 64) })).toBeGreaterThan(30);
  });
});

describe('an operator in a body stays in float with the reason', () => {
  test('a value whose shape differs between iterations', async () => {
    const { out, plan } = await exported(growingLoopModel());
    const reasons = plan.operators.map(({ reason }) => reason);
    expect(reasons).toContain('grow.body/s: its shape differs between the iterations of a loop');
    // What is outside of the loop is observed all the same.
    expect(plan.operators.filter(({ isInteger }) => isInteger)).toHaveLength(1);
    expect(await sqnrOf(growingLoopModel(), out, { x: float(1, 32) })).toBeGreaterThan(30);
  });

  test('a branch that no sample takes', async () => {
    const positive = { inputs: null, samples: 1, seed: 3 };
    const { plan } = await exportStatic(
      { pool, folder },
      writeFile(folder, ifModel()),
      recipe('static-int8'),
      positive,
    );
    const reasons = plan.operators.map(({ reason }) => reason ?? '');
    expect(
      reasons.filter((reason) => / was not computed in any sample$/.test(reason)),
    ).toHaveLength(2);
  });
});

test('a body of an operator that is not If, Loop or Scan, and a name that two values have', () => {
  const inner = (g: onnx.IGraphProto): onnx.IAttributeProto => ({ name: 'body', type: 5, g });
  const product = (path: string): onnx.INodeProto =>
    node('SequenceMap', ['xs'], ['ys'], {
      name: path,
      attribute: [
        inner({
          name: path,
          node: [node('MatMul', ['a', 'w'], ['b'])],
          input: [value('a', [1, 64])],
          output: [value('b', [1, 64])],
        }),
      ],
    });
  const session = Session.open(
    writeFile(
      folder,
      model({
        node: [product('map'), product('map'), product('other')],
        input: [value('x', [1])],
        output: [value('x', [1])],
        initializer: [floatTensor('w', [64, 64], randomValues(4096, 1))],
      }),
    ),
    pool,
  );
  const { skipped } = session.opened.observable!();
  session.close();
  const twice = 'another value of the model is known by its name';
  expect(skipped).toEqual([
    { name: 'map.body/a', reason: twice },
    { name: 'map.body/b', reason: twice },
    {
      name: 'other.body/a',
      reason: 'it is in a body of SequenceMap, whose values are not observed',
    },
    {
      name: 'other.body/b',
      reason: 'it is in a body of SequenceMap, whose values are not observed',
    },
  ]);
});

test('a Slice behind an integer Conv, whose limits are stored tensors, has no bias', async () => {
  const limit = (name: string, at: number) => ({ name, dataType: 7, dims: [1], int64Data: [at] });
  const bytes = model({
    node: [
      node('Conv', ['x', 'w1'], ['c']),
      node('Slice', ['c', 'from', 'to', 'axis'], ['s']),
      node('Conv', ['s', 'w2'], ['y']),
    ],
    input: [value('x', [1, 4, 8, 8])],
    output: [value('y', [1, 8, 3, 3])],
    initializer: [
      floatTensor('w1', [16, 4, 3, 3], randomValues(576, 1)),
      floatTensor('w2', [8, 16, 3, 3], randomValues(1152, 2)),
      ...[limit('from', 0), limit('to', 5), limit('axis', 2)],
    ],
  });
  const { out } = await exported(bytes);
  expect(await integerKernels(out)).toMatchObject({ QLinearConv: 2 });
});

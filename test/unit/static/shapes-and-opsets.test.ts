import * as fs from 'node:fs';
import * as path from 'node:path';
import { zipSync } from 'fflate';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { NO_HINTS } from '../../../electron/engine/runtime/inputs.ts';
import type { ObserveRequest } from '../../../electron/engine/calibrate/observe.ts';
import { BASE_ACTIVATIONS, type Recipe } from '../../../shared/recipe.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { writeExternalModel } from '../../helpers/external-model.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats, floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { exportStatic } from '../../helpers/static-export.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;

/** Samples of the input x, one for each list of values. */
function samplesOf(name: string, samples: readonly (readonly number[])[]): string {
  const place = path.join(folder, name);
  fs.mkdirSync(place);
  for (const [at, values] of samples.entries())
    fs.writeFileSync(
      path.join(place, `${at}.npy`),
      npyFile('<f4', [1, values.length], floats(values)),
    );
  return place;
}

function observe(request: Partial<ObserveRequest> & Pick<ObserveRequest, 'model' | 'values'>) {
  const defaults = { inputs: null, samples: 3, seed: 1, hints: NO_HINTS, folder };
  const whole = { kind: 'observe', ...defaults, ...request } as const;
  return runInRuntime(sharedRuntime, whole, signal, () => undefined);
}

describe('observation', () => {
  const file = (): string =>
    writeFile(
      folder,
      model({
        node: [
          node('Relu', ['x'], ['r']),
          node('Neg', ['r'], ['n']),
          node('Sigmoid', ['n'], ['y']),
        ],
        input: [value('x', [1, 'length'])],
        output: [value('y', [1, 'length'])],
      }),
    );

  test('finds the same where one run may give few bytes, so that each value has a run of its own', async () => {
    const request = { model: file(), values: ['x', 'r', 'n', 'y'] };
    const [whole, parts] = [
      await observe(request),
      await observe({ ...request, observedBytes: 1 }),
    ];
    expect(whole.values.map(({ name }) => name)).toEqual(['x', 'r', 'n', 'y']);
    expect(parts).toEqual(whole);
  });

  test('takes samples of different shapes together', async () => {
    const inputs = samplesOf('lengths', [[1, -2], [3, 4, 5, -6, 7], [0.5]]);
    const found = await observe({ model: file(), values: ['x', 'r'], inputs });
    expect(found.samples).toBe(3);
    const facts = found.values.map(({ name, min, max, count }) => [name, min, max, count]);
    expect(facts).toEqual([
      ['x', -6, 7, 8],
      ['r', 0, 7, 8],
    ]);
  });
});

/** x -> Conv -> Relu -> Conv -> y. */
function twoConvs(opset: number): string {
  return writeFile(
    folder,
    model(
      {
        node: [
          node('Conv', ['x', 'w1', 'b1'], ['c']),
          node('Relu', ['c'], ['r']),
          node('Conv', ['r', 'w2', 'b2'], ['y']),
        ],
        input: [value('x', [1, 3, 8, 8])],
        output: [value('y', [1, 8, 4, 4])],
        initializer: [
          floatTensor('w1', [8, 3, 3, 3], randomValues(216, 1)),
          floatTensor('b1', [8], randomValues(8, 2)),
          floatTensor('w2', [8, 8, 3, 3], randomValues(576, 3)),
          floatTensor('b2', [8], randomValues(8, 4)),
        ],
      },
      { opset },
    ),
  );
}

const PICTURE = { x: { shape: [1, 3, 8, 8], dtype: 'float32' as const } };

/** The SQNR of an export's output y, and how many of its operators are planned on integers. */
async function exportOf(
  file: string,
  wanted: Recipe,
  feeds: Parameters<typeof runOnnx>[1],
): Promise<{ sqnrDb: number; integer: number; proto: onnx.ModelProto; out: string }> {
  const { out, plan, proto } = await exportStatic({ pool, folder }, file, wanted);
  const [before, after] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  const integer = plan.operators.filter(({ isInteger }) => isInteger).length;
  return { sqnrDb: outputSqnr(before['y']!, after['y']!), integer, proto, out };
}

describe('a static export', () => {
  test.each([11, 21])('of opset %i runs on integers', async (opset) => {
    const found = await exportOf(twoConvs(opset), recipe('static-int8'), PICTURE);
    expect(found.integer).toBe(2);
    expect(found.sqnrDb).toBeGreaterThan(30);
  });

  test('with activations of 16 bits is more accurate', async () => {
    const file = twoConvs(13);
    const activations = { ...BASE_ACTIVATIONS, dtype: 'int16', range: 'minmax' } as const;
    const eight = await exportOf(file, recipe('static-int8'), PICTURE);
    const sixteen = await exportOf(file, recipe('static-int8', { activations }), PICTURE);
    expect(sixteen.sqnrDb).toBeGreaterThan(eight.sqnrDb + 3);
    const types = sixteen.proto.graph!.initializer!.map(({ dataType }) => dataType);
    expect(types).toContain(onnx.TensorProto.DataType.INT16);
  });

  test('without Conv, MatMul and Gemm computes in float, and answers as its source', async () => {
    const file = writeFile(
      folder,
      model({
        node: [node('Relu', ['x'], ['r']), node('Mul', ['r', 'w'], ['y'])],
        input: [value('x', [2, 8])],
        output: [value('y', [2, 8])],
        initializer: [floatTensor('w', [8], randomValues(8, 1))],
      }),
    );
    const feeds = { x: { shape: [2, 8], dtype: 'float32' as const } };
    const found = await exportOf(file, recipe('static-int8'), feeds);
    expect([found.integer, found.sqnrDb]).toEqual([0, Infinity]);
  });

  test('of a model with external data runs on integers', async () => {
    const feeds = { x: { shape: [2, 128], dtype: 'float32' as const } };
    const file = writeExternalModel(folder, 'external');
    const found = await exportOf(file, recipe('static-int8'), feeds);
    expect(found.integer).toBe(2);
    expect(found.sqnrDb).toBeGreaterThan(30);
  });

  test('gives branches of an If the value that its codes stand for', async () => {
    const branch = (name: string, op: string): onnx.IAttributeProto => ({
      ...{ name, type: 5 },
      g: { name, node: [node(op, ['r'], [`${name}_y`])], output: [value(`${name}_y`, ['a'])] },
    });
    const attribute = [branch('then_branch', 'Neg'), branch('else_branch', 'Abs')];
    const file = writeFile(
      folder,
      model({
        node: [
          node('Conv', ['x', 'w', 'b'], ['c']),
          node('Relu', ['c'], ['r']),
          node('ReduceSum', ['r'], ['s'], { attribute: [{ name: 'keepdims', type: 2, i: 0 }] }),
          node('Greater', ['s', 'zero'], ['is']),
          node('If', ['is'], ['y'], { attribute }),
        ],
        input: [value('x', [1, 3, 8, 8])],
        output: [value('y', ['a', 'b', 'c', 'd'])],
        initializer: [
          floatTensor('w', [64, 3, 3, 3], randomValues(1728, 1)),
          floatTensor('b', [64], randomValues(64, 2)),
          floatTensor('zero', [], [0]),
        ],
      }),
    );
    const found = await exportOf(file, recipe('static-int8'), PICTURE);
    expect(found.integer).toBe(1);
    expect(found.sqnrDb).toBeGreaterThan(30);
  });
});

test('a model with state is calibrated over sequences: its state goes on from step to step', async () => {
  const file = writeFile(
    folder,
    model({
      node: [node('Add', ['x', 'state'], ['stateN']), node('Relu', ['stateN'], ['y'])],
      input: [value('x', [1, 1]), value('state', [1, 1])],
      output: [value('y', [1, 1]), value('stateN', [1, 1])],
    }),
  );
  const inputs = path.join(folder, 'recordings');
  const recording = path.join(inputs, 'first');
  fs.mkdirSync(recording, { recursive: true });
  for (const step of [1, 2, 3])
    writeFile(
      recording,
      zipSync({ 'x.npy': npyFile('<f4', [1, 1], floats([step])) }),
      `${step}.npz`,
    );
  const found = await observe({ model: file, values: ['stateN'], inputs });
  expect(found.values[0]).toMatchObject({ min: 1, max: 6, count: 3 });
});

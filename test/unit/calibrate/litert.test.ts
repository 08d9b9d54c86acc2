import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeModel } from '../../../electron/engine/export/write-model.ts';
import { SHAPE_SUFFIX } from '../../../electron/engine/formats/format.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { PreparedModel } from '../../../electron/engine/calibrate/prepared.ts';
import type { ObserveResult } from '../../../electron/engine/calibrate/observe.ts';
import { runBeside } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { table, tables, text, i32 } from '../../helpers/flatbuffer.ts';
import { bytesOf, litertModel } from '../../helpers/litert-model.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { npyFile } from '../../helpers/npy.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { readGolden } from '../quantize/goldens.ts';

const { ranges } = readGolden<{
  ranges: { file: string; values: Record<string, [number, number]> };
}>('litert_runs.json');

const folder = temporaryFolder();
const pool = testPool();
const options = { signal: new AbortController().signal };

async function calibrate(file: string, inputs: readonly string[] | null): Promise<ObserveResult> {
  const session = Session.open(file, pool);
  const prepared = await PreparedModel.make(session, pool, sharedRuntime, options);
  try {
    return await prepared.calibrate({ inputs, samples: 2, seed: 0 }, options);
  } finally {
    prepared.close();
    session.close();
  }
}

/** A copy of a model that gives values besides its outputs. */
async function observed(
  file: string,
  what: 'values' | 'shapes' = 'values',
): Promise<{ readonly copy: string; readonly names: string[] }> {
  const opened = openModel(file);
  const names = opened.graph().values.map(({ name }) => name);
  const target = path.join(folder, `${what}-${path.basename(file)}`);
  await writeModel({
    ...{ layout: opened.withOutputs!(names, what), files: opened.files, target, replaced: [] },
    ...{ signal: options.signal, encode: () => Promise.resolve(), onProgress: () => undefined },
  });
  opened.close();
  return { copy: target, names };
}

describe('calibration of LiteRT models', () => {
  test('finds the ranges that tf.lite.Interpreter has between operators', async () => {
    const file = LITERT_MODELS.faceShort;
    expect(path.basename(file)).toBe(ranges.file);
    // The formula of litert_runs.py.
    const data = Float32Array.from(
      { length: 128 * 128 * 3 },
      (_, at) => (Math.imul(at + 1, 2654435761) >>> 0) / 2 ** 32,
    );
    const sample = writeFile(folder, npyFile('<f4', [1, 128, 128, 3], bytesOf(data)), 'input.npy');
    const { values, skipped } = await calibrate(file, [sample]);
    expect([values.length, skipped]).toEqual([91, []]);
    for (const { name, min, max } of values) {
      const [low, high] = ranges.values[name]!;
      const size = Math.max(Math.abs(low), Math.abs(high));
      expect(Math.abs(min - low) / size, name).toBeLessThan(2e-6);
      expect(Math.abs(max - high) / size, name).toBeLessThan(2e-6);
    }
  });

  test.each(['faceShort', 'selfie'] as const)(
    'a copy of %s that gives every value answers as the model does',
    async (name) => {
      const file = LITERT_MODELS[name];
      const session = Session.open(file, pool);
      const { copy } = await observed(file);
      const wanted = { samples: 1, seed: 0, inputs: null };
      const { outputs } = await runBeside(session, sharedRuntime, copy, wanted, options);
      session.close();
      for (const output of outputs) expect(output.sqnrDb).toBeGreaterThan(100);
    },
  );

  test('inputs and outputs are observed too, by the names of their tensors; constants are not', async () => {
    const map = (name: string, tensor: number) => table({ 0: text(name), 1: i32(tensor) });
    const signature = table({
      ...{ 0: tables([map('image', 0)]), 1: tables([map('sum', 4), map('y', 3)]) },
      ...{ 2: text('serve'), 4: i32(0) },
    });
    const add = (inputs: number[], output: number) =>
      ({ op: 'ADD', inputs, outputs: [output], options: [11, table({})] }) as const;
    const { bytes } = litertModel({
      graphs: [
        {
          tensors: [
            { name: 'x', shape: [1, 2] },
            { name: 'c', shape: [1, 2], buffer: 1 },
            { name: 'twice c', shape: [1, 2] },
            // The signature calls tensor y "sum", and another one y.
            { name: 'x + 2c', shape: [1, 2] },
            { name: 'y', shape: [1, 2] },
          ],
          operators: [add([1, 1], 2), add([0, 2], 3), add([3, 3], 4)],
          inputs: [0],
          outputs: [4, 3],
        },
      ],
      buffers: [bytesOf(Float32Array.of(1, -2))],
      extra: { 7: tables([signature]) },
    });
    const file = writeFile(folder, bytes, 'named.tflite');
    const image = npyFile('<f4', [1, 2], bytesOf(Float32Array.of(3, 5)));
    const { values } = await calibrate(file, [writeFile(folder, image, 'image.npy')]);
    expect(values.map(({ name, min, max }) => [name, min, max])).toEqual([
      ['x', 3, 5],
      ['x + 2c', 1, 5],
      ['y', 2, 10],
    ]);
  });

  test('shapes are outputs of their own, of values that have axes', async () => {
    const { copy } = await observed(LITERT_MODELS.faceShort, 'shapes');
    const opened = openModel(copy);
    const shown = opened.properties().signatures.shown[0]!.outputs.shown.map(({ name }) => name);
    opened.close();
    expect(shown.slice(0, 3)).toEqual(['regressors', 'classificators', `input${SHAPE_SUFFIX}`]);
  });

  test('a model with sparse weights is refused, as LiteRT would compute other values', async () => {
    await expect(calibrate(LITERT_MODELS.faceSparse, null)).rejects.toThrow(
      /has sparse weights, and LiteRT computes wrong values when those between are observed/,
    );
  });
});

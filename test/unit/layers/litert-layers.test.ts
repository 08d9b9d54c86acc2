import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { PreparedModel } from '../../../electron/engine/calibrate/prepared.ts';
import { measureLayersOf, runBeside } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import type { LayerErrors } from '../../../shared/layer-errors.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { exactPattern } from '../../../shared/patterns.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { loopModel, denseModel } from '../../helpers/litert-model.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { randomValues } from '../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const options = { signal: new AbortController().signal };
const inputs = { samples: 1, seed: 0, inputs: null };

async function measured(file: string, wanted: Recipe, mode: ExportMode): Promise<LayerErrors> {
  const session = Session.open(file, pool);
  const out = path.join(fs.mkdtempSync(path.join(folder, 'out-')), 'out.tflite');
  await session.export(wanted, mode, out, options);
  const found = await measureLayersOf(session, sharedRuntime, out, inputs, options);
  session.close();
  return found;
}

/** Measured once, for two tests. */
let dynamic: Promise<LayerErrors> | undefined;
const measuredDynamic = (): Promise<LayerErrors> =>
  (dynamic ??= measured(LITERT_MODELS.faceShort, recipe('litert-dynamic'), 'dynamic'));

test('the layers of a dynamic export have errors, in the order of execution', async () => {
  const { layers, skipped } = await measuredDynamic();
  expect(skipped).toEqual([]);
  expect(layers.map(({ name }) => name).slice(0, 3)).toEqual(['conv2d', 'conv2d_4', 'conv2d_5']);
  expect(layers.length).toBe(16);
  // Its inputs are the model's.
  expect(layers[0]!.localSqnrDb).toBeCloseTo(layers[0]!.accumulatedSqnrDb!, 9);
  for (const { localSqnrDb, tensors } of layers) {
    expect(localSqnrDb).toBeGreaterThan(20);
    expect(tensors).toHaveLength(1);
  }
});

test('the local error of a layer is the accumulated one where no other is quantized', async () => {
  const file = LITERT_MODELS.faceShort;
  const all = await measuredDynamic();
  const session = Session.open(file, pool);
  // Of the others alone the file would grow, so that they would stay as they are.
  const bytes = ({ tensors }: LayerErrors['layers'][number]): number =>
    session.tensors[tensors[0]!]!.bytes;
  for (const layer of [...all.layers].sort((a, b) => bytes(b) - bytes(a)).slice(0, 2)) {
    const { name } = session.tensors[layer.tensors[0]!]!;
    const own = recipe('litert-dynamic');
    const rules = [{ match: { name: exactPattern(name) }, scheme: own.default }];
    const alone = await measured(file, { ...own, default: null, rules }, 'dynamic');
    expect(alone.layers.map((each) => each.name)).toEqual([layer.name]);
    expect(alone.layers[0]!.accumulatedSqnrDb).toBeCloseTo(layer.localSqnrDb!, 3);
    expect(alone.layers[0]!.localSqnrDb).toBeCloseTo(layer.localSqnrDb!, 3);
  }
  session.close();
});

test('weights that are restored have the error of their codes, and so has a layer in float16', async () => {
  const file = writeFile(
    folder,
    denseModel(64, 64, Float32Array.from(randomValues(64 * 64, 1))).bytes,
    'dense.tflite',
  );
  for (const [name, mode] of [
    ['litert-dynamic', 'qdq'],
    ['float16', 'float'],
  ] as const) {
    const { layers, skipped } = await measured(file, recipe(name), mode);
    expect(skipped).toEqual([]);
    expect(layers).toMatchObject([{ name: 'y', op: 'FULLY_CONNECTED' }]);
    expect(layers[0]!.localSqnrDb).toBeGreaterThan(name === 'float16' ? 60 : 35);
    expect(layers[0]!.accumulatedSqnrDb).toBeCloseTo(layers[0]!.localSqnrDb!, 6);
  }
});

test('operators on integers without weights are layers of a static export, too', async () => {
  const file = LITERT_MODELS.faceShort;
  const session = Session.open(file, pool);
  const prepared = await PreparedModel.make(session, pool, sharedRuntime, options);
  prepared.use(await prepared.calibrate({ inputs: null, samples: 1, seed: 0 }, options));
  const out = path.join(folder, 'static.tflite');
  await prepared.session.export(recipe('litert-full-integer'), 'static', out, options);
  prepared.close();
  const { layers, skipped } = await measureLayersOf(session, sharedRuntime, out, inputs, options);
  const { outputs } = await runBeside(session, sharedRuntime, out, inputs, options);
  session.close();
  expect(skipped).toEqual([]);
  // A RELU is fused into what is before it: a CONV_2D is found by its weight, an ADD has none.
  expect(layers.slice(0, 4).map(({ name, tensors }) => [name, tensors.length])).toEqual([
    ['conv2d', 1],
    ['depthwise_conv2d', 1],
    ['conv2d_1', 1],
    ['activation_1', 0],
  ]);
  for (const { localSqnrDb } of layers) expect(localSqnrDb).not.toBeNull();
  expect(layers[0]!.localSqnrDb).toBeCloseTo(layers[0]!.accumulatedSqnrDb!, 9);
  // What the last layer that makes an output has accumulated is what the output has.
  for (const { name, sqnrDb } of outputs) {
    const last = layers.find((layer) => layer.name === name);
    expect(last?.accumulatedSqnrDb).toBeCloseTo(sqnrDb!, 3);
  }
});

test('an operator that runs other graphs is a layer as a whole', async () => {
  const file = writeFile(
    folder,
    loopModel(48, Float32Array.from(randomValues(48 * 48, 2))).bytes,
    'loop.tflite',
  );
  const { layers, skipped } = await measured(file, recipe('litert-dynamic'), 'qdq');
  expect(skipped).toEqual([]);
  expect(layers).toMatchObject([{ name: 'i out', op: 'WHILE', tensors: [1] }]);
  expect(layers[0]!.localSqnrDb).toBeGreaterThan(30);
  expect(layers[0]!.localSqnrDb).toBeLessThan(60);
  expect(layers[0]!.localSqnrDb).toBe(layers[0]!.accumulatedSqnrDb);
});

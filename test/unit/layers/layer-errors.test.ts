import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  measureLayers,
  type LayersRequest,
} from '../../../electron/engine/layers/measure-layers.ts';
import { measureLayersOf } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { NO_HINTS } from '../../../electron/engine/runtime/inputs.ts';
import { LAYER_PARTS, type LayerErrors, type LayerPart } from '../../../shared/layer-errors.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { testPool } from '../../helpers/engine.ts';
import { writeExternalModel } from '../../helpers/external-model.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { root } from '../../helpers/root.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const goldens = path.join(root, 'test/fixtures/goldens/layers');

/** By model, mode and operator: local and accumulated SQNR in dB (test/reference/layer_errors.py). */
type Golden = Record<string, Record<string, Record<string, readonly [number, number]>>>;
const golden = JSON.parse(fs.readFileSync(path.join(goldens, 'layers.json'), 'utf8')) as Golden;

/** Beyond this SQNR the order of float32 sums decides. */
const SURE_DB = 120;

const RECIPES: Partial<Record<ExportMode, string>> = {
  qdq: 'int8',
  dynamic: 'int8',
  static: 'static-int8',
  float: 'bfloat16',
  float16: 'float16',
  nbits: 'uint4-block32',
};

/** One export of each model and mode is measured once, whatever tests ask of it. */
const known = new Map<string, Promise<LayerErrors>>();

function measured(name: string, mode: ExportMode): Promise<LayerErrors> {
  const key = `${name} ${mode}`;
  const made = known.get(key) ?? measure(name, mode);
  known.set(key, made);
  return made;
}

async function exported(name: string, mode: ExportMode): Promise<LayersRequest> {
  const original = path.join(goldens, `${name}.onnx`);
  const inputs = { inputs: path.join(goldens, name), samples: 3, seed: 0 };
  const out =
    mode === 'static'
      ? path.join(goldens, `${name}.static.onnx`)
      : (await exporter(pool, folder)(original, recipe(RECIPES[mode]!), mode)).out;
  const own = fs.mkdtempSync(path.join(folder, 'run-'));
  return { original, exported: out, folder: own, ...inputs, hints: NO_HINTS };
}

async function measure(name: string, mode: ExportMode): Promise<LayerErrors> {
  return await measureLayers(await exported(name, mode), () => undefined);
}

function expectEqual(
  layers: LayerErrors['layers'],
  reference: Record<string, readonly [number, number]>,
): void {
  for (const layer of layers) {
    const [local, accumulated] = reference[layer.name]!;
    for (const [ours, theirs] of [
      [layer.localSqnrDb, local],
      [layer.accumulatedSqnrDb, accumulated],
    ] as const)
      if (Math.min(ours!, theirs) < SURE_DB)
        expect(Math.abs(ours! - theirs), `${layer.name} ${ours} ${theirs}`).toBeLessThan(0.1);
  }
}

/** The layers that weights, and activations, alone make an error of. */
const PARTS: Record<string, Record<LayerPart, readonly string[]>> = {
  pictures: {
    weights: ['stem', 'body', 'squeeze', 'head'],
    activations: ['stem', 'relu', 'body', 'squeeze', 'head'],
  },
  words: {
    weights: ['e', 'q', 'k', 'v', 'o', 'u', 'y'],
    activations: ['q', 'k', 'v', 'o', 'u', 'y'],
  },
  // A normalization is folded into the Conv before it. The activations' copy is the original with both: its layers have
  // the names of the export's.
  folded: {
    weights: ['one', 'two', 'head'],
    activations: ['one', 'relu', 'two', 'head'],
  },
};

describe.each(Object.keys(golden))('%s', (name) => {
  test.each(Object.keys(RECIPES) as ExportMode[])(
    'mode %s: local and accumulated errors equal the reference to 0.1 dB',
    async (mode) => {
      const { layers, skipped, samples } = await measured(name, mode);
      expect(samples).toBe(3);
      expect(skipped).toEqual([]);
      expect(layers.length).toBeGreaterThan(0);
      expectEqual(layers, golden[name]![mode]!);
    },
  );
});

describe.each(Object.keys(golden))('%s', (name) => {
  test.each(LAYER_PARTS)(
    'the errors that %s of a static export alone make equal the reference to 0.1 dB',
    async (only) => {
      const { layers, skipped } = await measureLayers(
        { ...(await exported(name, 'static')), only },
        () => undefined,
      );
      expect(skipped).toEqual([]);
      const { norm_two: two, ...others } = golden[name]![`static, ${only}`]!;
      // The reference has the name of the operator that makes the value.
      expectEqual(layers, two === undefined ? others : { ...others, two });
      expect(layers.map((layer) => layer.name)).toEqual(PARTS[name]![only]);
    },
  );
});

test.each(['dynamic', 'qdq'] as const)(
  'of mode %s activations are not measured alone',
  async (mode) => {
    const request = { ...(await exported('words', mode)), only: 'activations' } as const;
    await expect(measureLayers(request, () => undefined)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining(
        'has no activations that can be measured by themselves',
      ) as string,
    });
  },
);

test('the weights of an export that stores weights alone are all of it', async () => {
  const request = { ...(await exported('pictures', 'qdq')), only: 'weights' } as const;
  expect(await measureLayers(request, () => undefined)).toEqual(await measured('pictures', 'qdq'));
});

test('layers are those that the mode quantizes, in the order of execution', async () => {
  const names = async (name: string, mode: ExportMode): Promise<string[]> =>
    (await measured(name, mode)).layers.map((layer) => layer.name);
  expect(await names('pictures', 'qdq')).toEqual(['body']);
  expect(await names('words', 'dynamic')).toEqual(['e', 'q', 'k', 'v', 'o', 'u', 'y']);
  // Batch normalization is folded into stem before; the pools and the gate stay in float.
  expect(await names('pictures', 'static')).toEqual(['stem', 'relu', 'body', 'squeeze', 'head']);
  const all = 'e q k v scores weights mixed o h u ub ur y'.split(' ');
  expect(await names('words', 'float16')).toEqual(all);
});

test('parts of the layers that one run may hold give the same figures as all at once', async () => {
  const request = { ...(await exported('words', 'nbits')), observedBytes: 1 };
  const progress: number[] = [];
  const split = await measureLayers(request, ({ done, of }) => progress.push(done / of));
  expect(split).toEqual(await measured('words', 'nbits'));
  expect(progress.filter((done) => done === 1).length).toBe(split.layers.length);
});

test.each(['qdq', 'dynamic'] as const)(
  'mode %s: names the layers in bodies of If, which it does not measure',
  async (mode) => {
    const file = REAL_MODELS.find(({ name }) => name === 'silero-vad without If')!.file;
    const { out } = await exporter(pool, folder)(file, recipe('int8'), mode);
    const session = Session.open(file, pool);
    const inputs = { inputs: null, samples: 1, seed: 0 };
    const { signal } = new AbortController();
    const found = await measureLayersOf(session, sharedRuntime, out, inputs, { signal });
    session.close();
    expect(found.layers).toEqual([]);
    expect(found.skipped).toContainEqual({
      name: 'node_conv1d_2',
      reason: 'is in node_cond__1.then_branch, and layers of bodies are not measured',
    });
  },
);

test('a model with external data is measured, and its files stay as they are', async () => {
  const file = writeExternalModel(folder, 'external');
  const session = Session.open(file, pool);
  const out = path.join(fs.mkdtempSync(path.join(folder, 'out-')), 'int8.onnx');
  const { signal } = new AbortController();
  await session.export(recipe('int8'), 'qdq', out, { signal });
  const inputs = { inputs: null, samples: 1, seed: 0 };
  const { layers } = await measureLayersOf(session, sharedRuntime, out, inputs, { signal });
  expect(layers.length).toBeGreaterThan(0);
  for (const { localSqnrDb } of layers) expect(localSqnrDb).toBeGreaterThan(30);
  session.assertUnchanged();
  session.close();
});

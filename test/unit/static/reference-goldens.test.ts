import * as fs from 'node:fs';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Recipe } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import {
  describeQdq,
  digest,
  type Described,
  type Description,
} from '../../helpers/qdq-description.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats, randomValues } from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { root } from '../../helpers/root.ts';
import { calibrateStatic, type Calibrated } from '../../helpers/static-export.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const GOLDENS = path.join(root, 'test/fixtures/goldens/static');

interface Goldens {
  readonly operators: readonly string[];
  readonly models: Readonly<Record<string, Readonly<Record<string, Description>>>>;
  readonly real: Readonly<Record<string, Readonly<Record<string, Summary>>>>;
}

/** The parameters of a real model, in the order of the nodes' names; of all but the scales per tensor a digest. */
interface Summary {
  readonly removed: readonly string[];
  readonly places: string;
  /** Base64 of float32 values. */
  readonly scales: string;
  readonly channelScales: string;
  readonly zeroPoints: string;
  readonly codes: string;
}

const goldens = JSON.parse(fs.readFileSync(path.join(GOLDENS, 'static.json'), 'utf8')) as Goldens;

const folder = temporaryFolder();
const pool = testPool();

const PRESET = findPreset('ort-static')!;
const WEIGHTS = PRESET.default!;
const ACTIVATIONS = PRESET.activations!;

/** The settings of test/reference/static.py as recipes. */
const SETTINGS: Readonly<Record<string, Recipe>> = {
  int8: PRESET,
  'uint8 channel': recipe('ort-static', {
    default: { ...WEIGHTS, granularity: 'channel' },
    activations: { ...ACTIVATIONS, dtype: 'uint8' },
  }),
  'int8 percentile': recipe('ort-static', {
    default: { ...WEIGHTS, granularity: 'channel' },
    activations: { ...ACTIVATIONS, range: { percentile: 99 } },
  }),
  'uint8 weights': recipe('ort-static', {
    default: { ...WEIGHTS, dtype: 'uint8', symmetric: false },
    activations: { ...ACTIVATIONS, dtype: 'uint8' },
  }),
  'int8 symmetric': recipe('ort-static', { activations: { ...ACTIVATIONS, symmetric: true } }),
};

/** Goldens hold scales as the shortest decimals that are the same float32. */
function rounded(described: Described | null): Described | null {
  return described === null ? null : { ...described, scale: described.scale.map(Math.fround) };
}

test('ort-static names the operators that quantize_static quantizes by default', () => {
  expect([...ACTIVATIONS.operators!].sort()).toEqual(goldens.operators);
});

/**
 * A difference on purpose: the reference widens the scale of a weight for its bias where the weight is signed only, so
 * that the bias of a uint8 weight is clipped.
 */
function isDifferent(model: string, setting: string, node: string): boolean {
  return model === 'extremes' && setting === 'uint8 weights' && node === 'Gemm_y';
}

/** A model that the tests around calibrate once, and export by each setting. */
function calibratedOn(file: string, inputs: readonly string[]): { readonly model: Calibrated } {
  let model: Calibrated | undefined;
  beforeAll(async () => {
    model = await calibrateStatic({ pool, folder }, file, { inputs, samples: 2, seed: 1 });
  }, 120_000);
  afterAll(() => model?.close());
  return {
    get model() {
      return model!;
    },
  };
}

describe.each(Object.keys(goldens.models))('%s', (name) => {
  const file = writeFile(
    folder,
    gunzipSync(fs.readFileSync(path.join(GOLDENS, `${name}.onnx.gz`))),
    `${name}.onnx`,
  );
  const calibrated = calibratedOn(
    file,
    [0, 1].map((at) => path.join(GOLDENS, `${name}-${at}.npz`)),
  );

  test.each(Object.keys(SETTINGS))(
    '%s: every scale, zero point and code equals onnxruntime’s',
    async (setting) => {
      const golden = goldens.models[name]![setting]!;
      const { proto } = await calibrated.model.export(SETTINGS[setting]!);
      const ours = describeQdq(proto, (node) => !(node in golden.nodes));
      expect(Object.keys(ours.nodes).sort()).toEqual(Object.keys(golden.nodes).sort());
      for (const [node, { inputs, outputs }] of Object.entries(golden.nodes))
        if (!isDifferent(name, setting, node))
          expect({ node, ...ours.nodes[node] }).toEqual({
            node,
            inputs: inputs.map(rounded),
            outputs: outputs.map(rounded),
          });
      for (const [output, golden_] of Object.entries(golden.outputs))
        expect([output, ours.outputs[output]]).toEqual([output, rounded(golden_)]);
    },
  );
});

describe.each(Object.keys(goldens.real))('%s', (name) => {
  const { file, feeds } = REAL_MODELS.find((model) => model.name === name)!;
  const [input] = Object.values(feeds);
  const calibrated = calibratedOn(
    file,
    [5, 6].map((seed) =>
      writeFile(folder, arrayOf(input!.shape, seed), `${path.basename(file)}-${seed}.npy`),
    ),
  );

  test.each(Object.keys(goldens.real[name]!))(
    '%s: every scale, zero point and code equals onnxruntime’s',
    async (setting) => {
      const golden = goldens.real[name]![setting]!;
      const { proto } = await calibrated.model.export(SETTINGS[setting]!);
      const removed = new Set(golden.removed);
      expect(summaryOf(describeQdq(proto, (node) => removed.has(node)))).toEqual({
        ...golden,
        removed: [],
        scales: scalesIn(golden.scales),
      });
    },
    120_000,
  );
});

function arrayOf(shape: readonly number[], seed: number): Uint8Array {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return npyFile('<f4', shape, floats(randomValues(count, seed)));
}

function scalesIn(packed: string): number[] {
  return Array.from(new Float32Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer));
}

function byName<T>(entries: Readonly<Record<string, T>>): T[] {
  return Object.keys(entries)
    .sort()
    .map((name) => entries[name]!);
}

function summaryOf({ nodes, outputs }: Description) {
  const entries = [
    ...byName(nodes).flatMap((node) => [...node.inputs, ...node.outputs]),
    ...byName(outputs),
  ];
  const places = byName(nodes).flatMap((node) =>
    [node.inputs, node.outputs].map((side) =>
      side
        .map((entry) => (entry === null ? '0' : '1'))
        .join('')
        .replace(/0+$/, ''),
    ),
  );
  const found = entries.filter((entry) => entry !== null);
  const [single, channel] = [true, false].map((isSingle) =>
    found.flatMap(({ scale }) => ((scale.length === 1) === isSingle ? scale : [])),
  );
  const zeroPoints = Int32Array.from(found.flatMap(({ zeroPoint }) => zeroPoint));
  return {
    removed: [],
    places: digest(places.join(',')),
    scales: single,
    channelScales: digest(floats(channel!)),
    zeroPoints: digest(new Uint8Array(zeroPoints.buffer)),
    codes: digest(found.map(({ codes }) => codes ?? '').join('')),
  };
}

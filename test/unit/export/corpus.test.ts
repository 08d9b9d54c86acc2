import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { findPreset, type Recipe } from '../../../shared/recipe.ts';
import type { ArrayValue } from '../../../electron/engine/runtime/inputs.ts';
import { readSamples } from '../../../electron/engine/runtime/read-arrays.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { outputSqnr } from '../../helpers/run-onnx.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** Debian's libonnx-testdata, installed by the set-up. */
const CORPUS = '/usr/share/libonnx-testdata/data';
const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;
const half: Recipe = { ...findPreset('float16')!, minElements: 0 };

function* modelFiles(at: string): Generator<string> {
  for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
    const file = path.join(at, entry.name);
    if (entry.isDirectory()) yield* modelFiles(file);
    else if (entry.name.endsWith('.onnx')) yield file;
  }
}

async function exportAs(file: string, recipe: Recipe): Promise<string> {
  const session = Session.open(file, pool);
  const out = path.join(folder, 'out.onnx');
  try {
    await session.export(recipe, 'float', out, { signal: never });
    return out;
  } finally {
    session.close();
  }
}

type Outputs = Record<string, number[]>;

/** Outputs on the test data that comes with a graph; null where onnxruntime does not take graph or data. */
async function answer(file: string, inputs: string): Promise<Outputs | null> {
  let session: ort.InferenceSession | undefined;
  try {
    session = await ort.InferenceSession.create(file, { logSeverityLevel: 4 });
    const [sample] = readSamples(inputs, session.inputNames);
    const feeds = Object.entries(sample!).map(
      ([name, { type, data, dims }]: [string, ArrayValue]) => [
        name,
        new ort.Tensor(type as 'float32', data as Float32Array, [...dims]),
      ],
    );
    const results = await session.run(Object.fromEntries(feeds) as Record<string, ort.Tensor>);
    return Object.fromEntries(
      Object.entries(results).map(([name, value]) => [
        name,
        Array.from(value.data as Float32Array, Number),
      ]),
    );
  } catch {
    return null;
  } finally {
    await session?.release();
  }
}

test('every graph of the ONNX corpus comes out of a no-op export byte for byte, and of a float export with the same answers', async () => {
  let [changed, compared] = [0, 0];
  for (const file of modelFiles(CORPUS)) {
    const source = fs.readFileSync(file);
    expect(
      Buffer.compare(fs.readFileSync(await exportAs(file, { ...half, default: null })), source),
      file,
    ).toBe(0);
    const out = await exportAs(file, half);
    if (Buffer.compare(fs.readFileSync(out), source) === 0) continue;
    changed++;
    const inputs = path.join(path.dirname(file), 'test_data_set_0');
    const before = await answer(file, inputs);
    if (before === null) continue;
    const after = await answer(out, inputs);
    expect(after, file).not.toBeNull();
    compared++;
    for (const [name, values] of Object.entries(before))
      expect(outputSqnr(values, after![name]!), `${file} ${name}`).toBeGreaterThan(40);
  }
  // Few of these tiny graphs have a weight that shrinks; each that does is compared.
  expect(changed).toBeGreaterThan(0);
  expect(compared).toBe(changed);
}, 240_000);

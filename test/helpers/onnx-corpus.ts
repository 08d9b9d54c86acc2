import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ort from 'onnxruntime-node';
import { NO_HINTS, type ArrayValue } from '../../electron/engine/runtime/inputs.ts';
import { openSamples } from '../../electron/engine/calibrate/data/samples.ts';
import { ONE_THREAD } from './run-onnx.ts';

/** Debian's libonnx-testdata, installed by the set-up. */
export const CORPUS = '/usr/share/libonnx-testdata/data';

/** Every model of a folder and those below it. */
export function* modelFiles(at: string): Generator<string> {
  for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
    const file = path.join(at, entry.name);
    if (entry.isDirectory()) yield* modelFiles(file);
    else if (entry.name.endsWith('.onnx')) yield file;
  }
}

export type Outputs = Record<string, number[]>;

/**
 * Outputs on the test data that comes with a graph; null where onnxruntime does not take graph or data.
 * @param model what is run in the graph's place
 */
export async function answer(file: string, model = file): Promise<Outputs | null> {
  let session: ort.InferenceSession | undefined;
  const inputs = path.join(path.dirname(file), 'test_data_set_0');
  try {
    session = await ort.InferenceSession.create(model, { ...ONE_THREAD, logSeverityLevel: 4 });
    const facts = session.inputMetadata.map((input) =>
      input.isTensor ? input : { name: input.name, type: '', shape: [] },
    );
    const samples = await openSamples(inputs, { inputs: facts, outputs: [], hints: NO_HINTS });
    const feeds = Object.entries(await samples.at(0)).map(
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

import * as fs from 'node:fs';
import { runInRuntime, type Runtime } from '../runtime/host.ts';
import { runHintsOf } from '../runtime/run-hints.ts';
import { temporaryFolder } from '../runtime/run-folder.ts';
import type { RunOptions } from '../run-options.ts';
import type { OpenedModel, WeightInput } from '../formats/format.ts';
import { MOST_COLUMNS, type WeightMoments } from '../weight-moments.ts';
import { AppError } from '../../../shared/errors.ts';
import type { SamplesDescription } from '../../../shared/samples.ts';
import { addTo } from '../../../shared/lists.ts';
import type { CalibrationInputs } from './prepared.ts';

/** Moments, on how many samples they were observed, and what was understood of those; null where none were needed. */
interface ObservedMoments {
  readonly moments: WeightMoments;
  readonly samples: number;
  readonly description: SamplesDescription | null;
}

/**
 * Observe the moments of the inputs of weights over samples.
 * @param tensors whose moments are wanted
 * @throws AppError UNSUPPORTED for a format that is not run; RUNTIME with the runtime's own words
 */
export async function observeWeightMoments(
  opened: OpenedModel,
  tensors: readonly number[],
  runtime: Runtime,
  wanted: CalibrationInputs,
  { signal, onProgress }: RunOptions,
): Promise<ObservedMoments> {
  const inputs = opened.weightInputs?.();
  if (inputs === undefined)
    throw new AppError('UNSUPPORTED', 'is of a format whose layers are not observed on samples', {
      ...{ file: opened.files[0]?.path, field: 'format' },
      ...{ found: opened.model.format, expected: 'ONNX or LiteRT' },
    });
  const { layers, byTensor } = layersOf(tensors.flatMap((tensor) => inputs.get(tensor) ?? []));
  const folder = temporaryFolder();
  const close = (): void => fs.rmSync(folder, { recursive: true, force: true });
  if (layers.length === 0)
    return { moments: { byTensor, folder, close }, samples: 0, description: null };
  try {
    const request = {
      ...({ kind: 'moments', model: opened.files[0]!.path, folder } as const),
      layers: layers.map(([first]) => first!),
      inBodies: opened.observable?.().inBodies ?? [],
      ...{ ...wanted, hints: runHintsOf(opened) },
    };
    const { moments, samples, description } = await runInRuntime(
      runtime,
      request,
      signal,
      (progress) =>
        onProgress?.({ ...progress, item: '', unit: 'samples', bytesDone: 0, bytesOf: 0 }),
    );
    for (const [at, layer] of layers.entries())
      for (const input of layer) byTensor.set(input.tensor, { input, ...moments[at]! });
    return { moments: { byTensor, folder, close }, samples, description };
  } catch (error) {
    close();
    throw error;
  }
}

/** Weights in lists of those that are multiplied with the same, and why others are not observed. */
function layersOf(inputs: readonly WeightInput[]) {
  const byTensor = new Map<number, { input: WeightInput; file: string } | { reason: string }>();
  const layers = new Map<string, WeightInput[]>();
  for (const input of inputs) {
    const { tensor, value, columns, groups, patches } = input;
    if (groups * columns ** 2 > MOST_COLUMNS ** 2) {
      const most = Math.floor(MOST_COLUMNS / Math.sqrt(groups));
      const inGroups = groups === 1 ? '' : ` in ${groups} groups`;
      const reason = `GPTQ takes up to ${most} inputs of each output${inGroups}, and it has ${columns}`;
      byTensor.set(tensor, { reason });
      continue;
    }
    const key = JSON.stringify([value, columns, groups, patches]);
    addTo(layers, key, input);
  }
  return { layers: [...layers.values()], byTensor };
}

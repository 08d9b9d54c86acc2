import * as fs from 'node:fs';
import * as path from 'node:path';
import type { SamplesDescription } from '../../../shared/samples.ts';
import type { WeightInput } from '../formats/format.ts';
import { loadKernels } from '../kernels/load.ts';
import { ModelCopies, OBSERVED_BYTES, partsOf } from '../runtime/model-copies.ts';
import { preparing, SampleClock, type RunProgress } from '../runtime/run-progress.ts';
import { samplesFor, type Samples, type WantedSamples } from './data/samples-for.ts';
import { MomentsObserver, momentsBytes } from './moments-observer.ts';
import { runSamples } from './run-samples.ts';

/** What the inputs of one or several weights are observed as. */
export type ObservedInput = Pick<WeightInput, 'value' | 'columns' | 'groups' | 'patches'>;

export interface MomentsRequest extends WantedSamples {
  readonly model: string;
  readonly layers: readonly ObservedInput[];
  /** A folder of the program's own, for copies of the model for a while, and for the moments. */
  readonly folder: string;
}

export interface MomentsResult {
  /** For each input: the file of its moments (Float32, groups x columns x columns), or why there is none. */
  readonly moments: readonly ({ readonly file: string } | { readonly reason: string })[];
  readonly samples: number;
  /** What was understood of the samples. */
  readonly description: SamplesDescription;
}

/**
 * Observe the second moments of the inputs of weights over samples. They are reduced at once: memory holds the values
 * of one run and the moments of one part of the inputs, both within OBSERVED_BYTES.
 * @throws AppError RUNTIME with the runtime's own words; whatever openSamples throws
 */
export async function observeMoments(
  request: MomentsRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<MomentsResult> {
  onProgress(preparing('Loading the model'));
  const { model, folder, hints, layers: inputs } = request;
  const copies = new ModelCopies(model, folder, hints);
  try {
    const samples = await copies.withOutputs([], 'values', (loaded) => samplesFor(loaded, request));
    onProgress(preparing('Finding the sizes of activations', samples.count));
    const parts = await partsOfInputs(copies, inputs, samples);
    const clock = new SampleClock(onProgress, 'Observing sample', parts.length, samples.count);
    const moments = new Map<ObservedInput, MomentsResult['moments'][number]>();
    for (const part of parts)
      for (const [at, result] of (await observePart(copies, part, samples, clock)).entries()) {
        const file = path.join(folder, `${moments.size}.moments`);
        if (result !== null) fs.writeFileSync(file, new Uint8Array(result.buffer));
        moments.set(part[at]!, result === null ? { reason: UNEVEN } : { file });
      }
    return {
      moments: inputs.map((input) => moments.get(input)!),
      samples: samples.count,
      description: samples.describe(),
    };
  } finally {
    copies.close();
  }
}

const UNEVEN = 'its input was not observed as float rows of one length';

async function partsOfInputs(
  copies: ModelCopies,
  inputs: readonly ObservedInput[],
  samples: Samples,
): Promise<readonly (readonly ObservedInput[])[]> {
  const names = [...new Set(inputs.map(({ value }) => value))];
  const elements = await copies.elementsOf(names, await samples.at(0));
  const bytes = new Map(names.map((name, at) => [name, 4 * elements[at]!]));
  const bytesOf = (input: ObservedInput): number => bytes.get(input.value)! + momentsBytes(input);
  return partsOf(inputs, bytesOf, OBSERVED_BYTES);
}

async function observePart(
  copies: ModelCopies,
  part: readonly ObservedInput[],
  samples: Samples,
  clock: SampleClock,
): Promise<readonly (Float32Array | null)[]> {
  const kernels = loadKernels();
  kernels.reset();
  const observers = part.map((input) => new MomentsObserver(kernels, input));
  const names = [...new Set(part.map(({ value }) => value))];
  await copies.withOutputs(names, 'values', async (model) => {
    const floats = new Set(
      model.outputs.filter(({ type }) => type?.startsWith('float')).map(({ name }) => name),
    );
    await runSamples(model, samples, clock, (outputs) => {
      for (const [at, { value }] of part.entries()) {
        const found = outputs.get(value);
        if (found?.isText === false && floats.has(value))
          observers[at]!.add(found.data as ArrayLike<number>, found.dims);
      }
    });
  });
  return observers.map((observer) => observer.result());
}

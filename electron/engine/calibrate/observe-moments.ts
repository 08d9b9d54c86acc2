import * as fs from 'node:fs';
import * as path from 'node:path';
import type { SamplesDescription } from '../../../shared/samples.ts';
import type { ObservedInBody, WeightInput } from '../formats/format.ts';
import { loadKernels } from '../kernels/load.ts';
import { ModelCopies, OBSERVED_BYTES, partsOf } from '../runtime/model-copies.ts';
import { preparing, SampleClock, type RunProgress } from '../runtime/run-progress.ts';
import { BodyValues } from './body-values.ts';
import { samplesFor, type Samples, type WantedSamples } from './data/samples-for.ts';
import { MomentsObserver, momentsBytes } from './moments-observer.ts';
import { runSamples } from './run-samples.ts';

/** What the inputs of one or several weights are observed as. */
export type ObservedInput = Pick<WeightInput, 'value' | 'columns' | 'groups' | 'patches'>;

export interface MomentsRequest extends WantedSamples {
  readonly model: string;
  readonly layers: readonly ObservedInput[];
  /** Values of bodies; of those that layers take, how they are run. */
  readonly inBodies: readonly ObservedInBody[];
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
    const names = new Set(inputs.map(({ value }) => value));
    const inBodies = request.inBodies.filter(({ name }) => names.has(name));
    const bodies = new BodyValues(copies, inBodies, OBSERVED_BYTES);
    const samples = await copies.withOutputs([], 'values', (loaded) => samplesFor(loaded, request));
    onProgress(preparing('Finding the sizes of activations', samples.count));
    const { elements, skipped } = await sizesOf(copies, bodies, names, samples, onProgress);
    const sized = inputs.filter(({ value }) => elements.has(value));
    const bytesOf = (input: ObservedInput): number =>
      4 * elements.get(input.value)! + momentsBytes(input);
    const parts = partsOf(sized, bytesOf, OBSERVED_BYTES);
    const clock = new SampleClock(onProgress, 'Observing sample', parts.length, samples.count);
    const outcomes = new Map<ObservedInput, MomentsResult['moments'][number]>();
    const write = ({ input, moments }: Observed): void => {
      if ('reason' in moments) return void outcomes.set(input, moments);
      const file = path.join(folder, `${outcomes.size}.moments`);
      fs.writeFileSync(file, new Uint8Array(moments.buffer));
      outcomes.set(input, { file });
    };
    for (const part of parts)
      for (const found of await new ObservedPart(copies, bodies, part).run(samples, clock))
        if ('skipped' in found) skipped.set(found.skipped.name, found.skipped.reason);
        else found.inputs.forEach(write);
    return {
      moments: inputs.map((input) => outcomes.get(input) ?? { reason: skipped.get(input.value)! }),
      samples: samples.count,
      description: samples.describe(),
    };
  } finally {
    copies.close();
  }
}

interface Observed {
  readonly input: ObservedInput;
  readonly moments: Float32Array | { readonly reason: string };
}

/** How many elements a run gives of each value, and why it gives none. */
async function sizesOf(
  copies: ModelCopies,
  bodies: BodyValues,
  names: ReadonlySet<string>,
  samples: Samples,
  onProgress: (progress: RunProgress) => void,
) {
  const inMain = [...names].filter((name) => !bodies.has(name));
  const sizes = await copies.elementsOf(inMain, await samples.at(0));
  const elements = new Map(inMain.map((name, at) => [name, sizes[at]!]));
  const skipped = new Map<string, string>();
  for (const found of await bodies.sizes(samples, onProgress))
    if ('skipped' in found) skipped.set(found.skipped.name, found.skipped.reason);
    else elements.set(found.name, found.elements);
  return { elements, skipped };
}

/** Inputs that are observed in one run. */
class ObservedPart {
  private readonly copies: ModelCopies;
  private readonly bodies: BodyValues;
  private readonly part: readonly ObservedInput[];

  constructor(copies: ModelCopies, bodies: BodyValues, part: readonly ObservedInput[]) {
    [this.copies, this.bodies, this.part] = [copies, bodies, part];
  }

  /** The moments of the inputs of each value that have any, or why the value was not observed. */
  run(samples: Samples, clock: SampleClock) {
    const names = [...new Set(this.part.map(({ value }) => value))];
    return this.bodies.observeOrSkip(names, {
      ...{ clock, rounds: 1 },
      work: (some) => this.observe(some, samples, clock),
    });
  }

  private async observe(
    names: readonly string[],
    samples: Samples,
    clock: SampleClock,
  ): Promise<{ readonly inputs: readonly Observed[] }[]> {
    const kernels = loadKernels();
    kernels.reset();
    const observers = new Map(
      this.part
        .filter(({ value }) => names.includes(value))
        .map((input) => [input, new MomentsObserver(kernels, input)]),
    );
    await clock.take(1, () =>
      this.copies.withOutputs(names, 'values', async (model) => {
        const floats = new Set(
          model.outputs.filter(({ type }) => type?.startsWith('float')).map(({ name }) => name),
        );
        await runSamples(model, samples, clock, (outputs) => {
          for (const [{ value }, observer] of observers) {
            const found = outputs.get(value);
            if (found?.isText !== false || !floats.has(value) || found.data.length === 0) continue;
            observer.add(found.data as ArrayLike<number>, this.dimsOf(value, found.dims));
          }
        });
      }),
    );
    const found = [...observers].map(([input, observer]) => ({
      input,
      moments: observer.result(),
    }));
    return names.map((name) => ({ inputs: found.filter(({ input }) => input.value === name) }));
  }

  /** Iterations of loops count as more of the first axis. */
  private dimsOf(value: string, dims: readonly number[]): readonly number[] {
    const loops = this.bodies.loopsOf(value);
    if (loops === 0) return dims;
    const count = dims.slice(0, loops + 1).reduce((product, size) => product * size, 1);
    return [count, ...dims.slice(loops + 1)];
  }
}

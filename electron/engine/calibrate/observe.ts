import type { Ranges } from '../../../shared/ranges.ts';
import { ModelCopies, OBSERVED_BYTES, partsOf } from '../runtime/model-copies.ts';
import { preparing, SampleClock, type RunProgress } from '../runtime/run-progress.ts';
import { RANDOM_WARNING } from './data/random-samples.ts';
import { samplesFor, type Samples, type WantedSamples } from './data/samples-for.ts';
import { ValueObserver } from './observer.ts';
import { loadKernels } from '../kernels/load.ts';
import { simdReductions } from '../kernels/simd-reductions.ts';
import { runSamples } from './run-samples.ts';

export interface ObserveRequest extends WantedSamples {
  readonly model: string;
  /** A folder of the program's own, where copies of the model are put for a while. */
  readonly folder: string;
  /** Values of its main graph, by name. */
  readonly values: readonly string[];
  /** Names of values whose channels are told apart, and the axes of those, from the end where negative. */
  readonly channelAxes?: readonly (readonly [string, number])[];
  /** Bytes of values that one run may give; OBSERVED_BYTES where it is missing. */
  readonly observedBytes?: number;
}

export interface ObserveResult extends Ranges {
  readonly warnings: readonly string[];
}

/**
 * Observe float values of a model over samples: ranges in a first round, histograms in a second. Values are
 * reduced at once, so that memory grows with neither samples nor the model's activations.
 * @throws AppError RUNTIME with the runtime's own words; whatever openSamples throws
 */
export async function observeModel(
  request: ObserveRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<ObserveResult> {
  onProgress(preparing('Loading the model'));
  const copies = new Observing(request);
  try {
    const { floats, skipped } = await copies.floatValues();
    const samples = await copies.samples();
    onProgress(preparing('Finding the sizes of activations', samples.count));
    const groups = await copies.groups(floats, samples);
    const clock = new SampleClock(onProgress, 'Observing sample', groups.length * 2, samples.count);
    const values: Ranges['values'][number][] = [];
    for (const group of groups)
      for (const observed of await copies.observe(group, samples, clock))
        if ('skipped' in observed) skipped.push(observed.skipped);
        else values.push(observed);
    const warnings = request.inputs === null ? [RANDOM_WARNING] : [];
    return { samples: samples.count, values, skipped, warnings };
  } finally {
    copies.close();
  }
}

type Skipped = Ranges['skipped'][number];

/** What copies of the model give. */
class Observing {
  private readonly request: ObserveRequest;
  private readonly copies: ModelCopies;

  constructor(request: ObserveRequest) {
    this.request = request;
    this.copies = new ModelCopies(request.model, request.folder, request.hints);
  }

  close(): void {
    this.copies.close();
  }

  /** Which values are tensors of float32, as onnxruntime finds their types. */
  async floatValues(): Promise<{ floats: string[]; skipped: Skipped[] }> {
    const { values } = this.request;
    const [floats, skipped]: [string[], Skipped[]] = [[], []];
    await this.copies.withOutputs(values, 'values', (model) => {
      const types = new Map(model.outputs.map(({ name, type }) => [name, type]));
      for (const name of values) {
        const type = types.get(name);
        if (type === 'float32') floats.push(name);
        else if (type !== undefined && type.startsWith('float'))
          skipped.push({ name, reason: `is ${type}, and activations are quantized from float32` });
      }
      return Promise.resolve();
    });
    return { floats, skipped };
  }

  samples(): Promise<Samples> {
    return this.copies.withOutputs([], 'values', (model) => samplesFor(model, this.request));
  }

  /** The values in parts that one run may give, by their sizes in the first sample. */
  async groups(
    values: readonly string[],
    samples: Samples,
  ): Promise<readonly (readonly string[])[]> {
    const elements = await this.copies.elementsOf(values, await samples.at(0));
    const bytes = new Map(values.map((name, at) => [name, 4 * elements[at]!]));
    const limit = this.request.observedBytes ?? OBSERVED_BYTES;
    return partsOf(values, (name) => bytes.get(name)!, limit);
  }

  /** Run all samples twice and reduce what one part of the values holds. */
  async observe(
    names: readonly string[],
    samples: Samples,
    clock: SampleClock,
  ): Promise<(Ranges['values'][number] | { readonly skipped: Skipped })[]> {
    const axes = new Map(this.request.channelAxes ?? []);
    const reductions = simdReductions(loadKernels());
    const observers = names.map(
      (name) => new ValueObserver(name, reductions, axes.get(name) ?? null),
    );
    await this.copies.withOutputs(names, 'values', async (model) => {
      for (const round of ['addRange', 'addCounts'] as const) {
        await runSamples(model, samples, clock, (outputs) => {
          for (const observer of observers) {
            const value = outputs.get(observer.name);
            if (value?.isText === false) observer[round](value.data as Float32Array, value.dims);
          }
        });
      }
    });
    return observers.map(
      (observer) =>
        observer.result() ?? {
          skipped: { name: observer.name, reason: 'held no finite number in any sample' },
        },
    );
  }
}

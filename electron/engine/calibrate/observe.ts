import type { Ranges } from '../../../shared/ranges.ts';
import type { ObservedInBody } from '../formats/format.ts';
import type { SamplesDescription } from '../../../shared/samples.ts';
import { ModelCopies, OBSERVED_BYTES, partsOf } from '../runtime/model-copies.ts';
import { preparing, SampleClock, type RunProgress } from '../runtime/run-progress.ts';
import { samplesFor, type Samples, type WantedSamples } from './data/samples-for.ts';
import { ValueObserver } from './observer.ts';
import { loadKernels } from '../kernels/load.ts';
import { simdReductions } from '../kernels/simd-reductions.ts';
import { runSamples } from './run-samples.ts';
import type { Sized } from './body-size.ts';
import { BodyValues } from './body-values.ts';
import type { Skipped } from './trials.ts';

export interface ObserveRequest extends WantedSamples {
  readonly model: string;
  /** A folder of the program's own, where copies of the model are put for a while. */
  readonly folder: string;
  /** Values of its main graph, by name. */
  readonly values: readonly string[];
  /** Values of bodies. */
  readonly inBodies?: readonly ObservedInBody[];
  /** Values that are not observed, and why. */
  readonly skipped?: Ranges['skipped'];
  /** Names of values whose channels are told apart, and the axes of those, from the end where negative. */
  readonly channelAxes?: readonly (readonly [string, number])[];
  /** Bytes of values that one run may give; OBSERVED_BYTES where it is missing. */
  readonly observedBytes?: number;
}

export interface ObserveResult extends Ranges {
  /** What was understood of the samples. */
  readonly description: SamplesDescription;
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
    const samples = await copies.samples();
    onProgress(preparing('Finding the sizes of activations', samples.count));
    const { groups, skipped } = await copies.groups(samples, onProgress);
    const rounds = ROUNDS.length * groups.length;
    const clock = new SampleClock(onProgress, 'Observing sample', rounds, samples.count);
    const values: Ranges['values'][number][] = [];
    for (const group of groups)
      for (const observed of await copies.observeOrSkip(group, samples, clock))
        if ('skipped' in observed) skipped.push(observed.skipped);
        else values.push(observed);
    return { samples: samples.count, values, skipped, description: samples.describe() };
  } finally {
    copies.close();
  }
}

type Observed = Ranges['values'][number] | { readonly skipped: Skipped };

/** What a round over the samples finds: ranges, and then histograms. */
const ROUNDS = ['addRange', 'addCounts'] as const;

/** What copies of the model give. */
class Observing {
  private readonly request: ObserveRequest;
  private readonly copies: ModelCopies;
  private readonly bodies: BodyValues;
  private readonly observedBytes: number;

  constructor(request: ObserveRequest) {
    const { inBodies = [], observedBytes = OBSERVED_BYTES } = request;
    this.request = request;
    this.copies = new ModelCopies(request.model, request.folder, request.hints);
    this.bodies = new BodyValues(this.copies, inBodies, observedBytes);
    this.observedBytes = observedBytes;
  }

  close(): void {
    this.copies.close();
  }

  samples(): Promise<Samples> {
    return this.copies.withOutputs([], 'values', (model) => samplesFor(model, this.request));
  }

  /** The float values in parts that one run may give: those of the main graph by their sizes in the first sample. */
  async groups(
    samples: Samples,
    onProgress: (progress: RunProgress) => void,
  ): Promise<{ readonly groups: readonly (readonly string[])[]; readonly skipped: Skipped[] }> {
    const { values, skipped = [] } = this.request;
    const left: Skipped[] = [...skipped];
    const sized = await this.sizesOfMain(values, samples, left);
    for (const found of await this.bodies.sizes(samples, onProgress))
      if ('skipped' in found) left.push(found.skipped);
      else sized.push(found);
    const parts = partsOf(sized, ({ elements }) => 4 * elements, this.observedBytes);
    return { groups: parts.map((part) => part.map(({ name }) => name)), skipped: left };
  }

  /** The sizes of the values that are tensors of float32, as onnxruntime finds their types. */
  private async sizesOfMain(
    values: readonly string[],
    samples: Samples,
    skipped: Skipped[],
  ): Promise<Sized[]> {
    const floats: string[] = [];
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
    const elements = await this.copies.elementsOf(floats, await samples.at(0));
    return floats.map((name, at) => ({ name, elements: elements[at]! }));
  }

  /** As observe, without the values of bodies that the runtime rejects in a sample. */
  observeOrSkip(
    names: readonly string[],
    samples: Samples,
    clock: SampleClock,
  ): Promise<Observed[]> {
    return this.bodies.observeOrSkip(names, {
      ...{ clock, rounds: ROUNDS.length },
      work: (part) => this.observe(part, samples, clock),
    });
  }

  /** Run all samples twice and reduce what one part of the values holds. */
  private async observe(
    names: readonly string[],
    samples: Samples,
    clock: SampleClock,
  ): Promise<Observed[]> {
    const axes = new Map(this.request.channelAxes ?? []);
    const reductions = simdReductions(loadKernels());
    const observers = names.map(
      (name) => new ValueObserver(name, reductions, axes.get(name) ?? null),
    );
    await clock.take(ROUNDS.length, () =>
      this.copies.withOutputs(names, 'values', async (model) => {
        for (const round of ROUNDS) {
          await runSamples(model, samples, clock, (outputs) => {
            for (const observer of observers) {
              const value = outputs.get(observer.name);
              if (value === undefined || value.isText || value.data.length === 0) continue;
              const dims = value.dims.slice(this.bodies.loopsOf(observer.name));
              observer[round](value.data as Float32Array, dims);
            }
          });
        }
      }),
    );
    return observers.map((observer) => {
      const reason = observer.isEmpty
        ? 'was not computed in any sample'
        : 'held no finite number in any sample';
      return observer.result() ?? { skipped: { name: observer.name, reason } };
    });
  }
}

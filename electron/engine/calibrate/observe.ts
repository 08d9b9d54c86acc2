import { AppError } from '../../../shared/errors.ts';
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
    const { groups, skipped } = await copies.groups(samples);
    const clock = new SampleClock(onProgress, 'Observing sample', groups.length * 2, samples.count);
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

type Skipped = Ranges['skipped'][number];
type Observed = Ranges['values'][number] | { readonly skipped: Skipped };

/** Samples that are run to find the sizes of values of branches that the first ones do not take. */
const SIZING_SAMPLES = 8;

/** What copies of the model give. */
class Observing {
  private readonly request: ObserveRequest;
  private readonly copies: ModelCopies;
  /** By value of a body: how many loops run it. */
  private readonly loops: ReadonlyMap<string, number>;

  constructor(request: ObserveRequest) {
    this.request = request;
    this.copies = new ModelCopies(request.model, request.folder, request.hints);
    this.loops = new Map((request.inBodies ?? []).map(({ name, loops }) => [name, loops]));
  }

  close(): void {
    this.copies.close();
  }

  samples(): Promise<Samples> {
    return this.copies.withOutputs([], 'values', (model) => samplesFor(model, this.request));
  }

  /** The float values in parts that one run may give, by their sizes in the first samples. */
  async groups(
    samples: Samples,
  ): Promise<{ readonly groups: readonly (readonly string[])[]; readonly skipped: Skipped[] }> {
    const { values, skipped = [], observedBytes = OBSERVED_BYTES } = this.request;
    const left: Skipped[] = [...skipped];
    const sized = await this.sizesOfMain(values, samples, left);
    for (const found of await this.trial([...this.loops.keys()], (names) =>
      this.sizesInBodies(names, samples),
    ))
      if ('skipped' in found) left.push(found.skipped);
      else sized.push(found);
    const parts = partsOf(sized, ({ elements }) => 4 * elements, observedBytes);
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

  /** Sizes in the first samples, until each value was computed in one. */
  private async sizesInBodies(names: readonly string[], samples: Samples): Promise<Sized[]> {
    const sized = names.map((name) => ({ name, elements: 0 }));
    for (let index = 0; index < Math.min(SIZING_SAMPLES, samples.count); index++) {
      const found = await this.copies.elementsOf(names, await samples.at(index));
      for (const [at, each] of sized.entries()) each.elements = Math.max(each.elements, found[at]!);
      if (sized.every(({ elements }) => elements > 1)) break;
    }
    return sized;
  }

  /** Work with values of bodies, or with half of them where the runtime rejects one, so that only that is left out. */
  private async trial<T>(
    names: readonly string[],
    work: (names: readonly string[]) => Promise<readonly T[]>,
  ): Promise<(T | { readonly skipped: Skipped })[]> {
    if (names.length === 0) return [];
    try {
      return [...(await work(names))];
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'RUNTIME') throw error;
      if (names.length === 1) return [{ skipped: { name: names[0]!, reason: whyRejected(error) } }];
      const half = names.length >> 1;
      const first = await this.trial(names.slice(0, half), work);
      return [...first, ...(await this.trial(names.slice(half), work))];
    }
  }

  /** As observe, without the values of bodies that the runtime rejects in a sample. */
  async observeOrSkip(
    names: readonly string[],
    samples: Samples,
    clock: SampleClock,
  ): Promise<Observed[]> {
    const observe = (part: readonly string[]): Promise<Observed[]> =>
      this.observe(part, samples, clock);
    const inBodies = names.filter((name) => this.loops.has(name));
    try {
      return await observe(names);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'RUNTIME' || inBodies.length === 0)
        throw error;
      const inMain = names.filter((name) => !this.loops.has(name));
      const observed = inMain.length === 0 ? [] : await observe(inMain);
      return [...observed, ...(await this.trial(inBodies, observe))];
    }
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
    await this.copies.withOutputs(names, 'values', async (model) => {
      for (const round of ['addRange', 'addCounts'] as const) {
        await runSamples(model, samples, clock, (outputs) => {
          for (const observer of observers) {
            const value = outputs.get(observer.name);
            if (value === undefined || value.isText || value.data.length === 0) continue;
            const dims = value.dims.slice(this.loops.get(observer.name) ?? 0);
            observer[round](value.data as Float32Array, dims);
          }
        });
      }
    });
    return observers.map((observer) => {
      const reason = observer.isEmpty
        ? 'was not computed in any sample'
        : 'held no finite number in any sample';
      return observer.result() ?? { skipped: { name: observer.name, reason } };
    });
  }
}

interface Sized {
  readonly name: string;
  readonly elements: number;
}

/** What onnxruntime says of an output of a loop that has another shape in an iteration than in the one before. */
const SHAPES_DIFFER = /Inconsistent shape|Unexpected shape|shape mismatch/i;

function whyRejected({ details, message }: AppError): string {
  const said = details.found ?? message;
  return SHAPES_DIFFER.test(said)
    ? 'its shape differs between the iterations of a loop'
    : `cannot be observed: ${said}`;
}

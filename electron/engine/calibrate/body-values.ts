import type { ObservedInBody } from '../formats/format.ts';
import type { Outputs } from '../runtime/compare-outputs.ts';
import type { ModelCopies } from '../runtime/model-copies.ts';
import { SampleClock, type RunProgress } from '../runtime/run-progress.ts';
import { BodySize, type Sized } from './body-size.ts';
import type { Samples } from './data/samples-for.ts';
import { runSamples } from './run-samples.ts';
import { isRejection, Trials, UNEVEN, type Skipped } from './trials.ts';

/** Samples that are run to find the sizes of values of branches that the first ones do not take. */
const SIZING_SAMPLES = 8;

/** How values are observed: in so many rounds over the samples. */
interface Observation<T> {
  readonly clock: SampleClock;
  readonly rounds: number;
  /** @returns what was found of each value */
  readonly work: (names: readonly string[]) => Promise<readonly T[]>;
}

/** Values of bodies that are observed in copies of a model; those that the runtime rejects are skipped. */
export class BodyValues {
  private readonly copies: ModelCopies;
  private readonly trials: Trials;
  /** By value: how many loops run it. */
  private readonly loops: ReadonlyMap<string, number>;
  private readonly observedBytes: number;

  /** @param observedBytes that the values of one run may take */
  constructor(copies: ModelCopies, inBodies: readonly ObservedInBody[], observedBytes: number) {
    this.copies = copies;
    this.trials = new Trials(inBodies);
    this.loops = new Map(inBodies.map(({ name, loops }) => [name, loops]));
    this.observedBytes = observedBytes;
  }

  has(name: string): boolean {
    return this.loops.has(name);
  }

  /** How many axes of what a run gives of a value are iterations of loops; 0 of the main graph. */
  loopsOf(name: string): number {
    return this.loops.get(name) ?? 0;
  }

  /** The largest sizes of the values that one run can give in every sample, and why the others cannot be. */
  async sizes(
    samples: Samples,
    onProgress: (progress: RunProgress) => void,
  ): Promise<(Sized | { readonly skipped: Skipped })[]> {
    const names = [...this.loops.keys()];
    // A loop may run any number of iterations in a later sample, and its values are stacked.
    const isStacked = names.some((name) => this.loopsOf(name) > 0);
    const count = isStacked ? samples.count : Math.min(SIZING_SAMPLES, samples.count);
    const clock = new SampleClock(onProgress, 'Finding sizes, sample', 1, count);
    const work = async (part: readonly string[]): Promise<BodySize[]> => {
      const sizes = part.map((name) => new BodySize(name));
      const take = (outputs: Outputs): void => sizes.forEach((size) => size.add(outputs));
      await clock.take(1, () =>
        this.copies.withOutputs(part, 'shapes', (model) => runSamples(model, samples, clock, take)),
      );
      return sizes;
    };
    const onSplit = (parts: number): void => clock.addRounds(parts);
    return (await this.trials.run(names, { work, onSplit })).map((found) => {
      if ('skipped' in found) return found;
      const reason = this.whyNot(found);
      return reason === null ? found : { skipped: { name: found.name, reason } };
    });
  }

  /** Observe values of the main graph and of bodies, without those of bodies that the runtime rejects in a sample. */
  async observeOrSkip<T>(
    names: readonly string[],
    { clock, rounds, work }: Observation<T>,
  ): Promise<(T | { readonly skipped: Skipped })[]> {
    const onSplit = (parts: number): void => clock.addRounds(rounds * parts);
    const inBodies = names.filter((name) => this.has(name));
    if (inBodies.length === names.length) return await this.trials.run(names, { work, onSplit });
    try {
      return [...(await work(names))];
    } catch (error) {
      if (!isRejection(error) || inBodies.length === 0) throw error;
      onSplit(2);
      const inMain = names.filter((name) => !this.has(name));
      return [...(await work(inMain)), ...(await this.trials.run(inBodies, { work, onSplit }))];
    }
  }

  /** Why the values of a size are not observed; null where they are. */
  private whyNot({ name, isUneven, elements }: BodySize): string | null {
    if (isUneven) return UNEVEN;
    if (this.loopsOf(name) === 0 || 4 * elements <= this.observedBytes) return null;
    const most = (this.observedBytes / 1e6).toPrecision(3);
    return `takes more than ${most} MB over the iterations of a loop`;
  }
}

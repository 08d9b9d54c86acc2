import {
  RANGE_METHODS,
  type BestRange,
  type Ranges,
  type TriedRange,
} from '../../shared/ranges.ts';
import { choosesRange, withRange, type Recipe } from '../../shared/recipe.ts';
import type { RangeMethod } from '../../shared/scheme.ts';
import { CopiesNoise, type Copying } from './copies-noise.ts';
import { isLessBeyondChance } from './margin.ts';
import type { RunOptions } from './run-options.ts';
import type { Runtime } from './runtime/host.ts';
import type { OutputNoise } from './runtime/output-noise.ts';
import type { Session } from './session.ts';

/** Samples that copies are compared on. */
const MOST_SAMPLES = 64;

/** A copy that was run, and what it lost. */
interface Tried extends Omit<TriedRange, 'sqnrDb'> {
  readonly noise: OutputNoise;
}

/**
 * The range method of activations, and whether nearest codes of weights serve better than those of the recipe's
 * algorithm, by what a model's outputs lose on samples that it was calibrated on: a copy is exported by each and run.
 * Codes are compared under the recipe's own range, and then ranges with these codes. Others than the recipe's own are taken
 * only where they lose less beyond chance: the best of so many on few samples is often not the best on others.
 * @param session of the calibrated model, whose codes were chosen where the recipe wants that
 * @returns undefined where the recipe does not ask for it, or no output can be compared
 * @throws AppError UNSUPPORTED for a format that no runtime runs, RUNTIME with the runtime's own words, and as exports do
 */
export async function findBestRange(
  session: Session,
  runtime: Runtime,
  recipe: Recipe,
  inputs: Copying['inputs'],
  options: RunOptions,
): Promise<Ranges['best']> {
  const { activations } = recipe;
  if (!choosesRange(recipe) || !activations) return undefined;
  const { range: own, dtype, symmetric } = activations;
  const copies = copiesOn(session, runtime, inputs, options);
  const attempt = async (ranges: readonly RangeMethod[], codes: readonly boolean[]) => {
    const ways = ranges.flatMap((range) => codes.map((isNearest) => ({ range, isNearest })));
    const noises = await copies.comparableNoises(
      ways.map(({ range, isNearest }) => withRange(recipe, range, isNearest)),
    );
    return ways.flatMap((way, at) => {
      const noise = noises[at] ?? null;
      return noise === null ? [] : [{ ...way, noise }];
    });
  };
  const plain = await attempt([own], choosesOwnCodes(recipe) ? [false, true] : [false]);
  const [first, ...nearest] = plain;
  if (first === undefined) return undefined;
  const base = chosenOf(first, nearest);
  const others = RANGE_METHODS.filter((range) => JSON.stringify(range) !== JSON.stringify(own));
  const further = await attempt(others, [base.isNearest]);
  const { range, isNearest } = chosenOf(base, further);
  return { range, isNearest, of: { dtype, symmetric }, tried: [...plain, ...further].map(told) };
}

/** Whether nearest codes would be others than the recipe's: rules that name an algorithm keep it. */
function choosesOwnCodes({ default: fields }: Recipe): boolean {
  return (fields?.algorithm ?? 'nearest') !== 'nearest';
}

/** The one that loses least of those that lose less than the base beyond chance; else the base. */
function chosenOf(base: Tried, others: readonly Tried[]): Tried {
  const better = others.filter(({ noise }) =>
    isLessBeyondChance(noise.bySample, base.noise.bySample),
  );
  return leastOf(better) ?? base;
}

/** The first of those that lose least; undefined of none. */
function leastOf(tried: readonly Tried[]): Tried | undefined {
  return tried.toSorted((a, b) => a.noise.noise - b.noise.noise)[0];
}

function told({ range, isNearest, noise: { noise } }: Tried): BestRange['tried'][number] {
  // An output that is exact on all samples has no SQNR, and loses nothing.
  return { range, isNearest, sqnrDb: noise === 0 ? null : -10 * Math.log10(noise) };
}

/** Copies that are compared with one another on samples. */
export function copiesOn(
  session: Session,
  runtime: Runtime,
  inputs: Copying['inputs'],
  options: RunOptions,
): CopiesNoise {
  const limit = Math.min(inputs.limit ?? Infinity, MOST_SAMPLES);
  const samples = Math.min(inputs.samples, MOST_SAMPLES);
  const copying = {
    mode: 'static',
    // What integer kernels round differs by model and processor, and drowns what ranges differ in.
    isUnchanged: true,
    inputs: { ...inputs, limit, samples },
    progress: { what: 'Trying range', unit: 'ranges' },
  } as const;
  return new CopiesNoise(session, runtime, copying, options);
}

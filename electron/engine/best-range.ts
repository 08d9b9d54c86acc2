import { RANGE_METHODS, type Ranges } from '../../shared/ranges.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { CopiesNoise, type Copying } from './copies-noise.ts';
import type { RunOptions } from './run-options.ts';
import type { Runtime } from './runtime/host.ts';
import type { Session } from './session.ts';

/** Samples that methods are compared on: enough to tell them apart by 1 dB. */
const MOST_SAMPLES = 32;

/**
 * The range method of activations that loses least of a model's outputs, on samples that it was calibrated on: a copy
 * is exported by each method and run. The recipe's own method comes first and wins ties.
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
  if (activations?.rangeByOutputs !== true) return undefined;
  const own = JSON.stringify(activations.range);
  const others = RANGE_METHODS.filter((range) => JSON.stringify(range) !== own);
  const methods = [activations.range, ...others];
  const recipes = methods.map((range) => ({
    ...recipe,
    activations: { ...activations, range, rangeByOutputs: false },
  }));
  const samples = Math.min(inputs.limit ?? Infinity, MOST_SAMPLES);
  const copying = {
    mode: 'static',
    inputs: { ...inputs, limit: samples, samples: Math.min(inputs.samples, MOST_SAMPLES) },
    progress: { what: 'Trying range', unit: 'ranges' },
  } as const;
  const noises = await new CopiesNoise(session, runtime, copying, options).comparableNoises(
    recipes,
  );
  const tried = methods.flatMap((range, at) => {
    const noise = noises[at] ?? null;
    // An output that is exact on all samples has no SQNR, and loses nothing.
    return noise === null ? [] : [{ range, sqnrDb: noise === 0 ? null : -10 * Math.log10(noise) }];
  });
  const db = ({ sqnrDb }: (typeof tried)[number]): number => sqnrDb ?? Infinity;
  const [first] = tried.toSorted((a, b) => db(b) - db(a));
  return first === undefined ? undefined : { range: first.range, tried };
}

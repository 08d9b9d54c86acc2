import type { Equalization } from '../../shared/equalization.ts';
import { decidedBy, type BestRange } from '../../shared/ranges.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { copiesOn } from './best-range.ts';
import type { Copying } from './copies-noise.ts';
import { FEWEST_SAMPLES, isLessBeyondChance } from './margin.ts';
import type { RunOptions } from './run-options.ts';
import type { Runtime } from './runtime/host.ts';
import type { OutputNoise } from './runtime/output-noise.ts';
import type { Session } from './session.ts';

/** Why weights are not equalized for a recipe that has what exports lose decide. */
function whyNot(before: OutputNoise, after: OutputNoise): string {
  if (!(after.noise < before.noise)) return 'exports lose at least as much of the outputs with it';
  return before.bySample.length < FEWEST_SAMPLES
    ? `exports lose less of the outputs with it, but fewer than ${FEWEST_SAMPLES} samples cannot tell this from chance`
    : 'exports lose less of the outputs with it, but not beyond chance';
}

/** A calibrated model whose codes were chosen where the recipe wants that, and the range method that was. */
interface Chosen {
  readonly session: Session;
  readonly best: BestRange | undefined;
}

/**
 * Whether exports under a recipe lose less of a model's outputs with equalized weights, beyond chance, on samples that it
 * was calibrated on.
 * @param plain, even calibrated without and with equalized weights
 * @returns what is told of the equalization: without layers where it is not taken
 * @throws AppError RUNTIME with the runtime's own words, and as exports do
 */
export async function chooseEqualization(
  { plain, even }: { readonly plain: Chosen; readonly even: Chosen },
  equalization: Equalization,
  recipe: Recipe,
  runtime: Runtime,
  inputs: Copying['inputs'],
  options: RunOptions,
): Promise<Equalization> {
  const noiseOf = async ({ session, best }: Chosen): Promise<OutputNoise | null> => {
    const copies = copiesOn(session, runtime, inputs, options);
    const [noise] = await copies.comparableNoises([decidedBy(best, recipe)]);
    return noise ?? null;
  };
  const [before, after] = [await noiseOf(plain), await noiseOf(even)];
  if (before === null || after === null)
    return { ...equalization, layers: [], dropped: 'no output can be compared' };
  const tried = { without: sqnrOf(before), with: sqnrOf(after) };
  return isLessBeyondChance(after.bySample, before.bySample)
    ? { ...equalization, tried }
    : { ...equalization, layers: [], tried, dropped: whyNot(before, after) };
}

/** dB; null where nothing is lost. */
function sqnrOf({ noise }: OutputNoise): number | null {
  return noise === 0 ? null : -10 * Math.log10(noise);
}

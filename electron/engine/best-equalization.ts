import type { Equalization } from '../../shared/equalization.ts';
import { decidedBy, type BestRange } from '../../shared/ranges.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { copiesOn } from './best-range.ts';
import type { Copying } from './copies-noise.ts';
import { isLessBeyondChance } from './margin.ts';
import type { RunOptions } from './run-options.ts';
import type { Runtime } from './runtime/host.ts';
import type { OutputNoise } from './runtime/output-noise.ts';
import type { Session } from './session.ts';

const NO_LESS = 'exports lose no less of the outputs with it, beyond chance';

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
    : { ...equalization, layers: [], tried, dropped: NO_LESS };
}

/** dB; null where nothing is lost. */
function sqnrOf({ noise }: OutputNoise): number | null {
  return noise === 0 ? null : -10 * Math.log10(noise);
}

import type { Recipe } from '../../shared/recipe.ts';
import type { Inputs } from '../engine/runtime/run-models.ts';
import { calibrationSettings, IMAGES_OPTION } from './calibration.ts';
import type { OptionDefinition, Values } from './command.ts';
import { wholeNumber } from './usage.ts';

/** What a model is run on; runInputs reads them. */
export const RUN_OPTIONS: readonly OptionDefinition[] = [
  {
    name: 'inputs',
    value: 'DIR',
    description: 'A folder of samples (arrays, pictures, sounds) to run instead of random inputs.',
  },
  IMAGES_OPTION,
  {
    name: 'samples',
    value: 'N',
    description:
      'Number of random samples, or of those of the folder at most, 1 to 1000. Default: 4, and all of the folder.',
  },
  { name: 'seed', value: 'S', description: 'Seed of the random samples. Default: 0.' },
];

/** What RUN_OPTIONS ask for. @throws UsageError; AppError BAD_RECIPE for --images */
export function runInputs(values: Values, recipe: Recipe | null): Inputs {
  const samples = wholeNumber(values, 'samples', 4, 1, 1000);
  return {
    samples,
    seed: wholeNumber(values, 'seed', 0, 0, 0xffffffff),
    inputs: typeof values['inputs'] === 'string' ? values['inputs'] : null,
    limit: values['samples'] === undefined ? undefined : samples,
    settings: calibrationSettings(values, recipe),
  };
}

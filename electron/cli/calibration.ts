import { printable } from '../../shared/errors.ts';
import type { ExportMode } from '../../shared/exports.ts';
import { choosesCodes, type Recipe } from '../../shared/recipe.ts';
import type { Ranges } from '../../shared/ranges.ts';
import { observeWeightMoments } from '../engine/calibrate/moments.ts';
import type { CalibrationInputs, PreparedModel } from '../engine/calibrate/prepared.ts';
import { assertRangesOf, readRanges } from '../engine/calibrate/ranges-file.ts';
import type { RunOptions } from '../engine/run-options.ts';
import type { Session } from '../engine/session.ts';
import { UsageError, type OptionDefinition, type Values } from './command.ts';
import { printError } from './output.ts';
import { currentRuntime } from './runtime.ts';
import { wholeNumber } from './usage.ts';

export const SAMPLES_OPTION: OptionDefinition = {
  name: 'samples',
  value: 'N',
  description: 'Number of random samples where no folder is given, 1 to 1000. Default: 16.',
};

export const SEED_OPTION: OptionDefinition = {
  name: 'seed',
  value: 'S',
  description: 'Seed of the random samples. Default: 0.',
};

/** What to calibrate on: the folder of an option, or else random samples. */
export function calibrationInputs(
  values: Values,
  folder: string,
  recipe: Recipe | null,
): CalibrationInputs {
  return {
    inputs: typeof values[folder] === 'string' ? values[folder] : null,
    samples: wholeNumber(values, 'samples', 16, 1, 1000),
    seed: wholeNumber(values, 'seed', 0, 0, 0xffffffff),
    settings: recipe?.calibration,
  };
}

/** Ranges from a file, or observed on the samples of a folder. @throws UsageError when neither is given */
export async function rangesFor(
  values: Values,
  recipe: Recipe,
  prepared: PreparedModel,
  options: RunOptions,
): Promise<Ranges> {
  const [file, folder] = [values['ranges'], values['calibrate']];
  if (typeof file === 'string') {
    const ranges = readRanges(file);
    assertRangesOf(prepared.session.opened.graph(), ranges, file);
    return ranges;
  }
  if (typeof folder !== 'string')
    throw new UsageError(
      'mode static quantizes activations: give samples with --calibrate DIR, or ranges with --ranges FILE',
    );
  return calibrated(prepared, calibrationInputs(values, 'calibrate', recipe), options);
}

/** Observe, and say what the result is worth. */
export async function calibrated(
  prepared: PreparedModel,
  inputs: CalibrationInputs,
  options: RunOptions,
): Promise<Ranges> {
  const { warnings, ...ranges } = await prepared.calibrate(inputs, options);
  for (const warning of warnings) printError(`quantscope: warning: ${printable(warning)}`);
  return ranges;
}

/** Observe what a recipe's algorithm needs to choose codes; nothing where it takes the nearest. @throws UsageError without samples */
export async function observeForCodes(
  values: Values,
  recipe: Recipe,
  session: Session,
  mode: ExportMode,
  options: RunOptions,
): Promise<void> {
  if (!choosesCodes(recipe)) return;
  if (typeof values['calibrate'] !== 'string')
    throw new UsageError(
      `recipe ${printable(recipe.name)} chooses codes by GPTQ, which needs samples: give them with --calibrate DIR`,
    );
  session.assertUnchanged();
  const { moments, warnings } = await observeWeightMoments(
    ...([session.opened, session.wantsMoments(recipe, mode), currentRuntime()] as const),
    ...([calibrationInputs(values, 'calibrate', recipe), options] as const),
  );
  for (const warning of warnings) printError(`quantscope: warning: ${printable(warning)}`);
  session.useMoments(moments);
}

import { printable } from '../../shared/errors.ts';
import type { ExportMode } from '../../shared/exports.ts';
import type { CalibrationSettings } from '../../shared/calibration-settings.ts';
import { parseRecipe } from '../../shared/recipe-file.ts';
import type { SamplesDescription } from '../../shared/samples.ts';
import { choosesCodes, choosesRange, type Recipe } from '../../shared/recipe.ts';
import { rangeName, type Ranges } from '../../shared/ranges.ts';
import { preparationInWords } from '../engine/calibrate/data/describe.ts';
import { findBestRange } from '../engine/best-range.ts';
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

export const IMAGES_OPTION: OptionDefinition = {
  name: 'images',
  value: 'JSON',
  description:
    'How pictures among the samples become the input, as calibration.images of a recipe; what is left out is guessed and said.',
};

export const CALIBRATE_OPTION: OptionDefinition = {
  name: 'calibrate',
  value: 'DIR',
  description:
    'A folder of samples: mode static finds the ranges of activations on them, and recipes of the algorithm gptq their codes.',
};

export const RANGES_OPTION: OptionDefinition = {
  name: 'ranges',
  value: 'FILE',
  description: 'Mode static: ranges that quantscope calibrate found.',
};

/** How pictures become the input: as the command line says, and else as the recipe does. @throws AppError BAD_RECIPE, UsageError */
export function calibrationSettings(
  values: Values,
  recipe: Recipe | null,
): CalibrationSettings | undefined {
  const text = values['images'];
  if (typeof text !== 'string') return recipe?.calibration;
  if (values['inputs'] === undefined && values['calibrate'] === undefined)
    throw new UsageError('--images is for pictures of a folder of samples, and none is given');
  let images: unknown;
  try {
    images = JSON.parse(text);
  } catch {
    throw new UsageError(
      `--images must be JSON such as {"mean": [0.5], "std": [0.5]}, found ${printable(text)}`,
    );
  }
  const fields = { version: 1, name: '--images', default: null, calibration: { images } };
  const { calibration } = parseRecipe(fields);
  return { images: { ...recipe?.calibration?.images, ...calibration?.images } };
}

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
    settings: calibrationSettings(values, recipe),
  };
}

/** Before anything is read. @throws UsageError when the command line gives neither ranges nor samples */
export function assertRangesGiven(values: Values): void {
  if (typeof values['ranges'] === 'string' || typeof values['calibrate'] === 'string') return;
  throw new UsageError(
    'mode static quantizes activations: give samples with --calibrate DIR, or ranges with --ranges FILE',
  );
}

/** Ranges from a file, or observed on the samples of a folder. */
export async function rangesFor(
  values: Values,
  recipe: Recipe,
  prepared: PreparedModel,
  options: RunOptions,
): Promise<Ranges> {
  const file = values['ranges'];
  if (typeof file === 'string') {
    const ranges = readRanges(file);
    assertRangesOf(prepared.session.opened.graph(), ranges, file);
    return ranges;
  }
  return calibrated(prepared, calibrationInputs(values, 'calibrate', recipe), options);
}

/** Observe, and say what the result is worth. */
export async function calibrated(
  prepared: PreparedModel,
  inputs: CalibrationInputs,
  options: RunOptions,
): Promise<Ranges> {
  const { description, ...ranges } = await prepared.calibrate(inputs, options);
  printUnderstood(description);
  return ranges;
}

/** Ranges with the method that loses least of the outputs, where a recipe has it chosen and samples are given. */
export async function withMethod(
  ranges: Ranges,
  inputs: CalibrationInputs | null,
  recipe: Recipe,
  { session }: PreparedModel,
  options: RunOptions,
): Promise<Ranges> {
  if (!choosesRange(recipe) || ranges.best !== undefined) return ranges;
  if (inputs === null) {
    printError(
      `quantscope: warning: no range method was chosen by the outputs of this model, so ranges are by ${rangeName(recipe.activations!.range)}; give samples with --calibrate DIR, or to quantscope calibrate with --recipe`,
    );
    return ranges;
  }
  const best = await findBestRange(session, currentRuntime(), recipe, inputs, options);
  return { ...ranges, best };
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
  const { moments, description } = await observeWeightMoments(
    ...([session.opened, session.wantsMoments(recipe, mode), currentRuntime()] as const),
    ...([calibrationInputs(values, 'calibrate', recipe), options] as const),
  );
  if (description !== null) printUnderstood(description);
  session.useMoments(moments);
}

/** Say how samples became inputs, and what they are worth. */
function printUnderstood(description: SamplesDescription): void {
  printPreparation(description);
  for (const warning of description.warnings)
    printError(`quantscope: warning: ${printable(warning)}`);
}

/** Say how pictures and sounds became inputs. */
export function printPreparation(description: Parameters<typeof preparationInWords>[0]): void {
  for (const sentence of preparationInWords(description))
    printError(`quantscope: ${printable(sentence)}`);
}

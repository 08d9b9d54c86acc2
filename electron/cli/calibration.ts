import { AppError, printable } from '../../shared/errors.ts';
import { isPrepared, type ExportMode } from '../../shared/exports.ts';
import type { CalibrationSettings } from '../../shared/calibration-settings.ts';
import { parseRecipe } from '../../shared/recipe-file.ts';
import type { Equalization } from '../../shared/equalization.ts';
import { choosesCodes, choosesRange, wantsEqualized, type Recipe } from '../../shared/recipe.ts';
import {
  decidedBy,
  isEqualized,
  isMeasuredFor,
  rangeName,
  type Ranges,
} from '../../shared/ranges.ts';
import { chooseEqualization } from '../engine/best-equalization.ts';
import { findBestRange } from '../engine/best-range.ts';
import { assertMode } from '../engine/planning.ts';
import { PreparedView, type Budgeted } from '../engine/prepared-view.ts';
import { StaticModel } from '../engine/static-model.ts';
import { calibrateEqualized, copyOf, equalizedCopy } from '../engine/equalize/equalized-copy.ts';
import { observeWeightMoments } from '../engine/calibrate/moments.ts';
import {
  hasCopy,
  type CalibrationInputs,
  type PreparedModel,
} from '../engine/calibrate/prepared.ts';
import { assertRangesOf, readRanges } from '../engine/calibrate/ranges-file.ts';
import type { RunOptions } from '../engine/run-options.ts';
import type { Session } from '../engine/session.ts';
import { UsageError, type OptionDefinition, type Values } from './command.ts';
import { printError } from './output.ts';
import { printUnderstood } from './preparation.ts';
import { currentRuntime } from './runtime.ts';
import { wholeNumber } from './usage.ts';
import { withPrepared } from './with-prepared.ts';
import type { Tools } from './with-session.ts';

export const SAMPLES_OPTION: OptionDefinition = {
  name: 'samples',
  value: 'N',
  description:
    'Number of random samples, or of those of the folder at most, 1 to 1000. Default: 16, and all of the folder.',
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

/**
 * Work with the calibrated copy of a model in mode static: its ranges are those of --ranges, or observed on --calibrate, and
 * what a recipe has chosen on samples is chosen.
 * @param choosing.codes whether codes are chosen where the recipe's algorithm does; else they are the nearest ones
 * @throws UsageError where the command line gives neither ranges nor samples, or none that codes are chosen on
 */
export async function withCalibrated<T>(
  tools: Tools,
  values: Values,
  recipe: Recipe,
  choosing: { readonly codes: boolean },
  work: (model: StaticModel, prepared: PreparedModel) => Promise<T>,
): Promise<T> {
  const [file, folder] = [values['ranges'], values['calibrate']];
  // Before anything is read.
  assertMode(tools.session.opened, 'static');
  if (file === undefined && folder === undefined)
    throw new UsageError(
      'mode static quantizes activations: give samples with --calibrate DIR, or ranges with --ranges FILE',
    );
  const samples = samplesGiven(values, recipe);
  return withPrepared(tools, samples, async (made) => {
    const { prepared, ranges } =
      typeof file === 'string'
        ? rangesOfFile(file, made, recipe, tools)
        : await observed(made, samples!, recipe, tools);
    const found = await withChoices({ prepared, ranges }, { recipe, samples, ...choosing }, tools);
    return work(new StaticModel(tools.session, found.prepared, found.ranges), found.prepared);
  });
}

/**
 * Work with the model itself, or with its prepared copy where the recipe asks for that, or in mode static with its
 * calibrated copy; codes are chosen as the recipe says.
 * @throws UsageError as withCalibrated, and where a recipe chooses codes and there are no samples
 */
export async function withModel<T>(
  tools: Tools,
  values: Values,
  recipe: Recipe,
  mode: ExportMode,
  work: (model: Budgeted) => Promise<T>,
): Promise<T> {
  if (mode === 'static') return withCalibrated(tools, values, recipe, { codes: true }, work);
  const samples = samplesGiven(values, recipe);
  return withCopy(tools, recipe, mode, samples, async (model, session) => {
    await observeForCodes(samples, recipe, session, mode, tools);
    return work(model);
  });
}

/**
 * Work with the model itself, or with its prepared copy where the recipe asks for that, and the session whose plans are made.
 * @param samples what the copy is compared with the model on; random ones where it is null
 * @throws AppError UNSUPPORTED for a format without the mode; as PreparedModel.make
 */
export async function withCopy<T>(
  tools: Tools,
  recipe: Recipe,
  mode: ExportMode,
  samples: CalibrationInputs | null,
  work: (model: Budgeted, session: Session) => Promise<T>,
): Promise<T> {
  const { session } = tools;
  assertMode(session.opened, mode);
  if (!isPrepared(recipe, mode) || !hasCopy(session.opened)) return work(session, session);
  return withPrepared(tools, samples, (prepared) =>
    work(new PreparedView(session, prepared), prepared.session),
  );
}

/** A prepared model, and the ranges of its values. */
interface Ranged {
  readonly prepared: PreparedModel;
  readonly ranges: Ranges;
}

/** The ranges of a file, with the copy that they were observed of. @throws AppError as readRanges, and for those of others */
function rangesOfFile(
  file: string,
  prepared: PreparedModel,
  recipe: Recipe,
  options: RunOptions,
): Ranged {
  const ranges = readRanges(file);
  assertRangesOf(prepared.session.opened.graph(), ranges, file);
  if (isEqualized(ranges) && !wantsEqualized(recipe))
    throw new AppError('BAD_USAGE', 'holds ranges of equalized weights; calibrate again', {
      ...{ file, field: 'equalization' },
      found: `ranges with equalized weights, for a recipe without "equalize"`,
      expected: 'a recipe with "equalize", or ranges without',
    });
  const { equalization } = ranges;
  // What exports lose was measured for another recipe, whose wish it answers.
  const isOfOther = equalization === undefined || equalization.tried !== undefined;
  if (recipe.equalize === true && isOfOther && !isEqualized(ranges))
    printError(
      'quantscope: warning: the ranges are of weights that are not equalized, so these stay as they are; give samples with --calibrate DIR, or to quantscope calibrate with --recipe',
    );
  return { ranges, prepared: copyOf(prepared, ranges, file, options) };
}

/** Observe ranges as a recipe wants it, and say what they are worth. */
export async function observed(
  prepared: PreparedModel,
  samples: CalibrationInputs,
  recipe: Recipe | null,
  options: RunOptions,
): Promise<Ranged> {
  const found =
    recipe?.equalize === true
      ? await calibrateEqualized(prepared, currentRuntime(), samples, options)
      : { prepared, ranges: await prepared.calibrate(samples, options) };
  const { description, ...ranges } = found.ranges;
  printUnderstood(description);
  return { prepared: found.prepared, ranges };
}

/** What is chosen on samples; where they are null, what can be had without. */
interface Choosing {
  readonly recipe: Recipe;
  readonly samples: CalibrationInputs | null;
  readonly codes: boolean;
}

/**
 * Plan by ranges, and choose what the recipe has chosen: codes, then the range method, which is compared with those codes, and
 * then whether weights are equalized, which is compared with both.
 */
export async function withChoices(
  plain: Ranged,
  choosing: Choosing,
  options: RunOptions,
): Promise<Ranged> {
  const ranges = await withCodes(plain, choosing, options);
  const found = { ...plain, ranges };
  const { recipe, samples } = choosing;
  // Those of a file tell what became of the wish.
  const isOpen = recipe.equalize === 'byOutputs' && ranges.equalization === undefined;
  return isOpen && samples !== null ? withBetter(found, { ...choosing, samples }, options) : found;
}

/** The equalized copy where it loses less of the outputs, each with the codes and ranges that were chosen for it. */
async function withBetter(
  plain: Ranged,
  choosing: Choosing & { readonly samples: CalibrationInputs },
  options: RunOptions,
): Promise<Ranged> {
  const { recipe, samples } = choosing;
  const copy = await equalizedCopy(
    ...([plain.prepared, currentRuntime(), samples, options, plain.ranges] as const),
  );
  const told = ({ prepared, ranges }: Ranged, equalization: Equalization): Ranged => {
    prepared.use({ ...ranges, equalization });
    return { prepared, ranges: { ...ranges, equalization } };
  };
  if (copy.prepared === plain.prepared) return told(plain, copy.equalization);
  const { description: _, ...observed } = await copy.prepared.calibrate(samples, options);
  const ranges = await withCodes({ prepared: copy.prepared, ranges: observed }, choosing, options);
  const even = { prepared: copy.prepared, ranges };
  const of = (side: Ranged) => ({ session: side.prepared.session, best: side.ranges.best });
  const equalization = await chooseEqualization(
    { plain: of(plain), even: of(even) },
    ...([copy.equalization, recipe, currentRuntime(), samples, options] as const),
  );
  return told(isEqualized({ equalization }) ? even : plain, equalization);
}

/** Plan by ranges, and choose codes and then the range method. @returns the ranges with that */
async function withCodes(
  { prepared, ranges }: Ranged,
  { recipe, samples, codes }: Choosing,
  options: RunOptions,
): Promise<Ranges> {
  prepared.use(ranges);
  const decided = decidedBy(ranges.best, recipe);
  if (codes) await observeForCodes(samples, decided, prepared.session, 'static', options);
  const chosen = await withMethod(ranges, samples, recipe, prepared, options);
  prepared.use(chosen);
  return chosen;
}

/** Ranges with the method that is chosen by the outputs, where a recipe has it chosen and samples are given. */
async function withMethod(
  ranges: Ranges,
  samples: CalibrationInputs | null,
  recipe: Recipe,
  { session }: PreparedModel,
  options: RunOptions,
): Promise<Ranges> {
  const { best } = ranges;
  if (!choosesRange(recipe) || (best !== undefined && isMeasuredFor(best, recipe))) return ranges;
  if (samples === null) {
    printError(
      `quantscope: warning: no range method was chosen by the outputs of this model for these activations, so ranges are by ${rangeName(recipe.activations!.range)}; give samples with --calibrate DIR, or to quantscope calibrate with --recipe`,
    );
    return ranges;
  }
  const found = await findBestRange(session, currentRuntime(), recipe, samples, options);
  return { ...ranges, best: found };
}

/** Observe what a recipe's algorithm needs to choose codes; nothing where it takes the nearest. @throws UsageError without samples */
export async function observeForCodes(
  samples: CalibrationInputs | null,
  recipe: Recipe,
  session: Session,
  mode: ExportMode,
  options: RunOptions,
): Promise<void> {
  if (!choosesCodes(recipe)) return;
  if (samples === null)
    throw new UsageError(
      `recipe ${printable(recipe.name)} chooses codes by GPTQ, which needs samples: give them with --calibrate DIR`,
    );
  session.assertUnchanged();
  const { moments, description } = await observeWeightMoments(
    ...([session.opened, session.wantsMoments(recipe, mode), currentRuntime()] as const),
    ...([samples, options] as const),
  );
  if (description !== null) printUnderstood(description);
  session.useMoments(moments);
}

/** The samples of --calibrate; null without. @throws as calibrationInputs */
export function samplesGiven(values: Values, recipe: Recipe): CalibrationInputs | null {
  return values['calibrate'] === undefined ? null : calibrationInputs(values, 'calibrate', recipe);
}

/** --ranges and --calibrate where something reads them. @throws UsageError where nothing does */
export function assertSamplesRead(values: Values, mode: ExportMode, recipe: Recipe): void {
  const [hasRanges, hasSamples] = [values['ranges'], values['calibrate']].map(
    (value) => value !== undefined,
  );
  if (hasRanges === true && mode !== 'static')
    throw new UsageError(`--ranges is for --mode static, found ${mode}`);
  if (hasSamples !== true || choosesCodes(recipe)) return;
  if (mode !== 'static')
    throw new UsageError(
      `--calibrate is for --mode static and for recipes of GPTQ, found ${mode} and ${printable(recipe.name)}`,
    );
  if (hasRanges === true)
    throw new UsageError('--calibrate and --ranges both give ranges: give one of them');
}

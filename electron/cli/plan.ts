import { printable } from '../../shared/errors.ts';
import { EXPORT_MODES, type ExportMode } from '../../shared/exports.ts';
import {
  CANDIDATES,
  candidateSchemes,
  type Budget,
  type FilePlan,
  type Goal,
} from '../../shared/budget-plan.ts';
import {
  defaultCandidates,
  measureBudget,
  planFile,
  type BudgetRequest,
} from '../engine/budget.ts';
import { choosesCodes, type Recipe } from '../../shared/recipe.ts';
import { sqnrDb } from '../../shared/report.ts';
import { describeScheme, fieldsOf, type Scheme } from '../../shared/scheme.ts';
import { shortName } from '../../shared/short-name.ts';
import type { Budgeted } from '../engine/prepared-view.ts';
import { checkWritable, writeWhole } from '../files/atomic-file.ts';
import {
  JSON_OPTION,
  MODEL_ARGUMENT,
  RECIPE_OPTION,
  UsageError,
  type CommandDefinition,
  type CommandInput,
  type Values,
} from './command.ts';
import { warnOfIdleRules } from './idle-rules.ts';
import { printJson, toJson } from './json.ts';
import { decibels, inDecibels, megabytes, print, printError } from './output.ts';
import { toTable } from './table.ts';
import type { Inputs } from '../engine/runtime/run-models.ts';
import { planByOutputs, type OutputPlan } from '../engine/output-plan.ts';
import { currentRuntime } from './runtime.ts';
import { byteSize, loadRecipe, modeOf, recipeFiles, required } from './usage.ts';
import { calibrationSettings, RANGES_OPTION, withCalibrated, withCopy } from './calibration.ts';
import { PREPARE_OPTION, printPrepared, withPrepare } from './prepare-option.ts';
import { RUN_OPTIONS, runInputs } from './run-inputs.ts';
import { withSession, type Tools } from './with-session.ts';

export const planCommand: CommandDefinition = {
  name: 'plan',
  description: 'Choose a scheme for each layer, so that the export meets a size or an accuracy.',
  arguments: [MODEL_ARGUMENT],
  options: [
    RECIPE_OPTION,
    {
      name: 'max-bytes',
      value: 'SIZE',
      description: 'The largest export allowed, such as 25MB, 24MiB, 1.5GB or 25000000.',
    },
    {
      name: 'min-sqnr',
      value: 'DB',
      description:
        'The least SQNR allowed, in dB: of the weights, or of the outputs with --by outputs.',
    },
    {
      name: 'by',
      value: 'weights|outputs',
      description:
        "What counts as error: that of the weights, or what the model's outputs lose on samples (--inputs, --samples, --seed). Default: weights.",
    },
    ...RUN_OPTIONS,
    {
      name: 'mode',
      value: 'MODE',
      description: `Plan for an export in this mode: ${EXPORT_MODES.join(', ')}. Default: the first that the format has.`,
    },
    {
      name: 'calibrate',
      value: 'DIR',
      description:
        'Mode static: a folder of samples, on which the ranges of activations are found.',
    },
    RANGES_OPTION,
    PREPARE_OPTION,
    {
      name: 'candidates',
      value: 'S,S,...',
      description:
        'The schemes to choose from, such as int8,int4-block32; none keeps layers as they are where the scheme of the recipe costs too much.',
    },
    { name: 'out', value: 'RECIPE.json', description: 'Write the recipe to this file.' },
    JSON_OPTION,
  ],
  examples: [
    'quantscope plan model.onnx --recipe int8 --max-bytes 25MB --out small.json',
    'quantscope plan model.onnx --recipe int8 --min-sqnr 35',
    'quantscope plan model.onnx --recipe int8 --max-bytes 24MiB --candidates int8,int4-block32',
    'quantscope plan model.onnx --recipe int8 --by outputs --inputs samples --min-sqnr 30',
    'quantscope plan model.onnx --recipe static-int8 --mode static --ranges ranges.json --max-bytes 25MB',
    'quantscope plan model.onnx --recipe int8 --by outputs --candidates none --min-sqnr 30',
  ],
  run: plan,
};

/** @returns 1 when no plan meets the goal */
async function plan({ positionals, values }: CommandInput): Promise<number> {
  const recipe = loadRecipe(required(values, 'recipe'));
  const goal = goalOf(values);
  const out = values['out'] === undefined ? null : required(values, 'out');
  const asked = modeOf(values);
  const names = values['candidates'] === undefined ? null : required(values, 'candidates');
  const inputs = inputsOf(values, recipe);
  let status = 0;
  await withSession(positionals[0]!, async (tools) => {
    const { session } = tools;
    const read = [...session.opened.files, ...recipeFiles(values['recipe'])];
    if (out !== null) checkWritable(out, read);
    const mode = asked ?? session.opened.modes[0]!;
    const base = withPrepare(values, recipe, session);
    if (choosesCodes(base))
      printError(
        `quantscope: warning: a plan chooses schemes with the nearest codes, not by GPTQ as recipe ${printable(base.name)} does`,
      );
    const candidates = candidateSchemes(candidateNames(names) ?? defaultCandidates(session, mode));
    const {
      plan: found,
      budget,
      preparation,
    } = await withBudgeted(tools, values, { base, mode }, async (model) => {
      warnOfIdleRules(required(values, 'recipe'), base, model);
      const request = { base, mode, candidates };
      const solved = await solve(tools, model, request, { goal, inputs });
      return { ...solved, preparation: model.preparation };
    });
    if (!found.meets) status = 1;
    if (names !== null) warnOfUnused(budget, mode);
    if (out !== null && found.meets) writeWhole(out, `${toJson(found.recipe)}\n`, read);
    const layers = layersOf(found, budget);
    const copy = preparation ? { preparation } : {};
    if (values['json'] === true) printJson({ ...jsonOf(found, layers, mode), ...copy });
    else {
      if (preparation) printPrepared(preparation);
      printPlan(found, layers, goal);
    }
    if (out !== null && !found.meets)
      printError(`quantscope: ${printable(out)} is not written, as no plan meets the goal`);
  });
  return status;
}

/** Work with the model itself, its prepared copy, or in mode static its calibrated copy. @throws UsageError where that has no ranges */
async function withBudgeted<T>(
  tools: Tools,
  values: Values,
  { base, mode }: Pick<BudgetRequest, 'base' | 'mode'>,
  work: (model: Budgeted) => Promise<T>,
): Promise<T> {
  if (mode === 'static') return withCalibrated(tools, values, base, { codes: false }, work);
  for (const name of ['calibrate', 'ranges'])
    if (values[name] !== undefined)
      throw new UsageError(`--${name} is for --mode static, found ${mode}`);
  return withCopy(tools, base, mode, null, work);
}

type Found = FilePlan & Partial<Pick<OutputPlan, 'outputSqnrDb'>>;

async function solve(
  { session, signal, onProgress }: Tools,
  model: Budgeted,
  request: BudgetRequest,
  { goal, inputs }: { readonly goal: Goal; readonly inputs: Inputs | null },
): Promise<{ readonly plan: Found; readonly budget: Budget }> {
  const options = { signal, onProgress };
  const { mode } = request;
  const budget = await measureBudget(model, request, options);
  if (inputs === null) return { budget, plan: await planFile(model, budget, goal, mode, options) };
  const wanted = { budget, goal, mode, inputs, exporter: model };
  return { budget, plan: await planByOutputs(session, currentRuntime(), wanted, options) };
}

/** Candidates that the mode has no kernels or no storage for. */
function warnOfUnused({ unused }: Budget, mode: ExportMode): void {
  if (unused.length === 0) return;
  const names = unused.map(
    (scheme) => CANDIDATES.find((each) => each.scheme === scheme)?.name ?? describeScheme(scheme),
  );
  printError(
    `quantscope: warning: no layer of this model takes ${names.join(', ')} in mode ${mode}: plans have the scheme of the recipe, the other candidates, or float`,
  );
}

/** A layer's part of a plan: what its weights take, and their own error. */
interface PlannedLayer {
  readonly name: string;
  readonly scheme: Scheme | null;
  readonly bytesAfter: number;
  readonly sqnrDb: number | null;
}

function layersOf({ chosen }: Found, { names }: Budget): readonly PlannedLayer[] {
  return names.map(({ name, options }, at) => {
    const { scheme, sums } = options[chosen[at]!]!;
    const db = scheme === null ? null : sqnrDb(sums.signal, sums.noise);
    return { name: shortName(name), scheme, bytesAfter: sums.bytesAfter, sqnrDb: db };
  });
}

function jsonOf(
  { recipe, total, meets, fileBytes, outputSqnrDb }: Found,
  layers: readonly PlannedLayer[],
  mode: ExportMode,
): object {
  const measured = outputSqnrDb === undefined ? {} : { outputSqnrDb };
  const planned = layers.map(({ scheme, ...layer }) => ({
    ...layer,
    scheme: scheme === null ? null : fieldsOf(scheme),
  }));
  return { recipe, total, meets, fileBytes, mode, ...measured, layers: planned };
}

/** What a plan is, before its figures. */
function verdictOf({ meets, total }: Found, goal: Goal): string {
  if (!meets) return 'no plan meets the goal; the nearest';
  if (total.quantized > 0 || 'maxBytes' in goal) return 'meets the goal';
  return `quantizes nothing, as no scheme keeps ${goal.minSqnrDb} dB`;
}

function printPlan(found: Found, layers: readonly PlannedLayer[], goal: Goal): void {
  const { recipe, total, fileBytes, outputSqnrDb } = found;
  const rows = layers.map(({ name, scheme, bytesAfter, sqnrDb: db }) => [
    printable(name),
    scheme === null ? 'float' : describeScheme(scheme),
    scheme === null ? '' : decibels(db),
    String(bytesAfter),
  ]);
  const header = ['tensor', 'scheme', 'SQNR dB', 'bytes after'];
  if (rows.length > 0) print(toTable([header, ...rows], new Set([2, 3])));
  print(
    `${verdictOf(found, goal)}: file ${megabytes(fileBytes.before)} -> ${megabytes(fileBytes.after)}, ` +
      `${outputSqnrDb === undefined ? `SQNR ${inDecibels(total.sqnrDb)}` : `SQNR of the outputs ${inDecibels(outputSqnrDb)}`}, ${total.quantized} quantized, ${total.kept} kept, ` +
      `${recipe.rules.length} ${recipe.rules.length === 1 ? 'rule' : 'rules'}`,
  );
}

/** The candidates asked for; null for those of the format. */
function candidateNames(asked: string | null): readonly string[] | null {
  return asked === 'none' ? [] : (asked?.split(',') ?? null);
}

/** What a plan by outputs runs on; null for one by weights. @throws UsageError */
function inputsOf(values: Values, recipe: Recipe): Inputs | null {
  const by = values['by'] === undefined ? 'weights' : required(values, 'by');
  if (by !== 'weights' && by !== 'outputs')
    throw new UsageError(`--by must be weights or outputs, found ${printable(by)}`);
  if (by === 'weights') {
    for (const name of ['inputs', 'samples', 'seed'])
      if (values[name] !== undefined) throw new UsageError(`--${name} needs --by outputs`);
    // Calibration reads --images where it has a folder, and else nothing does.
    calibrationSettings(values, recipe);
    return null;
  }
  return runInputs(values, recipe);
}

/** @throws UsageError */
function goalOf(values: Values): Goal {
  const [bytes, sqnr] = [values['max-bytes'], values['min-sqnr']];
  if ((bytes === undefined) === (sqnr === undefined))
    throw new UsageError('give either --max-bytes or --min-sqnr');
  if (bytes !== undefined) return { maxBytes: byteSize(values, 'max-bytes') };
  const text = required(values, 'min-sqnr');
  const minSqnrDb = Number(text);
  if (!/^-?[\d.]+$/.test(text) || !(Math.abs(minSqnrDb) <= 1000))
    throw new UsageError(
      `--min-sqnr must be a number of dB from -1000 to 1000, found ${printable(text)}`,
    );
  return { minSqnrDb };
}

import { printable } from '../../shared/errors.ts';
import { EXPORT_MODES, type ExportMode } from '../../shared/exports.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { describeScheme, fieldsOf } from '../../shared/scheme.ts';
import {
  gainOf,
  LEFT_IN_FLOAT,
  type LeftInFloat,
  type SensitivityTable,
} from '../../shared/sensitivity.ts';
import { assertMode } from '../engine/planning.ts';
import { sensitivityTable, type TableRequest } from '../engine/sensitivity-table.ts';
import { CALIBRATE_OPTION, observeForCodes, RANGES_OPTION, rangesFor } from './calibration.ts';
import { RUN_OPTIONS, runInputs } from './run-inputs.ts';
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
import { printJson } from './json.ts';
import { decibels, inDecibels, print } from './output.ts';
import { currentRuntime } from './runtime.ts';
import { toTable } from './table.ts';
import { loadRecipe, modeOf, required, wholeNumber } from './usage.ts';
import { withPrepared } from './with-prepared.ts';
import { withSession, type Tools } from './with-session.ts';

export const sensitivityCommand: CommandDefinition = {
  name: 'sensitivity',
  description:
    "Measure what each layer costs the model's outputs: when it alone is quantized, or when it alone stays in float.",
  arguments: [MODEL_ARGUMENT],
  options: [
    RECIPE_OPTION,
    {
      name: 'in-float',
      value: LEFT_IN_FLOAT.join('|'),
      description:
        'What stays in float while a layer is measured: the others (it alone is quantized), or it (all but it are quantized). Default: others.',
    },
    ...RUN_OPTIONS,
    {
      name: 'layers',
      value: 'N',
      description:
        'Layers that are measured, of more those whose own outputs lose most, 1 to 10000. Default: 64.',
    },
    {
      name: 'mode',
      value: 'MODE',
      description: `Measure exports in this mode: ${EXPORT_MODES.join(', ')}. Default: the first that the format has.`,
    },
    CALIBRATE_OPTION,
    RANGES_OPTION,
    JSON_OPTION,
  ],
  examples: [
    'quantscope sensitivity model.onnx --recipe int4-block32 --inputs samples',
    'quantscope sensitivity model.onnx --recipe int8 --in-float both --json',
    'quantscope sensitivity model.onnx --recipe static-int8 --mode static --ranges ranges.json --in-float it --inputs samples',
  ],
  run: sensitivity,
};

async function sensitivity({ positionals, values }: CommandInput): Promise<void> {
  const recipe = loadRecipe(required(values, 'recipe'));
  const inFloat = inFloatOf(values);
  const inputs = runInputs(values, recipe);
  const most = wholeNumber(values, 'layers', 64, 1, 10_000);
  const asked = modeOf(values);
  await withSession(positionals[0]!, async (tools) => {
    const mode = asked ?? tools.session.opened.modes[0]!;
    warnOfIdleRules(required(values, 'recipe'), recipe, tools.session);
    const request = { recipe, mode, inFloat, inputs, most };
    const table =
      mode === 'static'
        ? await inStatic(tools, values, request)
        : await ofWeights(tools, values, request);
    if (values['json'] === true) printJson(jsonOf(recipe, mode, table));
    else printTable(table);
  });
}

async function ofWeights(
  tools: Tools,
  values: Values,
  request: TableRequest,
): Promise<SensitivityTable> {
  const { recipe, mode } = request;
  await observeForCodes(values, recipe, tools.session, mode, tools);
  return sensitivityTable(tools.session, currentRuntime(), request, tools);
}

async function inStatic(
  tools: Tools,
  values: Values,
  request: TableRequest,
): Promise<SensitivityTable> {
  // Before samples are run.
  assertMode(tools.session.opened, 'static');
  return withPrepared(tools, async (prepared) => {
    prepared.use(await rangesFor(values, request.recipe, prepared, tools));
    await observeForCodes(values, request.recipe, prepared.session, 'static', tools);
    const exporter = prepared.session;
    return sensitivityTable(tools.session, currentRuntime(), { ...request, exporter }, tools);
  });
}

/** @throws UsageError */
function inFloatOf(values: Values): LeftInFloat {
  const text = values['in-float'] === undefined ? 'others' : required(values, 'in-float');
  const found = LEFT_IN_FLOAT.find((each) => each === text);
  if (found !== undefined) return found;
  throw new UsageError(`--in-float must be ${LEFT_IN_FLOAT.join(', ')}, found ${printable(text)}`);
}

function jsonOf(recipe: Recipe, mode: ExportMode, { allSqnrDb, layers }: SensitivityTable): object {
  return {
    ...{ recipe, mode, allSqnrDb },
    layers: layers.map(({ tensors: _, scheme, ...layer }) => ({
      ...layer,
      gainDb: gainOf(layer, allSqnrDb),
      scheme: fieldsOf(scheme),
    })),
  };
}

/** What costs most first. */
function printTable({ allSqnrDb, layers }: SensitivityTable): void {
  const hasOnly = layers.some(({ onlySqnrDb }) => onlySqnrDb !== null);
  const hasWithout = layers.some(({ withoutSqnrDb }) => withoutSqnrDb !== null);
  const rank = ({ onlySqnrDb, withoutSqnrDb }: SensitivityTable['layers'][number]): number =>
    (hasWithout ? (withoutSqnrDb === null ? null : -withoutSqnrDb) : onlySqnrDb) ?? Infinity;
  const rows = [...layers]
    .sort((a, b) => rank(a) - rank(b))
    .map((layer) => [
      ...[printable(layer.name), describeScheme(layer.scheme)],
      ...(hasOnly ? [decibels(layer.onlySqnrDb)] : []),
      ...(hasWithout ? [decibels(layer.withoutSqnrDb), decibels(gainOf(layer, allSqnrDb))] : []),
    ]);
  const header = [
    ...['weights', 'scheme'],
    ...(hasOnly ? ['only it, dB'] : []),
    ...(hasWithout ? ['all but it, dB', 'gain, dB'] : []),
  ];
  print(`SQNR of the outputs: ${inDecibels(allSqnrDb)} with every layer quantized`);
  print(toTable([header, ...rows], new Set([2, 3, 4])));
  const left = layers.filter(
    ({ onlySqnrDb, withoutSqnrDb }) => onlySqnrDb === null && withoutSqnrDb === null,
  ).length;
  if (left > 0)
    print(`${left} layers whose own outputs lose less were not measured: give --layers`);
}

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
import { sensitivityTable } from '../engine/sensitivity-table.ts';
import { assertSamplesRead, CALIBRATE_OPTION, RANGES_OPTION, withModel } from './calibration.ts';
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
import { PREPARE_OPTION, withPrepare } from './prepare-option.ts';
import { currentRuntime } from './runtime.ts';
import { toTable } from './table.ts';
import { loadRecipe, modeOf, required, wholeNumber } from './usage.ts';
import { withSession } from './with-session.ts';

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
        'What stays in float while a layer is measured: the others (it alone is quantized), or it (all but it are quantized). Default: others; in mode static always it.',
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
    PREPARE_OPTION,
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
  const read = loadRecipe(required(values, 'recipe'));
  const inputs = runInputs(values, read);
  const most = wholeNumber(values, 'layers', 64, 1, 10_000);
  const asked = modeOf(values);
  await withSession(positionals[0]!, async (tools) => {
    const { session } = tools;
    const mode = asked ?? session.opened.modes[0]!;
    const recipe = withPrepare(values, read, session);
    assertSamplesRead(values, mode, recipe);
    const request = { recipe, mode, inFloat: inFloatOf(values, mode), inputs, most };
    const table = await withModel(tools, values, recipe, mode, (exporter) => {
      warnOfIdleRules(required(values, 'recipe'), recipe, exporter);
      return sensitivityTable(session, currentRuntime(), { ...request, exporter }, tools);
    });
    if (values['json'] === true) printJson(jsonOf(recipe, mode, table));
    else printTable(table);
  });
}

/** Activations between layers belong to none, so that in mode static no layer alone is quantized. @throws UsageError */
function inFloatOf(values: Values, mode: ExportMode): LeftInFloat {
  const text = values['in-float'] ?? (mode === 'static' ? 'it' : 'others');
  const found = LEFT_IN_FLOAT.find((each) => each === text);
  if (found === undefined)
    throw new UsageError(
      `--in-float must be ${LEFT_IN_FLOAT.join(', ')}, found ${printable(String(text))}`,
    );
  if (mode === 'static' && found !== 'it')
    throw new UsageError(`--in-float must be it in mode static, found ${found}`);
  return found;
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
function printTable({ allSqnrDb, layers, unmeasured }: SensitivityTable): void {
  const hasOnly = layers.some(({ onlySqnrDb }) => onlySqnrDb !== null);
  const hasWithout = layers.some(({ withoutSqnrDb }) => withoutSqnrDb !== null);
  const rank = ({ onlySqnrDb, withoutSqnrDb }: SensitivityTable['layers'][number]): number =>
    (hasWithout ? (withoutSqnrDb === null ? null : -withoutSqnrDb) : onlySqnrDb) ?? Infinity;
  const rows = [...layers]
    .sort((a, b) => rank(a) - rank(b))
    .map((layer) => [
      ...[printable(layer.name), describeScheme(layer.scheme)],
      ...(hasOnly ? [decibels(layer.onlySqnrDb)] : []),
      ...(hasWithout ? [decibels(layer.withoutSqnrDb), gain(gainOf(layer, allSqnrDb))] : []),
    ]);
  const header = [
    ...['weights', 'scheme'],
    ...(hasOnly ? ['only it, dB'] : []),
    ...(hasWithout ? ['all but it, dB', 'gain, dB'] : []),
  ];
  print(`SQNR of the outputs: ${inDecibels(allSqnrDb)} with every layer quantized`);
  print(toTable([header, ...rows], new Set([2, 3, 4])));
  if (unmeasured > 0)
    print(
      `${unmeasured} ${unmeasured === 1 ? 'layer whose own output loses less was' : 'layers whose own outputs lose less were'} not measured: give --layers`,
    );
}

/** What the outputs gain: all that they lost where they are exact without the layer. */
function gain(db: number | null): string {
  return db === Infinity ? 'all' : decibels(db);
}

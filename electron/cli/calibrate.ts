import { equalizationLines } from '../../shared/equalization.ts';
import { printable } from '../../shared/errors.ts';
import { findPreset } from '../../shared/presets.ts';
import {
  BASE_ACTIVATIONS,
  choosesRange,
  type ActivationScheme,
  type Recipe,
} from '../../shared/recipe.ts';
import type { Ranges } from '../../shared/ranges.ts';
import type { PreparedModel } from '../engine/calibrate/prepared.ts';
import { chooseRange } from '../engine/calibrate/choose-range.ts';
import { rangesToText } from '../engine/calibrate/ranges-file.ts';
import { valueKey, type ModelGraph } from '../../shared/graph.ts';
import { activationParameters } from '../engine/quantize/activation-parameters.ts';
import { checkWritable, writeWhole } from '../files/atomic-file.ts';
import {
  calibrationInputs,
  IMAGES_OPTION,
  observed,
  SAMPLES_OPTION,
  SEED_OPTION,
  withChoices,
} from './calibration.ts';
import {
  JSON_OPTION,
  MODEL_ARGUMENT,
  type CommandDefinition,
  type CommandInput,
} from './command.ts';
import { printJson } from './json.ts';
import { print } from './output.ts';
import { toTable } from './table.ts';
import { loadRecipe, recipeFiles, required } from './usage.ts';
import { withPrepared } from './with-prepared.ts';
import { withSession } from './with-session.ts';

export const calibrateCommand: CommandDefinition = {
  name: 'calibrate',
  description: 'Observe the ranges of activations on samples, for export --mode static.',
  arguments: [MODEL_ARGUMENT],
  options: [
    {
      name: 'inputs',
      value: 'DIR',
      description:
        'A folder of samples. Without it random ones stand in, which real data is not like.',
    },
    { name: 'out', value: 'FILE', description: 'The file to write ranges to.', required: true },
    {
      name: 'recipe',
      value: 'R',
      description:
        'A preset or recipe file: its activation scheme chooses the ranges that are shown, and with "equalize" they are of equalized weights.',
    },
    IMAGES_OPTION,
    SAMPLES_OPTION,
    SEED_OPTION,
    JSON_OPTION,
  ],
  examples: [
    'quantscope calibrate model.onnx --inputs samples --out ranges.json',
    'quantscope calibrate model.onnx --samples 32 --out ranges.json --json',
    'quantscope calibrate model.tflite --inputs pictures --out ranges.json',
  ],
  run: calibrate,
};

async function calibrate({ positionals, values }: CommandInput): Promise<void> {
  const out = required(values, 'out');
  const recipe = values['recipe'] === undefined ? null : loadRecipe(required(values, 'recipe'));
  const scheme = recipe?.activations ?? BASE_ACTIVATIONS;
  await withSession(positionals[0]!, async (tools) => {
    const inputs = [...tools.session.opened.files, ...recipeFiles(values['recipe'])];
    checkWritable(out, inputs);
    const given = calibrationInputs(values, 'inputs', recipe);
    await withPrepared(tools, given, async (made) => {
      const limit = values['samples'] === undefined ? undefined : given.samples;
      const samples = { ...given, limit };
      const found = await observed(made, samples, recipe, tools);
      const { prepared, ranges } =
        recipe !== null && (choosesRange(recipe) || recipe.equalize === 'byOutputs')
          ? await withChoices(found, { recipe, samples, codes: true }, tools)
          : found;
      prepared.use(ranges);
      writeWhole(out, rangesToText(ranges), inputs);
      const range = ranges.best?.range ?? scheme.range;
      const { opened } = prepared.session;
      const report = {
        ...reportOf(ranges, { ...scheme, range }, opened.graph()),
        withoutRange: withoutRange(
          prepared,
          recipe ??
            findPreset(opened.model.format === 'litert' ? 'litert-full-integer' : 'static-int8')!,
        ),
      };
      if (values['json'] === true) printJson(report);
      else {
        printReport(out, report);
        const { equalization } = ranges;
        for (const line of equalization ? equalizationLines(equalization) : []) print(line);
      }
    });
  });
}

/** Operators that would compute on integers and stay in float under a recipe, as a value of theirs was not observed. */
function withoutRange({ session }: PreparedModel, recipe: Recipe): number {
  const { operators } = session.plan(recipe, 'static');
  return operators.filter(({ missing }) => missing !== undefined).length;
}

type Report = ReturnType<typeof reportOf> & { readonly withoutRange: number };

function reportOf(
  { samples, values, skipped }: Ranges,
  scheme: ActivationScheme,
  graph: ModelGraph,
) {
  const producers = new Map(graph.values.map((value) => [valueKey(value), value.producer]));
  const method = typeof scheme.range === 'string' ? scheme.range : Object.keys(scheme.range)[0]!;
  return {
    samples,
    values: values.map((observed) => {
      const { low, high } = chooseRange(observed, scheme);
      const producer = producers.get(observed.name) ?? null;
      return {
        name: observed.name,
        op: producer === null ? 'input' : graph.operators[producer]!.op,
        min: observed.min,
        max: observed.max,
        chosen: { lo: low, hi: high, method },
        ...activationParameters(scheme, { low, high }),
      };
    }),
    skipped,
  };
}

function printReport(out: string, { samples, values, skipped, withoutRange }: Report): void {
  const rows = values.map(({ name, op, min, max, scale, zeroPoint }) => [
    printable(name),
    printable(op),
    min.toPrecision(4),
    max.toPrecision(4),
    scale.toPrecision(4),
    String(zeroPoint),
  ]);
  const header = ['value', 'operator', 'min', 'max', 'scale', 'zero point'];
  print(toTable([header, ...rows], new Set([2, 3, 4, 5])));
  const of = skipped.length === 0 ? '' : ` of ${values.length + skipped.length}`;
  print(
    `${printable(out)}: ranges of ${values.length}${of} values, observed on ${samples} ${samples === 1 ? 'sample' : 'samples'}`,
  );
  const reasons = new Map<string, number>();
  for (const { reason } of skipped) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [reason, count] of reasons) print(`${count} not observed: ${printable(reason)}`);
  if (withoutRange > 0)
    print(
      `${withoutRange} ${withoutRange === 1 ? 'operator stays' : 'operators stay'} in float because no range was observed`,
    );
}

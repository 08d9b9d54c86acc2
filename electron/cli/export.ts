import * as path from 'node:path';
import { equalizationLines } from '../../shared/equalization.ts';
import { AppError, printable } from '../../shared/errors.ts';
import {
  EXPORT_MODES,
  type ExportMode,
  type ExportResult,
  type KeptOperator,
} from '../../shared/exports.ts';
import type { ModelSummary } from '../../shared/protocol.ts';
import { isOwnRange, rangeName, type BestRange } from '../../shared/ranges.ts';
import {
  ACCURACY_LEVELS,
  BORDER_TYPES,
  withBorder,
  type AccuracyLevel,
  type BorderType,
  type Recipe,
} from '../../shared/recipe.ts';
import {
  JSON_OPTION,
  MODEL_ARGUMENT,
  RECIPE_OPTION,
  UsageError,
  type CommandDefinition,
  type CommandInput,
  type Values,
} from './command.ts';
import { warnOfIdleEqualization, warnOfIdleRules } from './idle-rules.ts';
import { printJson } from './json.ts';
import { megabytes, print, printError, printKept } from './output.ts';
import { loadRecipe, modeOf, recipeFiles, required } from './usage.ts';
import { FORMATS } from '../engine/formats/registry.ts';
import { checkWritable } from '../files/atomic-file.ts';
import {
  assertSamplesRead,
  CALIBRATE_OPTION,
  IMAGES_OPTION,
  RANGES_OPTION,
  withModel,
} from './calibration.ts';
import { PREPARE_OPTION, printPrepared, withPrepare } from './prepare-option.ts';
import { withSession } from './with-session.ts';

export const exportCommand: CommandDefinition = {
  name: 'export',
  description: 'Write a quantized copy of a model.',
  arguments: [MODEL_ARGUMENT],
  options: [
    RECIPE_OPTION,
    { name: 'out', value: 'FILE', description: 'The file to write.', required: true },
    {
      name: 'mode',
      value: 'MODE',
      description: `How the copy stores and computes: ${EXPORT_MODES.join(', ')}. Default: the first that the format has.`,
    },
    {
      name: 'accuracy-level',
      value: '0|1|4',
      description:
        'What MatMulNBits nodes compute in, mode nbits only: 4 quantizes their inputs to int8, which is faster and less accurate; 1 keeps float32; 0 lets the runtime choose. Default: the level of the recipe, or 0.',
    },
    CALIBRATE_OPTION,
    IMAGES_OPTION,
    RANGES_OPTION,
    {
      name: 'io',
      value: BORDER_TYPES.join('|'),
      description:
        'Mode static of LiteRT: the type of inputs and outputs. Default: that of the recipe, or float32.',
    },
    {
      name: 'drop-metadata',
      description:
        'ONNX: leave out what the exporter noted of nodes, values and tensors, such as source lines and shapes. What the file says of the whole model stays.',
    },
    PREPARE_OPTION,
    {
      name: 'integer-only',
      description:
        'Mode static: write no file where an operator would stay in float, and list those that would.',
    },
    {
      name: 'overwrite',
      description: 'Replace files that have the names of the side files or shards of the export.',
    },
    {
      name: 'allow-unchanged',
      description: 'Write the copy even when the recipe quantizes no tensor of this model.',
    },
    JSON_OPTION,
  ],
  examples: [
    'quantscope export model.onnx --recipe int8 --out model.int8.onnx',
    'quantscope export model.onnx --recipe int8 --mode dynamic --out model.dynamic.onnx',
    'quantscope export model.onnx --recipe int8 --mode dynamic --prepare --out model.prepared.onnx',
    'quantscope export model.onnx --recipe static-int8 --mode static --calibrate samples --out model.static.onnx',
    'quantscope export model.tflite --recipe litert-full-integer --mode static --calibrate samples --out model.int8.tflite',
    'quantscope export model.onnx --recipe int4-gptq --mode nbits --calibrate samples --out model.gptq.onnx',
    'quantscope export checkpoint --recipe bfloat16 --mode cast --out model.safetensors.index.json',
  ],
  run: exportModel,
};

async function exportModel({ positionals, values }: CommandInput): Promise<void> {
  const model = positionals[0]!;
  const read = loadRecipe(required(values, 'recipe'));
  const level = accuracyLevel(values);
  const out = required(values, 'out');
  const asked = modeOf(values);
  await withSession(model, async (tools) => {
    const { session, signal, onProgress } = tools;
    const mode = asked ?? session.opened.modes[0]!;
    const recipe: Recipe = {
      ...withPrepare(values, read, session),
      ...(level === null ? {} : { accuracyLevel: level }),
      ...(values['drop-metadata'] === true ? { dropMetadata: true } : {}),
    };
    if (level !== null && mode !== 'nbits')
      throw new UsageError(`--accuracy-level is for --mode nbits, found ${mode}`);
    const inputs = recipeFiles(values['recipe']);
    checkWritable(out, [...session.opened.files, ...inputs]);
    checkExtension(out, session.summary());
    if (mode !== 'static' && values['integer-only'] === true)
      throw new UsageError(`--integer-only is for --mode static, found ${mode}`);
    if (values['images'] !== undefined && values['calibrate'] === undefined)
      throw new UsageError('--images is for pictures of a folder: give one with --calibrate DIR');
    assertSamplesRead(values, mode, read);
    if (values['drop-metadata'] === true && session.opened.model.format !== 'onnx')
      throw new UsageError(
        `--drop-metadata is for ONNX models, found ${session.summary().formatName}`,
      );
    const border = borderType(values, mode, session.opened.model.format);
    const options = {
      ...{ signal, onProgress, inputs },
      integerOnly: values['integer-only'] === true,
      overwrite: values['overwrite'] === true,
      refuseUnchanged: values['allow-unchanged'] !== true,
    };
    const wanted = border === null ? recipe : withBorder(recipe, border);
    const result = await withModel(tools, values, wanted, mode, (model) => {
      warnOfIdleRules(required(values, 'recipe'), read, model);
      warnOfIdleEqualization(read, mode);
      return model.export(wanted, mode, out, options);
    });
    if (values['json'] === true) {
      printJson(result);
      return;
    }
    print(
      `${result.out}: ${megabytes(result.bytesBefore)} -> ${megabytes(result.bytesAfter)}, ` +
        `${result.quantized} quantized, ${result.kept} kept, ${result.seconds.toFixed(2)} s`,
    );
    if (result.preparation !== undefined) printPrepared(result.preparation);
    printKept(result.quantized, result.keptByReason);
    for (const { tensors, reason } of result.nearest ?? [])
      print(`nearest codes: ${tensors} ${tensors === 1 ? 'tensor' : 'tensors'}: ${reason}`);
    printIntegerOperators(result);
    const { bestRange } = result;
    if (bestRange !== undefined && bestRange.tried.length > 0) print(bestRangeLine(bestRange));
    for (const line of result.equalization ? equalizationLines(result.equalization) : [])
      print(line);
    if (result.arena !== undefined)
      print(
        `memory for values between operators: ${kilobytes(result.arena.before)} -> ${kilobytes(result.arena.after)}`,
      );
    for (const line of operatorLines(result.operators ?? [])) print(line);
  });
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

/** The level that the command line gives; null where it gives none. */
function accuracyLevel(values: CommandInput['values']): AccuracyLevel | null {
  const text = values['accuracy-level'];
  if (text === undefined) return null;
  const level = ACCURACY_LEVELS.find((each) => String(each) === text);
  if (level !== undefined) return level;
  throw new UsageError(`--accuracy-level must be 0, 1 or 4, found ${printable(String(text))}`);
}

/** The type of inputs and outputs that the command line gives; null where it gives none. */
function borderType(values: Values, mode: ExportMode, format: string): BorderType | null {
  const text = values['io'];
  if (text === undefined) return null;
  if (mode !== 'static' || format !== 'litert')
    throw new UsageError(`--io is for --mode static of a LiteRT model, found ${mode} of ${format}`);
  const type = BORDER_TYPES.find((each) => each === text);
  if (type !== undefined) return type;
  throw new UsageError(`--io must be ${BORDER_TYPES.join(', ')}, found ${printable(String(text))}`);
}

/** @throws AppError TARGET when programs would not know the format by the file's name */
function checkExtension(out: string, { format, formatName, extension }: ModelSummary): void {
  // An index of shards and a single file have different names.
  const isIndex = extension.endsWith('.json');
  const known = FORMATS.find((each) => each.format === format)?.extensions ?? [];
  const allowed = known
    .map((each) => `.${each}`)
    .filter((each) => each.endsWith('.json') === isIndex);
  if (allowed.some((each) => out.toLowerCase().endsWith(each))) return;
  throw new AppError('TARGET', `is not named as ${formatName} files are; choose another name`, {
    file: out,
    found: path.extname(out) === '' ? 'no extension' : path.extname(out),
    expected: allowed.join(' or '),
  });
}

/** How many operators run on codes, in the modes that are for that; a warning when none does. */
function printIntegerOperators({ mode, integerOperators, quantized }: ExportResult): void {
  if (integerOperators === undefined) return;
  print(
    `${integerOperators} ${integerOperators === 1 ? 'operator takes' : 'operators take'} codes`,
  );
  if (integerOperators === 0 && quantized > 0)
    printError(
      `quantscope: warning: no operator takes codes, so this ${mode} export computes in float; quantscope analyze --mode ${mode} says why`,
    );
}

/** The range method and the codes that were chosen, and what all left of the outputs. */
export function bestRangeLine(best: BestRange): string {
  const { range, isNearest, tried } = best;
  const codes = (isNearestToo: boolean): string => (isNearestToo ? ' with nearest codes' : '');
  const figures = tried.map(
    (each) =>
      `${rangeName(each.range)}${codes(each.isNearest)} ${each.sqnrDb === null ? 'exact' : `${each.sqnrDb.toFixed(1)} dB`}`,
  );
  const why = isOwnRange(best)
    ? "the recipe's own range, as no other loses less of the outputs beyond chance"
    : 'which loses less of the outputs, beyond chance';
  return `ranges of activations by ${rangeName(range)}${codes(isNearest)}, ${why}; without the rounding of integer kernels: ${figures.join(', ')}`;
}

/** One line for each reason, with how many operators of each kind it keeps. */
function operatorLines(operators: readonly KeptOperator[]): string[] {
  const reasons = new Map<string, Map<string, number>>();
  for (const { op, reason } of operators) {
    const counts = reasons.get(reason) ?? new Map<string, number>();
    reasons.set(reason, counts.set(op, (counts.get(op) ?? 0) + 1));
  }
  return [...reasons].map(([reason, counts]) => {
    const kinds = [...counts].map(([op, count]) => `${count} ${printable(op)}`);
    return `in float32: ${kinds.join(', ')}: ${reason}`;
  });
}

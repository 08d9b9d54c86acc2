import { AppError, printable } from '../../shared/errors.ts';
import { ABOUT_TIMES } from '../../shared/formats.ts';
import { LAYER_PARTS, type LayerErrors, type LayerPart } from '../../shared/layer-errors.ts';
import { kernelLines, ROUNDS_INPUTS, whySlower } from '../../shared/kernels.ts';
import { addTo } from '../../shared/lists.ts';
import { lostNonFinite, newNonFinite, type VerifyResult } from '../../shared/verification.ts';
import { differenceInWords, percent, shareInWords } from '../../shared/judgement.ts';
import { verifyAnswers } from '../engine/answers/verify-answers.ts';
import { measureLayersOf, runBeside } from '../engine/runtime/run-models.ts';
import {
  JSON_OPTION,
  MODEL_ARGUMENT,
  UsageError,
  type CommandDefinition,
  type CommandInput,
  type Values,
} from './command.ts';
import { printPreparation } from './preparation.ts';
import { ANSWERS_OPTIONS, answerFields, answersWanted, printAnswers } from './answers.ts';
import { printJson } from './json.ts';
import { decibels, megabytes, print, printError } from './output.ts';
import { currentRuntime } from './runtime.ts';
import { toTable } from './table.ts';
import { RUN_OPTIONS, runInputs } from './run-inputs.ts';
import { withSession } from './with-session.ts';

export const verifyCommand: CommandDefinition = {
  name: 'verify',
  description:
    'Run a model and its export, ONNX in onnxruntime and LiteRT in LiteRT, and compare their outputs.',
  arguments: [MODEL_ARGUMENT, { name: 'EXPORTED', description: 'The quantized copy.' }],
  options: [
    ...RUN_OPTIONS,
    {
      name: 'layers',
      description: 'Measure the error of each layer too: local and accumulated SQNR of its output.',
    },
    {
      name: 'only',
      value: LAYER_PARTS.join('|'),
      description:
        'With --layers, of a static export: the error that its weights alone make, or its activations alone.',
    },
    ...ANSWERS_OPTIONS,
    JSON_OPTION,
  ],
  examples: [
    'quantscope verify model.onnx model.int8.onnx',
    'quantscope verify model.onnx model.int8.onnx --inputs samples --samples 16',
    'quantscope verify model.onnx model.int8.onnx --layers',
    'quantscope verify model.onnx model.static.onnx --layers --only activations --inputs samples',
    'quantscope verify ocr.onnx ocr.int8.onnx --inputs lines --answers ctc --labels keys.txt',
    'quantscope verify model.tflite model.dynamic.tflite',
  ],
  run: verify,
};

async function verify({ positionals, values }: CommandInput): Promise<void> {
  const [model, exported] = positionals as [string, string];
  const wanted = runInputs(values, null);
  const answersAsked = answersWanted(values);
  const only = partOf(values);
  await withSession(model, async ({ session, signal, onProgress }) => {
    const options = { signal, onProgress };
    const runtime = currentRuntime();
    const answered =
      answersAsked === null
        ? null
        : await verifyAnswers(session, runtime, exported, wanted, answersAsked, options);
    const result =
      answered?.result ?? (await runBeside(session, runtime, exported, wanted, options));
    const measured =
      values['layers'] === true
        ? await measureLayersOf(session, runtime, exported, wanted, options, only)
        : null;
    const answers = answered === null ? {} : answerFields(answered);
    printPreparation(result);
    if (values['json'] === true) printJson({ ...result, ...layerFields(measured), ...answers });
    else {
      printTable(result, wanted.inputs === null);
      if (answered !== null) printAnswers(answered, wanted.inputs === null);
      if (measured !== null) printLayers(measured);
    }
    assertFinite(exported, result);
    for (const warning of poorOutputs(result)) printError(`quantscope: warning: ${warning}`);
  });
}

/** What --only asks for; undefined for all. @throws UsageError */
function partOf(values: Values): LayerPart | undefined {
  const text = values['only'];
  if (text === undefined) return undefined;
  if (values['layers'] !== true) throw new UsageError('--only needs --layers');
  const found = LAYER_PARTS.find((each) => each === text);
  if (found !== undefined) return found;
  throw new UsageError(
    `--only must be ${LAYER_PARTS.join(' or ')}, found ${printable(String(text))}`,
  );
}

function layerFields(measured: LayerErrors | null): object {
  if (measured === null) return {};
  // Numbers of operators and tensors are the window's.
  const layers = measured.layers.map(({ operator: _, tensors: __, ...layer }) => layer);
  return { layers, layersSkipped: measured.skipped };
}

function printLayers({ layers, skipped }: LayerErrors): void {
  const rows = layers.map(({ name, op, localSqnrDb, accumulatedSqnrDb }) => [
    ...[printable(name), op],
    ...[decibels(localSqnrDb), decibels(accumulatedSqnrDb)],
  ]);
  const header = ['layer', 'operator', 'local SQNR dB', 'accumulated SQNR dB'];
  if (rows.length > 0) print(toTable([header, ...rows], new Set([2, 3])));
  for (const { name, note } of layers)
    if (note !== undefined) print(`${printable(name)} has no local error: ${printable(note)}`);
  for (const line of skippedLines(skipped)) print(line);
}

/** Names that a line lists; of the others it has the number. */
const LISTED = 3;

/** A line for each reason why layers have no figures. */
function skippedLines(skipped: LayerErrors['skipped']): readonly string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, reason } of skipped) addTo(byReason, reason, printable(name));
  return [...byReason].map(([reason, names]) => {
    if (names.length === 1) return `${names[0]!} ${printable(reason)}`;
    const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : '';
    const what = reason.replace(/^is /, 'are ').replace(/^(take|give|keep)s /, '$1 ');
    return `${names.length} layers ${printable(what)}: ${names.slice(0, LISTED).join(', ')}${more}`;
  });
}

/** @throws AppError where an output has NaN or infinity that the original does not have, as such an export is unusable. */
function assertFinite(file: string, { outputs }: VerifyResult): void {
  const found = outputs.flatMap(({ name, nonFinite }) => {
    return named(name, newNonFinite(nonFinite));
  });
  if (found.length === 0) return;
  throw new AppError('RUNTIME', found.join('; '), { file });
}

/** What an export answers poorly, in words, and a better preset where its recipe is known for it. */
function poorOutputs({ outputs, exportedUnder }: VerifyResult): string[] {
  const lost = outputs.flatMap(({ name, nonFinite }) => named(name, lostNonFinite(nonFinite)));
  const words = outputs.flatMap(({ name, sqnrDb, equalShare, inconclusive }) => {
    if (inconclusive) return [];
    if (equalShare !== null) return named(name, shareInWords(equalShare));
    const difference = differenceInWords(sqnrDb);
    return difference === null
      ? []
      : named(name, `${sqnrDb!.toFixed(1)} dB: its values ${difference}`);
  });
  if (words.length > 0 && exportedUnder === 'ort-dynamic')
    words.push('ort-dynamic quantizes every weight per tensor; export with --recipe int8 instead');
  return [...lost, ...words];
}

function named(output: string, words: string | null): string[] {
  return words === null ? [] : [`output ${printable(output)}: ${words}`];
}

function printTable(result: VerifyResult, isRandom: boolean): void {
  printOutputs(result.outputs);
  if (result.weightsOnly !== undefined) {
    print(`${ROUNDS_INPUTS} The weights alone give:`);
    printOutputs(result.weightsOnly);
  }
  for (const { name, note } of result.outputs)
    if (note !== null) print(`${printable(name)} ${printable(note)}`);
  for (const line of result.kernels === null ? [] : kernelLines(result.kernels))
    print(printable(line));
  for (const warning of result.warnings) print(`warning: ${printable(warning)}`);
  const slower = whySlower(result);
  if (slower !== null) print(slower);
  const times = ABOUT_TIMES[result.runtime];
  if (times !== null) print(times);
  print(
    `${megabytes(result.bytesBefore)} -> ${megabytes(result.bytesAfter)}, ` +
      `${result.msBefore.toFixed(2)} ms -> ${result.msAfter.toFixed(2)} ms, ` +
      `${result.samples} ${result.samples === 1 ? 'sample' : 'samples'}${isRandom ? `, seed ${result.seed}` : ''}`,
  );
}

/** SQNR in dB of floats; of integers and text the share of values that are equal. */
function likeness({ sqnrDb, equalShare, inconclusive }: VerifyResult['outputs'][number]): string {
  if (inconclusive && sqnrDb === null) return 'inconclusive';
  if (equalShare === null || sqnrDb === Infinity) return decibels(sqnrDb);
  return `${percent(equalShare)} % equal`;
}

function printOutputs(outputs: VerifyResult['outputs']): void {
  const rows = outputs.map((output) => [
    printable(output.name),
    likeness(output),
    output.equalShare === null ? (output.cosine?.toFixed(6) ?? '-') : '-',
    Number.isNaN(output.maxAbsError) ? '-' : output.maxAbsError.toPrecision(4),
    output.top1Agreement === null ? '-' : `${(output.top1Agreement * 100).toFixed(1)} %`,
  ]);
  print(
    toTable(
      [['output', 'SQNR dB', 'cosine', 'max error', 'top-1'], ...rows],
      new Set([1, 2, 3, 4]),
    ),
  );
}

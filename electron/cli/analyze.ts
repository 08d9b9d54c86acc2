import { csv } from '../../shared/csv.ts';
import { printable } from '../../shared/errors.ts';
import type { Preparation } from '../../shared/preparation.ts';
import type { TensorRef } from '../../shared/model.ts';
import { choosesCodes, type Recipe } from '../../shared/recipe.ts';
import { describeScheme, fieldsOf, schemeOf } from '../../shared/scheme.ts';
import { EXPORT_MODES, type ExportMode } from '../../shared/exports.ts';
import {
  keptByReason,
  type KeptGroup,
  type TensorReport,
  type Total,
} from '../../shared/report.ts';
import { shortName } from '../../shared/short-name.ts';
import type { Budgeted, StoredActivations } from '../engine/prepared-view.ts';
import { checkWritable, writeWhole } from '../files/atomic-file.ts';
import {
  assertSamplesRead,
  CALIBRATE_OPTION,
  IMAGES_OPTION,
  RANGES_OPTION,
  withModel,
} from './calibration.ts';
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
import { decibels, inDecibels, megabytes, print, printError, printKept } from './output.ts';
import { PREPARE_OPTION, printPrepared, withPrepare } from './prepare-option.ts';
import { toTable } from './table.ts';
import { loadRecipe, modeOf, recipeFiles, required } from './usage.ts';
import { withSession, type Tools } from './with-session.ts';

/** A tensor's line: what the model and the report say of it. */
type Row = ReturnType<typeof rowOf>;

interface Analysis {
  readonly recipe: Recipe;
  readonly mode: ExportMode;
  readonly tensors: readonly Row[];
  readonly total: Total;
  readonly preparation?: Preparation;
  /** Mode static: values whose scales and zero points the file stores beside these tensors. */
  readonly activations?: StoredActivations;
}

export const analyzeCommand: CommandDefinition = {
  name: 'analyze',
  description: 'Measure what a recipe costs and saves, tensor by tensor.',
  arguments: [MODEL_ARGUMENT],
  options: [
    RECIPE_OPTION,
    { name: 'versus', value: 'R2', description: 'A second recipe to compare with.' },
    {
      name: 'mode',
      value: 'MODE',
      description: `Measure what an export in this mode does: ${EXPORT_MODES.join(', ')}. Default: the first that the format has.`,
    },
    CALIBRATE_OPTION,
    RANGES_OPTION,
    IMAGES_OPTION,
    PREPARE_OPTION,
    JSON_OPTION,
    { name: 'csv', value: 'FILE', description: 'Write one row a tensor and recipe to this file.' },
  ],
  examples: [
    'quantscope analyze model.onnx --recipe int8',
    'quantscope analyze model.onnx --recipe int8 --versus int4-block32',
    'quantscope analyze model.onnx --recipe mine.json --csv layers.csv',
    'quantscope analyze model.onnx --recipe static-int8 --mode static --ranges ranges.json',
  ],
  run: analyze,
};

async function analyze({ positionals, values }: CommandInput): Promise<void> {
  const model = positionals[0]!;
  const read = loadRecipe(required(values, 'recipe'));
  const readVersus = typeof values['versus'] === 'string' ? loadRecipe(values['versus']) : null;
  if (values['json'] === true && values['csv'] !== undefined)
    throw new UsageError('--json and --csv cannot be used together');
  const asked = modeOf(values);
  await withSession(model, async (tools) => {
    const { session } = tools;
    const mode = asked ?? session.opened.modes[0]!;
    const inputs = [...session.opened.files, ...recipeFiles(values['recipe'], values['versus'])];
    const csvFile = typeof values['csv'] === 'string' ? values['csv'] : null;
    if (csvFile !== null) checkWritable(csvFile, inputs);
    const recipe = withPrepare(values, read, session);
    const versus = readVersus === null ? null : withPrepare(values, readVersus, session);
    const choosing = versus !== null && choosesCodes(versus) ? versus : recipe;
    assertSamplesRead(values, mode, choosing);
    const isBefore = mode === 'static' && !hasRanges(values) && !choosesCodes(choosing);
    const run = (wanted: Recipe, readFrom: 'recipe' | 'versus'): Promise<Analysis> => {
      const work = (of: Measured): Promise<Analysis> => {
        warnOfIdleRules(required(values, readFrom), wanted, of);
        warnOfIdleEqualization(wanted, mode);
        return analysisOf(tools, of, wanted, mode);
      };
      return isBefore ? work(session) : withModel(tools, values, wanted, mode, work);
    };
    const first = await run(recipe, 'recipe');
    const second = versus === null ? null : await run(versus, 'versus');
    if (isBefore)
      printError(
        'quantscope: warning: the figures are those of weights before calibration; give --calibrate DIR or --ranges FILE for what the static export stores',
      );
    if (values['json'] === true) {
      printJson({ file: model, ...first, ...(second === null ? {} : { versus: second }) });
    } else if (csvFile !== null) writeWhole(csvFile, csvOf(first, second), inputs);
    else printAnalysis(first, second);
  });
}

type Measured = Pick<Budgeted, 'analyze' | 'tensors' | 'preparation' | 'storedActivations'>;

/** @param of what is exported: the model itself, or its prepared copy */
async function analysisOf(
  { signal, onProgress }: Tools,
  of: Measured,
  recipe: Recipe,
  mode: ExportMode,
): Promise<Analysis> {
  const { reports, total } = await of.analyze(recipe, { signal, onProgress, mode });
  const tensors = reports.map((report) => rowOf(of.tensors[report.tensor]!, report));
  const { preparation } = of;
  const activations = of.storedActivations?.(recipe);
  return {
    ...{ recipe, mode, tensors, total },
    ...(preparation ? { preparation } : {}),
    ...(activations === undefined || activations.values === 0 ? {} : { activations }),
  };
}

const hasRanges = (values: Values): boolean =>
  values['ranges'] !== undefined || values['calibrate'] !== undefined;

function rowOf(tensor: TensorRef, report: TensorReport) {
  return {
    name: shortName(tensor.name),
    layer: shortName(tensor.layer),
    op: shortName(tensor.op),
    graph: shortName(tensor.graph),
    role: tensor.role,
    dtype: tensor.dtype,
    shape: tensor.shape,
    scheme: report.scheme === null ? null : fieldsOf(report.scheme),
    quantized: report.quantized,
    folded: report.folded === true,
    reason: report.reason,
    axis: report.axis,
    scale: report.scale,
    zeroPoint: report.zeroPoint,
    min: report.min,
    max: report.max,
    clipped: report.clipped,
    levelsUsed: report.levelsUsed,
    mse: report.quantized ? report.mse : null,
    rmse: report.quantized ? report.rmse : null,
    maxAbsError: report.quantized ? report.maxAbsError : null,
    sqnrDb: report.sqnrDb,
    cosine: report.cosine,
    bytesBefore: report.bytesBefore,
    bytesAfter: report.bytesAfter,
  };
}

const CSV_COLUMNS = [
  'name',
  'layer',
  'op',
  'role',
  'dtype',
  'scheme',
  'quantized',
  'reason',
  'min',
  'max',
  'clipped',
  'mse',
  'rmse',
  'maxAbsError',
  'sqnrDb',
  'cosine',
  'bytesBefore',
  'bytesAfter',
] as const;

function csvOf(first: Analysis, second: Analysis | null): string {
  const rows = (second === null ? [first] : [first, second]).flatMap(({ recipe, tensors }) =>
    tensors.map((row) => [recipe.name, ...CSV_COLUMNS.map((column) => cellOf(row, column))]),
  );
  return csv([['recipe', ...CSV_COLUMNS], ...rows]);
}

function cellOf(row: Row, column: (typeof CSV_COLUMNS)[number]): string | number | null {
  if (column === 'scheme') return row.scheme === null ? null : describeScheme(schemeOf(row.scheme));
  const value = row[column];
  if (typeof value === 'boolean') return String(value);
  return Number.isNaN(value) ? null : value;
}

function schemeCell({ quantized, folded, scheme, reason }: Row): string {
  if (folded) return reason ?? '';
  if (!quantized || scheme === null) return `kept: ${reason}`;
  const described = describeScheme(schemeOf(scheme));
  return reason === null ? described : `${described}; ${reason}`;
}

function keptGroups({ tensors }: Analysis): readonly KeptGroup[] {
  return keptByReason(
    tensors.flatMap(({ quantized, folded, reason, bytesBefore }) =>
      quantized || folded || reason === null ? [] : [{ reason, bytes: bytesBefore }],
    ),
  );
}

/** How many tensors are not in the export, as others were computed of them. */
function foldedText({ tensors }: Analysis): string {
  const count = tensors.filter(({ folded }) => folded).length;
  return count === 0 ? '' : `, ${count} folded into others`;
}

function printAnalysis(first: Analysis, second: Analysis | null): void {
  for (const analysis of second === null ? [first] : [first, second]) {
    const rows = analysis.tensors.map((row) => [
      printable(row.name),
      row.op,
      schemeCell(row),
      row.quantized ? decibels(row.sqnrDb) : '',
      String(row.bytesBefore),
      String(row.bytesAfter),
    ]);
    const { total } = analysis;
    print(`recipe ${printable(analysis.recipe.name)}, mode ${analysis.mode}`);
    if (analysis.preparation !== undefined) printPrepared(analysis.preparation);
    print(
      toTable(
        [['tensor', 'op', 'scheme', 'SQNR dB', 'bytes', 'bytes after'], ...rows],
        new Set([3, 4, 5]),
      ),
    );
    const change = total.bytesBefore === 0 ? 0 : (total.bytesAfter / total.bytesBefore - 1) * 100;
    print(
      `total ${megabytes(total.bytesBefore)} -> ${megabytes(total.bytesAfter)} (${change.toFixed(1)} %), ` +
        `SQNR ${inDecibels(total.sqnrDb)}, ${total.quantized} quantized, ${total.kept} kept${foldedText(analysis)}`,
    );
    const { activations } = analysis;
    if (activations !== undefined)
      print(
        `beside these tensors the file stores scales and zero points of ${activations.values} activations, ${activations.bytes} bytes, and attributes that become inputs in the newer opset`,
      );
    printKept(total.quantized, keptGroups(analysis));
  }
}

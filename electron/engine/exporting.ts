import * as path from 'node:path';
import { AppError } from '../../shared/errors.ts';
import type { Plan } from '../../shared/plan.ts';
import type { StaticOutline } from '../../shared/activations.ts';
import type { ModelGraph } from '../../shared/graph.ts';
import type {
  ExportMode,
  ExportPreview,
  ExportResult,
  KeptOperator,
} from '../../shared/exports.ts';
import { choosesCodes, type Recipe } from '../../shared/recipe.ts';
import { keptByReason, type KeptGroup } from '../../shared/report.ts';
import type { InputFile } from '../files/atomic-file.ts';
import { outlineOf } from './activations.ts';
import { fitPlan } from './export/fit-plan.ts';
import { recoverFolder } from './export/journal.ts';
import type { Layout } from './export/layout.ts';
import { writeModel } from './export/write-model.ts';
import { planTarget, refuseInTheWay, type TargetPlan } from './export-target.ts';
import type { OpenedModel } from './formats/format.ts';
import { filesOf, forWorker, type WorkerFiles } from './jobs.ts';
import type { Measuring } from './measuring.ts';
import type { Planning } from './planning.ts';
import type { WorkerPool } from './pool.ts';
import { kernelScheme } from './quantize/scheme.ts';
import type { RunOptions } from './run-options.ts';
import { whyNearest } from './solutions.ts';

export interface ExportOptions extends RunOptions {
  /** Whether files may be replaced that have the names of the export's parts, and belong to something else. */
  readonly overwrite?: boolean;
  /** Whether an export that quantizes nothing is refused, with the reasons. */
  readonly refuseUnchanged?: boolean;
  /** Mode static: whether an export is refused of which an operator stays in float, with the list of those. */
  readonly integerOnly?: boolean;
  /** Writes what an export that changes nothing leaves; the model itself where it is missing. @returns its bytes */
  readonly writeUnchanged?: () => Promise<number>;
  /** Other files that are being read, which the target must not be. */
  readonly inputs?: readonly InputFile[];
}

/** @throws AppError UNSUPPORTED with the reasons */
function refuseUnchanged(file: string, mode: ExportMode, reasons: readonly string[]): never {
  throw new AppError(
    'UNSUPPORTED',
    'is not written, because the export would quantize no tensor; choose another recipe or mode, or allow it with --allow-unchanged',
    {
      file,
      field: `mode ${mode}`,
      found: reasons.length === 0 ? 'no float tensors' : reasons.slice(0, 3).join('; '),
    },
  );
}

/** Characters of groups of operators that an error lists whole; others are counted. */
const LISTED = 180;

/** @throws AppError UNSUPPORTED with the operators that stay in float, the largest group first */
function refuseFloat(file: string, { float }: StaticOutline): void {
  if (float.length === 0) return;
  const groups: string[] = [];
  let others = 0;
  for (const { operators, ops, reason } of float) {
    const kinds = ops.length > 3 ? `${ops.slice(0, 3).join(', ')} and others` : ops.join(', ');
    const group = `${operators} ${kinds}: ${reason}`;
    if (groups.length === 0 || [...groups, group].join('; ').length <= LISTED) groups.push(group);
    else others += operators;
  }
  const more = others > 0 ? [`and ${others} more`] : [];
  throw new AppError(
    'UNSUPPORTED',
    'is not written, because operators stay in float; allow operators in float to write it',
    { file, found: [...groups, ...more].join('; '), expected: 'operators on integers only' },
  );
}

/** The operators that mode static leaves in float. */
function floatOperators({ operators }: Plan, graph: ModelGraph): readonly KeptOperator[] {
  return operators.flatMap(({ operator, reason }) => {
    const { name, op } = graph.operators[operator]!;
    return reason === null ? [] : [{ name, op, reason }];
  });
}

interface PlannedExport extends TargetPlan {
  readonly plan: Plan;
}

/** Bytes of all of a model's files. */
export function bytesOf({ files }: OpenedModel): number {
  return files.reduce((sum, file) => sum + file.size, 0);
}

/** What an export works with: the model, its plans and what was measured, and workers. */
export interface ExportTools {
  readonly opened: OpenedModel;
  readonly files: WorkerFiles;
  readonly pool: WorkerPool;
  readonly measuring: Measuring;
  readonly planning: Planning;
}

/** Writes quantized copies of one open model. */
export class Exporting {
  private readonly opened: OpenedModel;
  private readonly files: WorkerFiles;
  private readonly pool: WorkerPool;
  private readonly measuring: Measuring;
  private readonly planning: Planning;

  constructor({ opened, files, pool, measuring, planning }: ExportTools) {
    this.opened = opened;
    this.files = files;
    this.pool = pool;
    this.measuring = measuring;
    this.planning = planning;
  }

  /** What an export would write, to the byte where it is named as is suggested: names of side files and shards are in it. */
  async preview(recipe: Recipe, mode: ExportMode, options: RunOptions): Promise<ExportPreview> {
    const { plan, layoutFor } = await this.planning.layouts(recipe, mode, options);
    const layout = layoutFor(this.planning.suggestedName(recipe, mode));
    return {
      mode,
      bytesBefore: bytesOf(this.opened),
      bytesAfter: layout.bytes,
      quantized: layout.quantized.length,
      kept: this.keptByReason(plan, layout),
      opset: layout.opset ?? null,
      usesMicrosoft: layout.usesMicrosoft ?? false,
      ...(layout.exporterMetadata === undefined
        ? {}
        : { exporterMetadata: layout.exporterMetadata() }),
      ...(layout.arena === undefined ? {} : { arena: layout.arena }),
      ...(mode === 'static' ? { outline: outlineOf(plan, this.opened.graph()) } : {}),
    };
  }

  /** Write a quantized copy. @throws AppError; then the target is as it was and nothing else is left behind. */
  async export(
    recipe: Recipe,
    mode: ExportMode,
    target: string,
    options: ExportOptions,
  ): Promise<ExportResult> {
    const started = performance.now();
    const place = await this.planTarget(recipe, mode, target, options);
    if (options.overwrite !== true) refuseInTheWay(target, place);
    const { layout, plan } = place;
    const isChanged =
      layout.quantized.length > 0 || plan.operators.some(({ isInteger }) => isInteger);
    if (options.refuseUnchanged === true && !isChanged)
      refuseUnchanged(target, mode, this.whyUnchanged(plan, layout));
    if (options.integerOnly === true) refuseFloat(target, outlineOf(plan, this.opened.graph()));
    let bytesAfter = layout.bytes;
    if (isChanged || options.writeUnchanged === undefined) await this.write(target, place, options);
    else bytesAfter = await options.writeUnchanged();
    const operators =
      mode === 'static' ? floatOperators(plan, this.opened.graph()) : layout.operators;
    return {
      out: target,
      mode,
      bytesBefore: bytesOf(this.opened),
      bytesAfter,
      quantized: layout.quantized.length,
      kept: this.opened.model.tensors.length - layout.quantized.length,
      ...activationCounts(mode, plan),
      keptByReason: this.keptByReason(plan, layout),
      ...this.nearestByReason(recipe, mode),
      ...(plan.bestRange === undefined ? {} : { bestRange: plan.bestRange }),
      ...(plan.equalization === undefined ? {} : { equalization: plan.equalization }),
      ...(layout.arena === undefined ? {} : { arena: layout.arena }),
      ...(operators === undefined ? {} : { operators }),
      ...(layout.integerOperators === undefined
        ? {}
        : { integerOperators: layout.integerOperators }),
      seconds: (performance.now() - started) / 1000,
    };
  }

  private async write(
    target: string,
    { layout, plan, ownParts, inTheWay }: PlannedExport,
    { signal, onProgress }: RunOptions,
  ): Promise<void> {
    const written = new Map(layout.quantized.map((entry) => [entry.tensor, entry]));
    let [item, done] = ['', 0];
    await writeModel({
      layout,
      files: this.opened.files,
      target,
      replaced: [...ownParts, ...inTheWay],
      signal,
      encode: async (tensor, place) => {
        const ref = this.opened.model.tensors[tensor]!;
        const known = this.measuring.passes.get(tensor) ?? null;
        const entry = written.get(tensor)!;
        const { scheme, scaleDtype } = entry;
        const planned = {
          ...{ ...plan.weights[tensor]!, scheme },
          ...(scaleDtype === undefined ? {} : { scaleDtype }),
        };
        const params = {
          files: filesOf(this.files, [ref]),
          tensor: forWorker(ref),
          known,
          scheme: kernelScheme(this.planning.encoded(planned))!,
          codes: entry.codes,
          place,
        };
        await this.pool.run('encode', params, { signal, what: ref.name });
        item = ref.name;
        done++;
      },
      onProgress: (bytesDone) =>
        onProgress?.({
          what: 'Writing',
          item,
          done,
          of: written.size,
          bytesDone,
          bytesOf: layout.bytes,
        }),
    });
  }

  /** Names of the files besides the target that an export would replace. @throws AppError TARGET */
  async replacedBy(
    recipe: Recipe,
    mode: ExportMode,
    target: string,
    options: RunOptions,
  ): Promise<string[]> {
    const { ownParts, inTheWay } = await this.planTarget(recipe, mode, target, options);
    return [...ownParts, ...inTheWay].map((file) => path.basename(file));
  }

  private async planTarget(
    recipe: Recipe,
    mode: ExportMode,
    target: string,
    options: ExportOptions,
  ): Promise<PlannedExport> {
    recoverFolder(path.dirname(path.resolve(target)));
    const { plan, layoutFor } = await this.planning.layouts(recipe, mode, options);
    const inputs = [...this.opened.files, ...(options.inputs ?? [])];
    return { ...planTarget(target, layoutFor, inputs), plan };
  }

  /** Why weights have the nearest codes although the recipe wants others. */
  private nearestByReason(recipe: Recipe, mode: ExportMode): Pick<ExportResult, 'nearest'> {
    if (!choosesCodes(recipe)) return {};
    const rounded = this.planning.plan(recipe, mode).weights.flatMap((entry) => {
      const reason = whyNearest(entry);
      return reason === null
        ? []
        : [{ reason, bytes: this.opened.model.tensors[entry.tensor]!.bytes }];
    });
    return { nearest: keptByReason(rounded) };
  }

  /** The reasons of tensors, the largest group first; where none is kept, those of operators. */
  private whyUnchanged(plan: Plan, layout: Layout): readonly string[] {
    const tensors = this.keptByReason(plan, layout);
    if (tensors.length > 0)
      return tensors.map(({ reason, tensors: count }) => `${count} kept: ${reason}`);
    const { float } = outlineOf(plan, this.opened.graph());
    return float.map(({ reason, operators, ops }) => `${operators} ${ops.join(', ')}: ${reason}`);
  }

  private keptByReason({ weights }: Plan, layout: Layout): readonly KeptGroup[] {
    const written = new Set(layout.quantized.map(({ tensor }) => tensor));
    return keptByReason(
      fitPlan(weights, layout).flatMap(({ tensor, reason }) =>
        written.has(tensor) || reason === null
          ? []
          : [{ reason, bytes: this.opened.model.tensors[tensor]!.bytes }],
      ),
    );
  }
}

/** How many values of the main graph a static plan quantizes, and how many of those that were looked at it does not. */
function activationCounts(
  mode: ExportMode,
  { activations, operators }: Plan,
): Pick<ExportResult, 'activations' | 'integerOperators'> {
  if (mode !== 'static') return {};
  const quantized = activations.filter(({ scheme }) => scheme !== null).length;
  const isInteger = operators.filter((operator) => operator.isInteger).length;
  return {
    activations: { quantized, kept: activations.length - quantized },
    integerOperators: isInteger,
  };
}

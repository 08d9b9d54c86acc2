import * as path from 'node:path';
import type { DotProduct } from '../../shared/dot-product.ts';
import { AppError } from '../../shared/errors.ts';
import { suggestedFileName } from '../../shared/formats.ts';
import { isQuantizable, type TensorRef } from '../../shared/model.ts';
import {
  planWeights,
  weightsOnly,
  type Plan,
  type PlannedTensor,
  type TensorPlan,
  type WeightPlans,
} from '../../shared/plan.ts';
import type {
  ExportMode,
  ExportPreview,
  ExportResult,
  ModelSummary,
  Progress,
} from '../../shared/protocol.ts';
import type { Ranges } from '../../shared/ranges.ts';
import type { Channels } from '../../shared/channels.ts';
import type { Scales } from '../../shared/scales.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Scheme } from '../../shared/scheme.ts';
import {
  keptByReason,
  totalOf,
  type KeptGroup,
  type RangeCandidate,
  type TensorDetail,
  type TensorReport,
  type Total,
} from '../../shared/report.ts';
import type { InputFile } from '../files/atomic-file.ts';
import { throwIfAborted } from './cancel.ts';
import { fitPlan } from './export/fit-plan.ts';
import { recoverFolder } from './export/journal.ts';
import type { Layout } from './export/layout.ts';
import { writeModel } from './export/write-model.ts';
import { planTarget, refuseInTheWay, type TargetPlan } from './export-target.ts';
import type { FormatAdapter, OpenedModel } from './formats/format.ts';
import { ADAPTERS, formatName, openModel } from './formats/registry.ts';
import { Inspector } from './inspector.ts';
import { filesOf, forWorker, type WorkerFiles } from './jobs.ts';
import { isReadable, Measuring, type MeasureOptions } from './measuring.ts';
import { outlineOf } from './activations.ts';
import { StaticKnowledge } from './static-facts.ts';
import type { WorkerPool } from './pool.ts';
import { split } from './batches.ts';
import { kernelScheme } from './quantize/scheme.ts';
import { keptReport, nonFiniteReason, overflowReason } from './reports.ts';
import { tensorSummaries } from './summaries.ts';

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

export interface ExportOptions extends RunOptions {
  /** Whether files may be replaced that have the names of the export's parts, and belong to something else. */
  readonly overwrite?: boolean;
  /** Whether an export that quantizes nothing is refused, with the reasons. */
  readonly refuseUnchanged?: boolean;
  /** Other files that are being read, which the target must not be. */
  readonly inputs?: readonly InputFile[];
}

export interface AnalyzeOptions extends MeasureOptions {
  /** The export mode whose plan is measured; the format's first where none is given. */
  readonly mode?: ExportMode;
  readonly onReports?: (reports: readonly TensorReport[]) => void;
}

/** How the copy of another model is named and planned. */
export interface CopyFacts {
  /** The name that exports are suggested names by. */
  readonly label: string;
  /** Its tensors as the rules of recipes see them. */
  readonly planned: (opened: OpenedModel) => readonly PlannedTensor[];
}

/** Plans that are remembered: two sides in two modes. */
const KEPT_PLANS = 4;

/** Above this many tensors a whole model is not laid out to inspect one of them. */
const MANY_TENSORS = 2000;

/** @throws AppError UNSUPPORTED with the reasons, the largest group of tensors first */
function refuseUnchanged(file: string, mode: ExportMode, groups: readonly KeptGroup[]): never {
  const reasons = groups.slice(0, 3).map(({ reason, tensors }) => `${tensors} kept: ${reason}`);
  throw new AppError(
    'UNSUPPORTED',
    'is not written, because the export would quantize no tensor; choose another recipe or mode, or allow it with --allow-unchanged',
    {
      file,
      field: `mode ${mode}`,
      found: reasons.length === 0 ? 'no float tensors' : reasons.join('; '),
    },
  );
}

/** One open model and what is known of it. Everything heavy happens in the pool's workers. */
export class Session {
  readonly opened: OpenedModel;
  private readonly pool: WorkerPool;
  private readonly files: WorkerFiles;
  /** What was opened by its name alone: a file, or the folder that holds one. */
  readonly label: string;
  private readonly measuring: Measuring;
  /** The last plans by recipe and mode, the newest last. */
  private readonly plans = new Map<string, Plan>();
  private readonly inspector: Inspector;
  private readonly calibration: StaticKnowledge;

  private constructor(file: string, opened: OpenedModel, pool: WorkerPool, copy?: CopyFacts) {
    this.label = copy?.label ?? path.basename(path.resolve(file));
    this.opened = opened;
    this.pool = pool;
    this.files = opened.files.map(({ path, identity, owner }) => ({ path, identity, owner }));
    this.measuring = new Measuring(pool, this.files, opened.model.tensors);
    this.inspector = new Inspector(pool, this.files);
    this.calibration = new StaticKnowledge(opened, copy?.planned(opened) ?? opened.model.tensors);
  }

  /** Open a model of one of the formats: reads its structure only. @throws AppError */
  static open(
    file: string,
    pool: WorkerPool,
    copy?: CopyFacts,
    adapters: readonly FormatAdapter[] = ADAPTERS,
  ): Session {
    return new Session(file, openModel(file, adapters), pool, copy);
  }

  /** Bytes of all the model's files. */
  get bytes(): number {
    return this.opened.files.reduce((sum, file) => sum + file.size, 0);
  }

  get tensors(): readonly TensorRef[] {
    return this.opened.model.tensors;
  }

  summary(): ModelSummary {
    const { files, tensors: _, ...facts } = this.opened.model;
    return {
      ...facts,
      formatName: formatName(facts.format),
      file: path.basename(files[0]!.path),
      extension: this.opened.extension,
      modes: this.opened.modes,
      canRun: this.opened.canRun,
      fileBytes: files.reduce((sum, file) => sum + file.bytes, 0),
      tensors: tensorSummaries(this.opened.model),
    };
  }

  /** Report every tensor under a recipe, in the model's order. @throws AppError CANCELLED, CHANGED, WORKER_DIED ... */
  async analyze(
    recipe: Recipe,
    options: AnalyzeOptions,
  ): Promise<{ reports: TensorReport[]; total: Total }> {
    this.assertUnchanged();
    const { mode = this.opened.modes[0]! } = options;
    await this.readFor(recipe, mode, options);
    const { weights } = this.plan(recipe, mode);
    const reports = new Array<TensorReport>(weights.length);
    const settle = (made: readonly TensorReport[]): void => {
      for (const report of made) reports[report.tensor] = report;
      options.onReports?.(made);
    };
    const [measured, untouched] = split(
      weights,
      (entry) => entry.scheme !== null || isQuantizable(this.tensors[entry.tensor]!),
    );
    settle(untouched.map((entry) => keptReport(this.tensors[entry.tensor]!, entry, null)));
    await this.measuring.run(measured, 'Measuring', options, settle);
    // What was cancelled while its last batch ended has no result either: a newer run's would follow it.
    throwIfAborted(options.signal);
    return { reports, total: totalOf(reports, (tensor) => this.tensors[tensor]!.elements) };
  }

  /**
   * What an export in a mode does to each tensor under a recipe, and why it keeps the others.
   * @param mode the format's first where none is given
   * @throws AppError UNSUPPORTED when the format has no such mode
   */
  plan(recipe: Recipe, mode: ExportMode = this.opened.modes[0]!): Plan {
    this.assertMode(mode);
    const key = JSON.stringify([mode, recipe]);
    const plan = this.plans.get(key) ?? this.fitted(this.asked(recipe, mode), mode, recipe);
    this.plans.delete(key);
    this.plans.set(key, plan);
    for (const oldest of this.plans.keys()) {
      if (this.plans.size <= KEPT_PLANS) break;
      this.plans.delete(oldest);
    }
    return plan;
  }

  /** Quantize activations in mode static by these ranges. */
  useRanges(ranges: Ranges): void {
    this.calibration.use(ranges);
    this.plans.clear();
  }

  /** All that the inspector shows of one tensor under one or two recipes. */
  async inspect(
    tensor: number,
    recipes: readonly (Recipe | null)[],
    bins: number,
    signal: AbortSignal,
    mode: ExportMode = this.opened.modes[0]!,
  ): Promise<TensorDetail> {
    const ref = this.readable(tensor);
    for (const recipe of recipes)
      if (recipe !== null) await this.readScales(recipe, mode, { signal });
    const known = this.measuring.passes.get(tensor) ?? null;
    const entries = recipes.map((recipe) =>
      recipe === null ? null : this.planOf(ref, recipe, mode),
    );
    return this.inspector.inspect(ref, { entries, bins, known }, signal);
  }

  /**
   * Every scale and zero point of one tensor under a recipe; none where it is kept or cast.
   * @throws AppError NON_FINITE, CANCELLED, CHANGED, WORKER_DIED
   */
  async scales(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode = this.opened.modes[0]!,
  ): Promise<Scales> {
    const ref = this.readable(tensor);
    await this.readScales(recipe, mode, { signal });
    const scheme = kernelScheme(this.planOf(ref, recipe, mode));
    if (scheme === null) return { scale: [], zeroPoint: [] };
    const known = this.measuring.passes.get(tensor) ?? null;
    const params = { files: this.files, tensor: forWorker(ref), known, scheme };
    return this.pool.run('scales', params, { signal, what: ref.name, urgent: true });
  }

  /**
   * The range of every channel of one tensor, and its SQNR under a recipe; null without a channel axis.
   * @throws AppError CANCELLED, CHANGED, WORKER_DIED
   */
  async channels(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode = this.opened.modes[0]!,
  ): Promise<Channels | null> {
    const ref = this.readable(tensor);
    await this.readScales(recipe, mode, { signal });
    const scheme = kernelScheme(this.planOf(ref, recipe, mode));
    const known = this.measuring.passes.get(tensor) ?? null;
    const params = { files: this.files, tensor: forWorker(ref), known, scheme };
    return this.pool.run('channels', params, { signal, what: ref.name, urgent: true });
  }

  /** The ranges that the searching methods would choose for one tensor, as a recipe stores it. */
  async searchRanges(
    tensor: number,
    recipe: Recipe,
    signal: AbortSignal,
    mode: ExportMode = this.opened.modes[0]!,
  ): Promise<readonly RangeCandidate[]> {
    const ref = this.tensor(tensor);
    const scheme = kernelScheme(this.planOf(ref, recipe, mode));
    if (scheme === null || !isReadable(ref)) return [];
    const known = this.measuring.passes.get(tensor) ?? null;
    const params = { files: this.files, tensor: forWorker(ref), known, scheme };
    return this.pool.run('ranges', params, { signal, what: ref.name, urgent: true });
  }

  /** The dot product of a tensor's first values and a seeded vector in [-1, 1), before and after a downcast. */
  async dotProduct(
    tensor: number,
    length: number,
    seed: number,
    signal: AbortSignal,
  ): Promise<DotProduct> {
    const ref = this.readable(tensor);
    const params = { files: this.files, tensor: forWorker(ref), length, seed };
    return this.pool.run('dot', params, { signal, what: ref.name, urgent: true });
  }

  /** What an export would write, to the byte where it is named as is suggested: names of side files and shards are in it. */
  async previewExport(
    recipe: Recipe,
    mode: ExportMode,
    options: RunOptions,
  ): Promise<ExportPreview> {
    const { plan, layoutFor } = await this.layouts(recipe, mode, options);
    const layout = layoutFor(this.suggestedName(recipe, mode));
    return {
      mode,
      bytesBefore: this.bytes,
      bytesAfter: layout.bytes,
      quantized: layout.quantized.length,
      kept: this.keptByReason(plan, layout),
      opset: layout.opset ?? null,
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
    this.assertUnchanged();
    const place = await this.planTarget(recipe, mode, target, options);
    if (options.overwrite !== true) refuseInTheWay(target, place);
    const { layout, plan } = place;
    if (options.refuseUnchanged === true && layout.quantized.length === 0)
      refuseUnchanged(target, mode, this.keptByReason(plan, layout));
    const planned = new Map(layout.quantized.map((entry) => [entry.tensor, entry]));
    let [item, done] = ['', 0];
    await writeModel({
      layout,
      files: this.opened.files,
      target,
      replaced: [...place.ownParts, ...place.inTheWay],
      signal: options.signal,
      encode: async (tensor, place) => {
        const ref = this.tensor(tensor);
        const known = this.measuring.passes.get(tensor) ?? null;
        const entry = planned.get(tensor)!;
        const params = {
          files: filesOf(this.files, [ref]),
          tensor: forWorker(ref),
          known,
          scheme: kernelScheme({ ...plan.weights[tensor]!, ...entry })!,
          codes: entry.codes,
          place,
        };
        await this.pool.run('encode', params, { signal: options.signal, what: ref.name });
        item = ref.name;
        done++;
      },
      onProgress: (bytesDone) =>
        options.onProgress?.({
          what: 'Writing',
          item,
          done,
          of: planned.size,
          bytesDone,
          bytesOf: layout.bytes,
        }),
    });
    return {
      out: target,
      mode,
      bytesBefore: this.bytes,
      bytesAfter: layout.bytes,
      quantized: layout.quantized.length,
      kept: this.tensors.length - layout.quantized.length,
      ...activationCounts(mode, plan),
      keptByReason: this.keptByReason(plan, layout),
      ...(layout.operators === undefined ? {} : { operators: layout.operators }),
      ...(layout.integerOperators === undefined
        ? {}
        : { integerOperators: layout.integerOperators }),
      seconds: (performance.now() - started) / 1000,
    };
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
  ): Promise<TargetPlan & { readonly plan: Plan }> {
    recoverFolder(path.dirname(path.resolve(target)));
    const { plan, layoutFor } = await this.layouts(recipe, mode, options);
    const inputs = [...this.opened.files, ...(options.inputs ?? [])];
    return { ...planTarget(target, layoutFor, inputs), plan };
  }

  close(): void {
    this.opened.close();
  }

  /**
   * The plan of one tensor. Laying out a model of many thousand tensors takes longer than the
   * inspector may: there, until the whole model's plan is known, the tensor is planned on its own.
   */
  private planOf(ref: TensorRef, recipe: Recipe, mode = this.opened.modes[0]!): TensorPlan {
    const isKnown = mode === 'static' || this.plans.has(JSON.stringify([mode, recipe]));
    if (isKnown || this.tensors.length <= MANY_TENSORS)
      return this.plan(recipe, mode).weights[ref.id]!;
    const asked = planWeights([ref], recipe)[0]!;
    const alone = this.tensors.map(({ id }) =>
      id === ref.id ? asked : { ...asked, tensor: id, scheme: null },
    );
    return this.fitted(alone, mode, recipe).weights[ref.id]!;
  }

  /** A plan as the format's layout carries it out; as it is where the model cannot be exported at all. */
  private fitted(asked: WeightPlans, mode: ExportMode, recipe: Recipe): Plan {
    try {
      const plan = this.computing(asked, mode, recipe);
      const layout = this.layoutOf(plan, mode, recipe, this.suggestedName(recipe, mode));
      return { ...plan, weights: fitPlan(plan.weights, layout) };
    } catch (error) {
      if (error instanceof AppError && error.code === 'UNSUPPORTED') return weightsOnly(asked);
      throw error;
    }
  }

  /** What a recipe asks of the weights, before the format fits it. */
  private asked(recipe: Recipe, mode: ExportMode): WeightPlans {
    return mode === 'static' ? this.calibration.asked(recipe) : planWeights(this.tensors, recipe);
  }

  /** The plan of weights, with that of activations and operators where the mode has one. */
  private computing(weights: WeightPlans, mode: ExportMode, recipe: Recipe): Plan {
    if (mode !== 'static' || this.opened.planStatic === undefined) return weightsOnly(weights);
    return this.opened.planStatic(weights, this.calibration.facts(recipe));
  }

  private suggestedName(recipe: Recipe, mode: ExportMode): string {
    return suggestedFileName(this.label, recipe.name, mode, this.opened.extension);
  }

  private assertMode(mode: ExportMode): void {
    if (this.opened.modes.includes(mode)) return;
    throw new AppError('UNSUPPORTED', `${this.opened.model.format} has no such export mode`, {
      field: 'mode',
      found: mode,
      expected: this.opened.modes.join(', '),
    });
  }

  private tensor(id: number): TensorRef {
    const ref = this.tensors[id];
    if (ref === undefined)
      throw new AppError('BAD_USAGE', 'there is no such tensor', {
        field: 'tensor',
        found: String(id),
        expected: `0 to ${this.tensors.length - 1}`,
      });
    return ref;
  }

  private readable(id: number): TensorRef {
    const ref = this.tensor(id);
    if (isReadable(ref)) return ref;
    throw new AppError('UNSUPPORTED', 'holds no float values to inspect', {
      field: ref.name,
      found: ref.dtype,
    });
  }

  /** @throws AppError CHANGED when a file of the model is no longer what was opened. */
  assertUnchanged(): void {
    for (const file of this.opened.files) file.assertUnchanged();
  }

  /** Lay out an export. What a scheme cannot hold is known only after the first pass, so that is made here where it is missing. */
  private async layouts(
    recipe: Recipe,
    mode: ExportMode,
    options: RunOptions,
  ): Promise<{ plan: Plan; layoutFor: (targetName: string) => Layout }> {
    this.assertMode(mode);
    const asked = this.asked(recipe, mode);
    await this.measuring.readUnknown(
      asked.filter(({ scheme }) => scheme !== null && !decidesOverflow(mode, scheme)),
      options,
    );
    await this.readFor(recipe, mode, options);
    const held = asked.map((entry) => this.heldBy(entry, mode));
    const plan = this.computing(held, mode, recipe);
    return { plan, layoutFor: (name) => this.layoutOf(plan, mode, recipe, name) };
  }

  /** Read what the plan of a mode depends on. */
  private async readFor(recipe: Recipe, mode: ExportMode, options: RunOptions): Promise<void> {
    await this.readConstants(mode, options);
    await this.readScales(recipe, mode, options);
  }

  /** Biases of operators on integers are stored in units of their weights' scales. */
  private async readScales(recipe: Recipe, mode: ExportMode, options: RunOptions): Promise<void> {
    const wanted = mode === 'static' ? this.calibration.unmeasured(recipe) : [];
    if (wanted.length === 0) return;
    await this.measuring.run(wanted, 'Measuring', { ...options, withScales: true }, (reports) =>
      this.calibration.learn(reports),
    );
    this.plans.clear();
  }

  /** Float16 arithmetic is planned by what every float tensor holds, constants too. */
  private async readConstants(mode: ExportMode, options: RunOptions): Promise<void> {
    if (mode !== 'float16') return;
    const readable = this.tensors.filter((ref) => isReadable(ref));
    await this.measuring.readUnknown(
      readable.map(({ id }) => ({ tensor: id, scheme: null, reason: null, byRule: false })),
      options,
    );
  }

  private layoutOf(plan: Plan, mode: ExportMode, recipe: Recipe, targetName: string): Layout {
    return this.opened.layout(plan, mode, recipe, targetName, this.measuring.statistics());
  }

  /** The plan of a tensor whose values its scheme may not hold: then it is kept. */
  private heldBy(entry: TensorPlan, mode: ExportMode): TensorPlan {
    const { scheme, tensor } = entry;
    const statistics = this.measuring.passes.get(tensor)?.statistics;
    if (scheme === null || statistics === undefined || decidesOverflow(mode, scheme)) return entry;
    const reason =
      scheme.kind === 'cast'
        ? overflowReason(scheme, statistics)
        : statistics.firstNonFinite === null
          ? null
          : nonFiniteReason(statistics);
    return reason === null ? entry : { ...entry, scheme: null, reason };
  }

  private keptByReason({ weights }: Plan, layout: Layout): readonly KeptGroup[] {
    const written = new Set(layout.quantized.map(({ tensor }) => tensor));
    return keptByReason(
      fitPlan(weights, layout).flatMap(({ tensor, reason }) =>
        written.has(tensor) || reason === null
          ? []
          : [{ reason, bytes: this.tensors[tensor]!.bytes }],
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

/** Whether a mode decides itself about values that become infinite: cast stores them as model.to(dtype) does. */
function decidesOverflow(mode: ExportMode, { kind }: Scheme): boolean {
  return kind === 'cast' && (mode === 'cast' || mode === 'float16');
}

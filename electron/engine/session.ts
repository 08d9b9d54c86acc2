import * as path from 'node:path';
import type { Channels } from '../../shared/channels.ts';
import type { DotProduct } from '../../shared/dot-product.ts';
import { AppError } from '../../shared/errors.ts';
import { isQuantizable, type TensorRef } from '../../shared/model.ts';
import type { Plan, PlannedTensor, TensorPlan } from '../../shared/plan.ts';
import type { ExportMode, ExportPreview, ExportResult } from '../../shared/exports.ts';
import type { ModelSummary } from '../../shared/protocol.ts';
import type { Ranges } from '../../shared/ranges.ts';
import type { Recipe } from '../../shared/recipe.ts';
import {
  totalOf,
  type RangeCandidate,
  type TensorDetail,
  type TensorReport,
  type Total,
} from '../../shared/report.ts';
import type { Scales } from '../../shared/scales.ts';
import type { WeightMoments } from './weight-moments.ts';
import { split } from './batches.ts';
import { throwIfAborted } from './cancel.ts';
import { bytesOf, Exporting, type ExportOptions } from './exporting.ts';
import type { FormatAdapter, OpenedModel } from './formats/format.ts';
import { ADAPTERS, formatName, openModel } from './formats/registry.ts';
import { Inspector } from './inspector.ts';
import { forWorker, type WorkerFiles } from './jobs.ts';
import { isReadable, Measuring, type MeasureOptions } from './measuring.ts';
import { Planning } from './planning.ts';
import type { WorkerPool } from './pool.ts';
import { kernelScheme } from './quantize/scheme.ts';
import { keptReport } from './reports.ts';
import type { RunOptions } from './run-options.ts';
import { Solutions } from './solutions.ts';
import { tensorSummaries } from './summaries.ts';

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
  /** Bytes of the other model, which exports must be smaller than; unless missing. */
  readonly limit?: number;
}

/** One open model and what is known of it. Everything heavy happens in the pool's workers. */
export class Session {
  readonly opened: OpenedModel;
  private readonly pool: WorkerPool;
  private readonly files: WorkerFiles;
  /** What was opened by its name alone: a file, or the folder that holds one. */
  readonly label: string;
  private readonly measuring: Measuring;
  private readonly planning: Planning;
  private readonly solutions: Solutions;
  private readonly exporting: Exporting;
  private readonly inspector: Inspector;

  private constructor(file: string, opened: OpenedModel, pool: WorkerPool, copy?: CopyFacts) {
    this.label = copy?.label ?? path.basename(path.resolve(file));
    this.opened = opened;
    this.pool = pool;
    this.files = opened.files.map(({ path, identity, owner }) => ({ path, identity, owner }));
    this.measuring = new Measuring(pool, this.files, opened.model.tensors);
    this.inspector = new Inspector(pool, this.files);
    const { files, measuring } = this;
    const planned = copy?.planned(opened) ?? opened.model.tensors;
    this.solutions = new Solutions(pool, files, opened, measuring);
    const { label, solutions } = this;
    const facts = { label, planned, limit: copy?.limit ?? Infinity };
    const planning = new Planning(opened, measuring, facts, solutions);
    this.planning = planning;
    this.exporting = new Exporting({ opened, files, pool, measuring, planning });
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
    return bytesOf(this.opened);
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
      runtime: this.opened.runHints?.runtime ?? null,
      takesMoments: this.opened.weightInputs !== undefined,
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
    const { weights } = await this.planning.planRead(recipe, mode, options);
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
    return this.planning.plan(recipe, mode);
  }

  /** Quantize activations in mode static by these ranges. */
  useRanges(ranges: Ranges): void {
    this.planning.useRanges(ranges);
  }

  /** Choose codes by these moments, where a recipe asks for it. Takes them over: they are removed with the session. */
  useMoments(moments: WeightMoments): void {
    this.planning.useMoments(moments);
  }

  /** The weights whose codes a recipe wants chosen on samples. */
  wantsMoments(recipe: Recipe, mode: ExportMode): readonly number[] {
    return this.planning.wantsMoments(recipe, mode);
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
    const entries: (TensorPlan | null)[] = [];
    for (const recipe of recipes)
      entries.push(recipe === null ? null : await this.planning.planOf(ref, recipe, mode, signal));
    const known = this.measuring.passes.get(tensor) ?? null;
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
    const scheme = kernelScheme(await this.planning.planOf(ref, recipe, mode, signal));
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
    const scheme = kernelScheme(await this.planning.planOf(ref, recipe, mode, signal));
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
    const scheme = kernelScheme(await this.planning.planOf(ref, recipe, mode, signal));
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

  /** As Exporting.preview. */
  previewExport(recipe: Recipe, mode: ExportMode, options: RunOptions): Promise<ExportPreview> {
    return this.exporting.preview(recipe, mode, options);
  }

  /** As Exporting.export. @throws AppError CHANGED besides */
  async export(
    recipe: Recipe,
    mode: ExportMode,
    target: string,
    options: ExportOptions,
  ): Promise<ExportResult> {
    this.assertUnchanged();
    return this.exporting.export(recipe, mode, target, options);
  }

  /** As Exporting.replacedBy. */
  replacedBy(
    recipe: Recipe,
    mode: ExportMode,
    target: string,
    options: RunOptions,
  ): Promise<string[]> {
    return this.exporting.replacedBy(recipe, mode, target, options);
  }

  close(): void {
    this.solutions.close();
    this.opened.close();
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
}

import { isQuantizable, type TensorRef } from '../../shared/model.ts';
import type { TensorPlan } from '../../shared/plan.ts';
import type { Statistics, TensorReport } from '../../shared/report.ts';
import { batchesOf } from './batches.ts';
import {
  filesOf,
  forWorker,
  type AnalyzedItem,
  type AnalyzeItem,
  type WorkerFiles,
} from './jobs.ts';
import type { WeightSums } from './formats/format.ts';
import type { WorkerPool } from './pool.ts';
import { kernelScheme } from './quantize/scheme.ts';
import type { TensorStatistics } from './quantize/statistics.ts';
import { reportOf } from './reports.ts';
import type { RunOptions } from './run-options.ts';

export interface MeasureOptions extends RunOptions {
  /** Tensors to do before the others. */
  readonly first?: readonly number[];
  readonly onStatistics?: (
    statistics: readonly { tensor: number; statistics: Statistics }[],
  ) => void;
  /** Whether to tell the statistics of tensors that were read before, too. */
  readonly withStatistics?: boolean | undefined;
  /** Whether reports have all scales, which they do where nothing is said: an embedding in blocks has millions. */
  readonly withScales?: boolean;
}

/** Measures a model's tensors in the workers, and keeps the statistics of each: they depend on no scheme. */
export class Measuring {
  /** The first pass over each tensor that was read, by its id. */
  readonly passes = new Map<number, TensorStatistics>();
  private readonly pool: WorkerPool;
  private readonly files: WorkerFiles;
  private readonly tensors: readonly TensorRef[];

  constructor(pool: WorkerPool, files: WorkerFiles, tensors: readonly TensorRef[]) {
    this.pool = pool;
    this.files = files;
    this.tensors = tensors;
  }

  /** The statistics of the tensors that were read. */
  statistics(): ReadonlyMap<number, Statistics> {
    return new Map([...this.passes].map(([id, pass]) => [id, pass.statistics]));
  }

  /** Make the first pass over the tensors that were not read yet. @throws as run does */
  async readUnknown(entries: readonly TensorPlan[], options: MeasureOptions): Promise<void> {
    const unknown = entries.filter(({ tensor }) => !this.passes.has(tensor));
    await this.run(
      unknown.map((entry) => ({ ...entry, scheme: null })),
      'Reading',
      options,
      () => undefined,
    );
  }

  /**
   * Run planned tensors through the workers in batches, keeping as many under way as there are workers.
   * @throws AppError CANCELLED, CHANGED, WORKER_DIED
   */
  async run(
    plan: readonly TensorPlan[],
    what: string,
    options: MeasureOptions,
    settle: (reports: readonly TensorReport[]) => void,
  ): Promise<void> {
    const batches = batchesOf(plan, this.tensors, options.first ?? []);
    const bytesOf = plan.reduce((sum, entry) => sum + this.tensors[entry.tensor]!.bytes, 0);
    let [done, bytesDone] = [0, 0];
    const next = batches[Symbol.iterator]();
    const lane = async (): Promise<void> => {
      for (let step = next.next(); step.done !== true; step = next.next()) {
        const batch = step.value;
        const analyzed = await this.runBatch(batch, options);
        const reports = batch.map((entry, index) => this.settleItem(entry, analyzed[index]!));
        this.tellStatistics(analyzed, options);
        settle(reports);
        done += batch.length;
        bytesDone += batch.reduce((sum, entry) => sum + this.tensors[entry.tensor]!.bytes, 0);
        const item = this.tensors[batch[batch.length - 1]!.tensor]!.name;
        options.onProgress?.({ what, item, done, of: plan.length, bytesDone, bytesOf });
      }
    };
    const lanes = Array.from({ length: this.pool.size }, lane);
    const outcomes = await Promise.allSettled(lanes);
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason as Error;
  }

  /** Tell the statistics of tensors that were read; or of all, where who listens has none yet. */
  private tellStatistics(
    analyzed: readonly AnalyzedItem[],
    { onStatistics, withStatistics = false }: MeasureOptions,
  ): void {
    const told = analyzed.flatMap(({ tensor, pass }) => {
      const known = pass ?? (withStatistics ? this.passes.get(tensor) : undefined);
      return known === undefined ? [] : [{ tensor, statistics: known.statistics }];
    });
    if (told.length > 0) onStatistics?.(told);
  }

  /**
   * Add up what the codes of weights stand for beyond their values.
   * @throws AppError CANCELLED, CHANGED, WORKER_DIED
   */
  async excess(
    wanted: readonly (WeightSums & Pick<TensorPlan, 'solved'>)[],
    { signal }: MeasureOptions,
    settle: (sums: WeightSums, excess: Float64Array) => void,
  ): Promise<void> {
    const jobs = wanted.map(async (sums) => {
      const ref = this.tensors[sums.tensor]!;
      const known = this.passes.get(sums.tensor) ?? null;
      const files = filesOf(this.files, [ref]);
      const params = { files, tensor: forWorker(ref), known, scheme: kernelScheme(sums)!, sums };
      settle(sums, await this.pool.run('excess', params, { signal, what: ref.name }));
    });
    const outcomes = await Promise.allSettled(jobs);
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason as Error;
  }

  private async runBatch(
    batch: readonly TensorPlan[],
    { signal, withScales = true }: MeasureOptions,
  ): Promise<readonly AnalyzedItem[]> {
    const items = batch.map((entry): AnalyzeItem => ({
      tensor: forWorker(this.tensors[entry.tensor]!),
      scheme: kernelScheme(entry),
      known: this.passes.get(entry.tensor) ?? null,
    }));
    return this.pool.run(
      'analyze',
      { files: this.files, items, withScales },
      { signal, what: items[0]!.tensor.name },
    );
  }

  private settleItem(entry: TensorPlan, item: AnalyzedItem): TensorReport {
    if (item.pass !== null) this.passes.set(item.tensor, item.pass);
    const statistics = (item.pass ?? this.passes.get(item.tensor))?.statistics ?? null;
    return reportOf(this.tensors[entry.tensor]!, entry, item.measures, item.error, statistics);
  }
}

/** Whether a tensor's values can be read as floats: weights that are not codes already. */
export function isReadable(ref: TensorRef): boolean {
  const { quantization } = ref;
  // What keeps a tensor from being quantized again does not keep its float values from being read.
  const isFloatStill = quantization?.pending !== undefined;
  const { fixed: _, ...readable } = ref;
  return isQuantizable({ ...(isFloatStill ? readable : ref), role: 'weight', quantization: null });
}

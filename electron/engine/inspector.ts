import type { TensorRef } from '../../shared/model.ts';
import type { TensorPlan } from '../../shared/plan.ts';
import type { SideDetail, TensorDetail } from '../../shared/report.ts';
import { forWorker, type InspectedSide, type WorkerFiles } from './jobs.ts';
import type { WorkerPool } from './pool.ts';
import type { ValuesDetail } from './quantize/detail.ts';
import type { TensorStatistics } from './quantize/statistics.ts';
import { kernelScheme } from './quantize/scheme.ts';
import { inspectedSide } from './reports.ts';

/** What is asked of one tensor: under one or two plans, in so many bins; its statistics where they are known. */
export interface Inspection {
  readonly entries: readonly (TensorPlan | null)[];
  readonly bins: number;
  readonly known: TensorStatistics | null;
}

/** What an inspection found. */
interface Found {
  readonly tensor: number;
  readonly bins: number;
  readonly values: ValuesDetail;
  /** By scheme, as JSON. */
  readonly sides: ReadonlyMap<string, InspectedSide | null>;
}

/**
 * Inspects a model's tensors one at a time, and keeps what the last inspection found: after a changed setting
 * of A neither the values' own part nor B's is found again.
 */
export class Inspector {
  readonly #pool: WorkerPool;
  readonly #files: WorkerFiles;
  #last: Found | null = null;

  constructor(pool: WorkerPool, files: WorkerFiles) {
    this.#pool = pool;
    this.#files = files;
  }

  /** All that the inspector shows of a tensor. @throws AppError CANCELLED, CHANGED, WORKER_DIED */
  async inspect(
    ref: TensorRef,
    { entries, bins, known }: Inspection,
    signal: AbortSignal,
  ): Promise<TensorDetail> {
    const schemes = entries.map((entry) => (entry === null ? null : kernelScheme(entry)));
    const last = this.#last?.tensor === ref.id && this.#last.bins === bins ? this.#last : null;
    const wanted = schemes.filter((scheme) => last?.sides.has(JSON.stringify(scheme)) !== true);
    const made = await this.#pool.run(
      'inspect',
      {
        files: this.#files,
        tensor: forWorker(ref),
        known,
        bins,
        withValues: last === null,
        schemes: wanted,
      },
      { signal, what: ref.name, urgent: true },
    );
    const values = made.values ?? last!.values;
    const fresh = new Map(made.sides.map((side, at) => [JSON.stringify(wanted[at]), side]));
    const sides = schemes.map((scheme) => {
      const key = JSON.stringify(scheme);
      return [key, fresh.get(key) ?? last?.sides.get(key) ?? null] as const;
    });
    this.#last = { tensor: ref.id, bins, values, sides: new Map(sides) };
    const side = (index: number): SideDetail | null =>
      inspectedSide(ref, entries[index] ?? null, sides[index]?.[1] ?? null, values.statistics);
    return { tensor: ref.id, ...values, a: side(0), b: side(1) };
  }
}

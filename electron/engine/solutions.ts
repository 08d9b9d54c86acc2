import * as path from 'node:path';
import type { TensorRef } from '../../shared/model.ts';
import type { TensorPlan } from '../../shared/plan.ts';
import { algorithmOf, takesAlgorithm, withFields } from '../../shared/scheme.ts';
import type { WeightMoments } from './weight-moments.ts';
import type { OpenedModel } from './formats/format.ts';
import { filesOf, forWorker, type WorkerFiles } from './jobs.ts';
import type { Measuring } from './measuring.ts';
import type { WorkerPool } from './pool.ts';
import { kernelScheme } from './quantize/scheme.ts';
import type { RunOptions } from './run-options.ts';

/** Values of a weight that a worker solves at a time: 256 MB as float32, and a byte for each code. */
const MOST_ELEMENTS = 1 << 26;

/** What the reason begins with why a weight has the nearest codes. */
const ROUNDED = 'rounded to nearest: ';

/** Why a planned tensor has the nearest codes although its recipe wants others; null where that is not so. */
export function whyNearest({ scheme, reason }: TensorPlan): string | null {
  const at = scheme === null ? -1 : (reason?.lastIndexOf(ROUNDED) ?? -1);
  return at < 0 ? null : reason!.slice(at + ROUNDED.length);
}

/** What came of solving a weight: the file of its solution, or why its nearest codes are kept. */
type Outcome = { readonly file: string } | { readonly reason: string };

/** What algorithms chose for a model's weights, kept in files for as long as the moments that they are made from. */
export class Solutions {
  private readonly pool: WorkerPool;
  private readonly files: WorkerFiles;
  private readonly tensors: readonly TensorRef[];
  private readonly measuring: Measuring;
  private readonly takesMoments: boolean;
  private moments: WeightMoments | null = null;
  private outcomes = new Map<string, Outcome>();
  private count = 0;

  /** @param opened without weightInputs no codes can be chosen */
  constructor(
    pool: WorkerPool,
    files: WorkerFiles,
    { model, weightInputs }: Pick<OpenedModel, 'model' | 'weightInputs'>,
    measuring: Measuring,
  ) {
    [this.pool, this.files, this.tensors, this.measuring] = [pool, files, model.tensors, measuring];
    this.takesMoments = weightInputs !== undefined;
  }

  /** Solve by these moments from now on; those before are removed. */
  use(moments: WeightMoments): void {
    this.close();
    this.moments = moments;
  }

  close(): void {
    this.moments?.close();
    this.moments = null;
    this.outcomes = new Map();
  }

  /**
   * Solve those of the planned tensors that ask for it and were not solved yet.
   * @returns whether any were
   * @throws AppError CANCELLED, CHANGED, WORKER_DIED, IO
   */
  async solve(entries: readonly TensorPlan[], options: RunOptions): Promise<boolean> {
    const missing = entries.filter(
      (entry) => this.whyNot(entry) === null && !this.outcomes.has(keyOf(entry)),
    );
    const bytes = missing.map(({ tensor }) => this.tensors[tensor]!.bytes);
    const bytesOf = bytes.reduce((sum, each) => sum + each, 0);
    let [done, bytesDone] = [0, 0];
    const jobs = missing.map(async (entry, at) => {
      const outcome = await this.solveOne(entry, options.signal);
      this.outcomes.set(keyOf(entry), outcome);
      done++;
      bytesDone += bytes[at]!;
      const item = this.tensors[entry.tensor]!.name;
      options.onProgress?.({
        ...{ what: 'Choosing codes', item, done, of: missing.length },
        ...{ bytesDone, bytesOf },
      });
    });
    const settled = await Promise.allSettled(jobs);
    const failure = settled.find((each) => each.status === 'rejected');
    if (failure !== undefined) throw failure.reason as Error;
    return missing.length > 0;
  }

  /** A planned tensor with its solution, where it has one; its scheme stays as it is. */
  withSolution<T extends Planned>(entry: T): T {
    const outcome = this.outcomes.get(keyOf(entry));
    return outcome === undefined || 'reason' in outcome
      ? entry
      : { ...entry, solved: outcome.file };
  }

  /** A planned tensor as it is encoded: with its solution, or with the nearest codes and the reason. */
  applied(entry: TensorPlan): TensorPlan {
    if (entry.scheme === null || algorithmOf(entry.scheme) === 'nearest') return entry;
    const outcome = this.outcomes.get(keyOf(entry));
    if (outcome !== undefined && 'file' in outcome) return this.withSolution(entry);
    const why = outcome?.reason ?? this.whyNot(entry);
    if (why === null) return entry;
    const own = `${ROUNDED}${why}`;
    return {
      ...entry,
      scheme: withFields(entry.scheme, { algorithm: 'nearest' }),
      reason: entry.reason === null ? own : `${entry.reason}; ${own}`,
    };
  }

  /** Why a tensor cannot be solved; null where it can, and '' where nothing asks for it. */
  private whyNot({ tensor, scheme }: Planned): string | null {
    if (scheme === null || algorithmOf(scheme) === 'nearest') return '';
    if (!takesAlgorithm(scheme.dtype)) return 'GPTQ chooses codes of up to 8 bits';
    if (!this.takesMoments) return 'GPTQ is for ONNX and LiteRT models';
    if (this.moments === null) return "GPTQ needs samples of the model's inputs";
    const found = this.moments.byTensor.get(tensor);
    if (found === undefined)
      return 'GPTQ is for weights of matrix products and of convolutions that multiply a computed value';
    if ('reason' in found) return found.reason;
    if (this.tensors[tensor]!.elements > MOST_ELEMENTS)
      return `GPTQ takes up to ${MOST_ELEMENTS} values`;
    return null;
  }

  private async solveOne(entry: TensorPlan, signal: AbortSignal): Promise<Outcome> {
    const ref = this.tensors[entry.tensor]!;
    const found = this.moments!.byTensor.get(entry.tensor)!;
    if ('reason' in found) return found;
    const out = path.join(this.moments!.folder, `${this.count++}.solution`);
    const params = {
      files: filesOf(this.files, [ref]),
      tensor: forWorker(ref),
      known: this.measuring.passes.get(ref.id) ?? null,
      scheme: kernelScheme(entry)!,
      ...{ input: found.input, moments: found.file, out },
    };
    const errors = await this.pool.run('solve', params, { signal, what: ref.name });
    if (errors === null) return { reason: 'the moments of its inputs give no solution' };
    if (!(errors.error < errors.nearest))
      return { reason: 'GPTQ would leave a larger error of its outputs' };
    return { file: out };
  }
}

type Planned = Pick<TensorPlan, 'tensor' | 'scheme' | 'scaleDtype' | 'parameters'>;

/** What a solution depends on beside the moments. */
function keyOf({ tensor, scheme, scaleDtype, parameters }: Planned): string {
  return JSON.stringify([tensor, scheme, scaleDtype, parameters]);
}

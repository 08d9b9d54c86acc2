import * as os from 'node:os';
import workerpool from 'workerpool';
import { AppError, type ErrorData } from '../../shared/errors.ts';
import { throwIfAborted } from './cancel.ts';
import type { Jobs } from './jobs.ts';

type JobName = keyof Jobs;

/** What a worker's method answers: errors cross as data, as a thrown one would keep only its message. */
export type JobResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: ErrorData };

/** A job with a flag beside it that tells a busy worker to stop between two chunks. */
export interface JobEnvelope<T> {
  readonly params: T;
  readonly cancelled: SharedArrayBuffer;
}

export interface JobOptions {
  readonly signal: AbortSignal;
  /** What the job is about, named when its worker dies. */
  readonly what: string;
  /** Ahead of all that waits: what a person is looking at. */
  readonly urgent?: boolean;
}

interface Queued {
  readonly urgent: boolean;
  readonly task: unknown;
}

/** Worker threads, one per core, fed from one queue in which urgent jobs go first. */
export class WorkerPool {
  readonly size: number;
  private readonly pool: workerpool.Pool;
  private readonly queue = new UrgentQueue();
  private isWarm = false;
  private readonly flags = new WeakMap<AbortSignal, SharedArrayBuffer>();

  constructor(script: string, size = Math.max(1, os.cpus().length)) {
    this.size = size;
    this.pool = workerpool.pool(script, {
      workerType: 'thread',
      maxWorkers: size,
      queueStrategy: this.queue as never,
    });
  }

  /**
   * Run a job in a worker.
   * @throws AppError the job's own; CANCELLED on abort, within one chunk's time; WORKER_DIED naming the job.
   */
  async run<K extends JobName>(
    name: K,
    params: Jobs[K]['params'],
    options: JobOptions,
  ): Promise<Jobs[K]['result']> {
    const { signal } = options;
    throwIfAborted(signal);
    const envelope: JobEnvelope<Jobs[K]['params']> = { params, cancelled: this.flagOf(signal) };
    this.queue.nextIsUrgent = options.urgent ?? false;
    try {
      const result = (await this.pool.exec(name, [envelope])) as JobResult<Jobs[K]['result']>;
      if (result.ok) return result.value;
      throw AppError.fromData(result.error);
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('WORKER_DIED', `the worker on ${options.what} died`, {
        field: options.what,
        found: error instanceof Error ? error.message : String(error),
        expected: 'a report',
      });
    }
  }

  /** Start the workers and have them load their kernels, while whoever will need them does something else. */
  warm(): void {
    if (this.isWarm) return;
    this.isWarm = true;
    for (let worker = 0; worker < this.size; worker++)
      // What fails here fails again, and is told, at the first job.
      void this.pool.exec('warm', []).catch(() => undefined);
  }

  /** The flag that follows a signal: one for all of its jobs. */
  private flagOf(signal: AbortSignal): SharedArrayBuffer {
    const known = this.flags.get(signal);
    if (known !== undefined) return known;
    const flag = new SharedArrayBuffer(4);
    signal.addEventListener('abort', () => Atomics.store(new Int32Array(flag), 0, 1), {
      once: true,
    });
    this.flags.set(signal, flag);
    return flag;
  }

  async close(): Promise<void> {
    await this.pool.terminate(true);
  }
}

/** workerpool's queue, with the urgent tasks first and each kind in the order it came. */
class UrgentQueue {
  nextIsUrgent = false;
  private readonly urgent: Queued[] = [];
  private readonly others: Queued[] = [];
  private head = 0;

  push(task: unknown): void {
    const queued = { urgent: this.nextIsUrgent, task };
    (queued.urgent ? this.urgent : this.others).push(queued);
    this.nextIsUrgent = false;
  }

  pop(): unknown {
    const urgent = this.urgent.shift();
    if (urgent !== undefined) return urgent.task;
    const next = this.others[this.head];
    if (next === undefined) return undefined;
    this.head++;
    // Shifting a long array for each task would make a large model's queue quadratic.
    if (this.head > 1024 && this.head * 2 > this.others.length) {
      this.others.splice(0, this.head);
      this.head = 0;
    }
    return next.task;
  }

  size(): number {
    return this.urgent.length + this.others.length - this.head;
  }

  contains(task: unknown): boolean {
    return [...this.urgent, ...this.others.slice(this.head)].some((queued) => queued.task === task);
  }

  clear(): void {
    this.urgent.length = this.others.length = this.head = 0;
  }
}

import { AppError, type ErrorData } from '../../shared/errors.ts';
import type { FormatFacts } from '../../shared/formats.ts';
import type {
  FromEngine,
  Progress,
  RequestKind,
  Requests,
  ToEngine,
} from '../../shared/protocol.ts';
import type { Statistics, TensorFigures } from '../../shared/report.ts';

export type StatisticsEvent = readonly {
  readonly tensor: number;
  readonly statistics: Statistics;
}[];

/** What a request tells while it runs. */
export interface Listeners {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  readonly onReports?: (reports: readonly TensorFigures[]) => void;
  readonly onStatistics?: (statistics: StatisticsEvent) => void;
}

/** The part of a MessagePort that the client uses. */
export interface Port {
  postMessage(message: ToEngine): void;
  addEventListener(type: 'message', listener: (event: MessageEvent<FromEngine>) => void): void;
  start(): void;
  close(): void;
}

interface Pending {
  readonly kind: RequestKind;
  readonly listeners: Listeners;
  readonly resolve: (value: never) => void;
  readonly reject: (error: AppError) => void;
  readonly forget: () => void;
}

/**
 * Typed requests to the engine over one port at a time. A request whose signal is aborted asks the
 * engine to stop and fails with CANCELLED when the engine has; nothing it tells in between is passed on.
 */
export class EngineClient {
  #port: Port | null = null;
  #nextId = 1;
  readonly #pending = new Map<number, Pending>();
  readonly #onReady: (workers: number, formats: readonly FormatFacts[]) => void;

  constructor(onReady: (workers: number, formats: readonly FormatFacts[]) => void = () => {}) {
    this.#onReady = onReady;
  }

  get connected(): boolean {
    return this.#port !== null;
  }

  /** Use this port from now on. What still waited on the one before fails with WORKER_DIED. */
  attach(port: Port): void {
    if (this.#port !== null) {
      this.#port.close();
      this.lose({ code: 'WORKER_DIED', message: 'the engine was replaced by a new one' });
    }
    this.#port = port;
    port.addEventListener('message', (event) => {
      if (this.#port === port) this.#receive(event.data);
    });
    port.start();
  }

  /** The engine is gone: everything that waits for it fails with this error. */
  lose(error: ErrorData): void {
    this.#port = null;
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of waiting) {
      pending.forget();
      pending.reject(AppError.fromData(error));
    }
  }

  request<K extends RequestKind>(
    kind: K,
    params: Requests[K]['params'],
    listeners: Listeners = {},
  ): Promise<Requests[K]['reply']> {
    const port = this.#port;
    if (port === null)
      return Promise.reject(new AppError('WORKER_DIED', 'the engine is not running'));
    if (listeners.signal?.aborted === true)
      return Promise.reject(new AppError('CANCELLED', 'cancelled'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const cancel = () => port.postMessage({ type: 'cancel', id });
      listeners.signal?.addEventListener('abort', cancel, { once: true });
      const forget = () => listeners.signal?.removeEventListener('abort', cancel);
      this.#pending.set(id, { kind, listeners, resolve, reject, forget });
      port.postMessage({ type: 'request', id, kind, params } as ToEngine);
    });
  }

  #receive(message: FromEngine): void {
    if (message.type === 'ready') {
      this.#onReady(message.workers, message.formats);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if (message.type === 'reply' || message.type === 'error') this.#settle(pending, message);
    else if (pending.listeners.signal?.aborted !== true) tell(pending.listeners, message);
  }

  #settle(pending: Pending, message: Extract<FromEngine, { type: 'reply' | 'error' }>): void {
    this.#pending.delete(message.id);
    pending.forget();
    if (message.type === 'reply') pending.resolve(message.result as never);
    else pending.reject(AppError.fromData(message.error));
  }
}

function tell(
  listeners: Listeners,
  message: Extract<FromEngine, { type: 'progress' | 'reports' | 'statistics' }>,
): void {
  switch (message.type) {
    case 'progress':
      listeners.onProgress?.(message.progress);
      break;
    case 'reports':
      listeners.onReports?.(message.reports);
      break;
    case 'statistics':
      listeners.onStatistics?.(message.statistics);
      break;
  }
}

export function isCancelled(error: unknown): boolean {
  return error instanceof AppError && error.code === 'CANCELLED';
}

import * as fs from 'node:fs';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { AppError, toErrorData, type ErrorData } from '../../../shared/errors.ts';
import type { FromRuntime, RuntimeLimits, ToRuntime } from './host.ts';
import {
  runtimeOf,
  subjectOf,
  type RuntimeKind,
  type RuntimeRequest,
  type RuntimeResult,
} from './kinds.ts';
import type { RunProgress } from './run-progress.ts';

/*
 * The process that runs models, in onnxruntime or LiteRT. An inference blocks its thread, so it runs in a worker thread, and
 * the main thread is free to watch the memory, the time and the host. Only SIGKILL ends a process whose
 * thread is in native code: terminating the thread, or exiting, throws in onnxruntime and aborts.
 */

const WATCH_MS = 50;

/** What Electron gives a utility process. */
interface ElectronPort {
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function watch(): void {
  const electron = (process as unknown as { parentPort?: ElectronPort }).parentPort;
  const worker = new Worker(__filename);
  const send = (message: FromRuntime, sent: () => void = () => undefined): void => {
    if (electron === undefined) process.send?.(message, undefined, undefined, sent);
    else {
      electron.postMessage(message);
      setTimeout(sent, WATCH_MS);
    }
  };
  const watchdog = new Watchdog((error) => send({ type: 'error', error: error.toData() }, die));
  worker.on('message', (message: FromRuntime) => {
    if (message.type === 'progress') watchdog.heard();
    else watchdog.stop();
    send(message);
  });
  worker.on('error', (error) => send({ type: 'error', error: runtimeError(error) }, die));
  const receive = (message: ToRuntime): void => {
    watchdog.start(message);
    worker.postMessage(message);
  };
  if (electron === undefined) process.on('message', receive);
  else electron.on('message', ({ data }) => receive(data as ToRuntime));
  // The host is told first by a signal to the whole group (Ctrl+C, a closed terminal), and ends this process.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM']) process.on(signal, () => undefined);
  process.on('disconnect', die);
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && die(), WATCH_MS).unref();
  sacrificeFirst();
}

/** onnxruntime-node has no binaries for some computers, such as a Mac with an Intel processor. */
function runtimeError(error: unknown): ErrorData {
  if (!/Cannot find module .*onnxruntime_binding\.node/.test(String(error)))
    return toErrorData(error);
  return new AppError('UNSUPPORTED', 'onnxruntime has no build for this computer', {
    found: `${process.platform} ${process.arch}`,
  }).toData();
}

/** On Linux: when memory runs out, the kernel ends this process and not another. */
function sacrificeFirst(): void {
  if (process.platform !== 'linux') return;
  try {
    fs.writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // A sandbox without /proc; the memory limit still holds.
  }
}

/** Reports the first limit that the process exceeds. */
class Watchdog {
  private readonly onLimit: (error: AppError) => void;
  private last = performance.now();
  private timer: NodeJS.Timeout | undefined;

  constructor(onLimit: (error: AppError) => void) {
    this.onLimit = onLimit;
  }

  heard(): void {
    this.last = performance.now();
  }

  /** Watches a request, until it is answered. */
  start(request: ToRuntime): void {
    this.stop();
    this.heard();
    this.timer = setInterval(() => this.check(request), WATCH_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private check(request: ToRuntime): void {
    const { memoryBytes, silenceMs }: RuntimeLimits = request.processLimits;
    const bytes = process.memoryUsage.rss();
    if (bytes > memoryBytes)
      this.end('it takes more memory than it may', request, {
        field: 'resident memory',
        found: `${(bytes / 1e9).toFixed(1)} GB`,
        expected: `at most the memory limit of ${(memoryBytes / 1e9).toFixed(1)} GB`,
      });
    else if (performance.now() - this.last > silenceMs)
      this.end('it takes too long', request, {
        field: 'time',
        found: `over ${silenceMs / 1000} s without an answer`,
        expected: `at most ${silenceMs / 1000} s`,
      });
  }

  private end(why: string, request: ToRuntime, details: Record<string, string>): void {
    this.stop();
    const summary = `${runtimeOf(request)} was stopped: ${why}`;
    this.onLimit(new AppError('LIMIT', summary, { file: subjectOf(request), ...details }));
  }
}

type Handler<K extends RuntimeKind> = (
  request: RuntimeRequest<K>,
  onProgress: (progress: RunProgress) => void,
) => Promise<RuntimeResult<K>>;

/** How each kind is answered. Loaded in the worker thread only: the main thread needs no onnxruntime. */
const HANDLERS: { readonly [K in RuntimeKind]: () => Promise<Handler<K>> } = {
  verify: async () => (await import('./verify.ts')).verifyModels,
  observe: async () => (await import('../calibrate/observe.ts')).observeModel,
  moments: async () => (await import('../calibrate/observe-moments.ts')).observeMoments,
  layers: async () => (await import('../layers/measure-layers.ts')).measureLayers,
  outputNoise: async () => (await import('./output-noise.ts')).outputNoise,
  describe: async () => (await import('../calibrate/describe-request.ts')).describeForModel,
  prepare: async () => (await import('./prepare.ts')).prepareModel,
  optimize: async () => (await import('./optimize.ts')).optimizeModel,
};

function serve(): void {
  const send = (message: FromRuntime): void => parentPort?.postMessage(message);
  parentPort?.on('message', (request: ToRuntime) => {
    (HANDLERS[request.kind] as () => Promise<Handler<RuntimeKind>>)()
      .then((handler) => handler(request, (progress) => send({ type: 'progress', progress })))
      .then((result) => send({ type: 'result', result }))
      .catch((error: unknown) => send({ type: 'error', error: runtimeError(error) }));
  });
}

// After the class: it is not hoisted.
if (isMainThread) watch();
else serve();

import { fork } from 'node:child_process';
import { AppError, type ErrorData } from '../../../shared/errors.ts';
import { WITHOUT_TELEMETRY } from '../../../shared/runtimes.ts';
import { throwIfAborted } from '../cancel.ts';
import { memoryLimit } from '../memory-limit.ts';
import {
  answerOf,
  runtimeOf,
  subjectOf,
  type RuntimeRequest,
  type RuntimeResult,
} from './kinds.ts';
import type { RunProgress } from './run-progress.ts';

/** What a runtime process may use before it is ended. */
export interface RuntimeLimits {
  /** Resident memory. Nothing bounds native allocations from inside, so the process watches its own size. */
  readonly memoryBytes: number;
  /** Time without any progress: one load or one inference. */
  readonly silenceMs: number;
}

/** No inference of one sample takes an hour; a loop that never ends does. */
const MAX_SILENCE_MS = 3_600_000;

export type ToRuntime = RuntimeRequest & { readonly processLimits: RuntimeLimits };

export type FromRuntime =
  | { readonly type: 'progress'; readonly progress: RunProgress }
  | { readonly type: 'result'; readonly result: RuntimeResult }
  | { readonly type: 'error'; readonly error: ErrorData };

/** A process of its own that runs models, and that may be killed in the middle of an inference. */
export interface RuntimeProcess {
  post(message: ToRuntime): void;
  onMessage(listener: (message: FromRuntime) => void): void;
  /** `how` is what the system and the runtime said when the process ended. */
  onEnd(listener: (how: string) => void): void;
  kill(): void;
}

/** Starts a runtime process; in plain Node the path of the built runtime.js is enough. */
export type Runtime = string | (() => RuntimeProcess);

/**
 * Answer a request in a process of its own, so that a crash, a hang or an allocation without end is an
 * error and the engine lives.
 * @throws AppError the runtime's own; RUNTIME when it died; LIMIT past a limit; CANCELLED on abort, at once.
 */
export async function runInRuntime<R extends RuntimeRequest>(
  runtime: Runtime,
  request: R,
  signal: AbortSignal,
  onProgress: (progress: RunProgress) => void,
  limits: Partial<RuntimeLimits> = {},
): Promise<RuntimeResult<R['kind']>> {
  throwIfAborted(signal);
  const child = typeof runtime === 'string' ? forked(runtime) : runtime();
  let onAbort = (): void => undefined;
  try {
    return await new Promise<RuntimeResult<R['kind']>>((resolve, reject) => {
      onAbort = () => reject(new AppError('CANCELLED', 'cancelled'));
      signal.addEventListener('abort', onAbort, { once: true });
      child.onMessage((message) => {
        if (message.type === 'progress') onProgress(message.progress);
        else if (message.type === 'result') resolve(message.result);
        else reject(AppError.fromData(message.error));
      });
      child.onEnd((how) =>
        reject(
          new AppError('RUNTIME', `${runtimeOf(request)} crashed`, {
            file: subjectOf(request),
            found: how,
            expected: answerOf(request),
          }),
        ),
      );
      child.post({
        ...request,
        processLimits: { memoryBytes: memoryLimit(), silenceMs: MAX_SILENCE_MS, ...limits },
      });
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    child.kill();
  }
}

/** How much of what a dying process says is kept. */
const KEPT_CHARACTERS = 4096;

/** Starts a runtime process in plain Node. */
export function forked(script: string): RuntimeProcess {
  const child = fork(script, {
    env: { ...process.env, ...WITHOUT_TELEMETRY },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-KEPT_CHARACTERS);
  });
  // A child that has just died is told by its end.
  child.on('error', () => undefined);
  return {
    post: (message) => void child.send(message, () => undefined),
    onMessage: (listener) => void child.on('message', listener),
    onEnd: (listener) =>
      void child.on('close', (code, ended) =>
        listener(howItEnded(ended ?? `exit status ${code}`, said)),
      ),
    kill: () => void child.kill('SIGKILL'),
  };
}

/** The status of a process that ended, with the line of its last words that tells most. */
export function howItEnded(status: string, said: string): string {
  const lines = said.split('\n').filter((line) => line.trim() !== '');
  const line = lines.find((each) => /FATAL|terminate called|what\(\)/.test(each)) ?? lines.at(-1);
  return line === undefined ? status : `${status}: ${line.trim()}`;
}

import { fork } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { AppError, type ErrorData } from '../../../shared/errors.ts';
import { throwIfAborted } from '../cancel.ts';
import type { RunProgress } from './run-progress.ts';
import type { VerifyRequest, VerifyModelsResult } from './verify.ts';

export type ToRuntime = VerifyRequest;

export type FromRuntime =
  | { readonly type: 'progress'; readonly progress: RunProgress }
  | { readonly type: 'result'; readonly result: VerifyModelsResult }
  | { readonly type: 'error'; readonly error: ErrorData };

interface Place {
  post(message: ToRuntime): void;
  onMessage(listener: (message: FromRuntime) => void): void;
  onEnd(listener: (how: string) => void): void;
  end(): void;
}

/**
 * Run a verification where a crash of the runtime is an error and not the end of us.
 * @param script the built runtime.js
 * @throws AppError the runtime's own; RUNTIME when it died; CANCELLED on abort, at once.
 */
export async function runVerification(
  script: string,
  request: ToRuntime,
  signal: AbortSignal,
  onProgress: (progress: RunProgress) => void,
): Promise<VerifyModelsResult> {
  throwIfAborted(signal);
  const place = process.versions['electron'] === undefined ? inProcess(script) : inThread(script);
  const onAbort = (): void => place.end();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await new Promise<VerifyModelsResult>((resolve, reject) => {
      place.onMessage((message) => {
        if (message.type === 'progress') onProgress(message.progress);
        else if (message.type === 'result') resolve(message.result);
        else reject(AppError.fromData(message.error));
      });
      place.onEnd((how) => {
        reject(
          signal.aborted
            ? new AppError('CANCELLED', 'cancelled')
            : new AppError('RUNTIME', 'onnxruntime crashed', {
                file: request.exported,
                found: how,
                expected: 'outputs',
              }),
        );
      });
      place.post(request);
    });
  } finally {
    signal.removeEventListener('abort', onAbort);
    place.end();
  }
}

function inProcess(script: string): Place {
  const child = fork(script, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return {
    post: (message) => void child.send(message),
    onMessage: (listener) => void child.on('message', listener),
    onEnd: (listener) =>
      void child.on('exit', (code, ended) => listener(ended ?? `exit status ${code}`)),
    end: () => void child.kill('SIGKILL'),
  };
}

function inThread(script: string): Place {
  const worker = new Worker(script);
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => void worker.on('message', listener),
    onEnd: (listener) => {
      worker.on('error', (error) => listener(error.message));
      worker.on('exit', (code) => listener(`exit status ${code}`));
    },
    end: () => void worker.terminate(),
  };
}

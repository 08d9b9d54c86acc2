import { parentPort } from 'node:worker_threads';
import { toErrorData } from '../../../shared/errors.ts';
import type { FromRuntime, ToRuntime } from './host.ts';
import { verifyModels } from './verify.ts';

/** Runs onnxruntime apart from the engine: in a worker thread of the app, in a process of its own for the command line. */
function send(message: FromRuntime): void {
  if (parentPort !== null) parentPort.postMessage(message);
  else process.send?.(message);
}

async function verify(request: ToRuntime): Promise<void> {
  const result = await verifyModels(request, (progress) => send({ type: 'progress', progress }));
  send({ type: 'result', result });
}

function receive(message: ToRuntime): void {
  verify(message).catch((error: unknown) => send({ type: 'error', error: toErrorData(error) }));
}

if (parentPort !== null) parentPort.on('message', receive);
else process.on('message', receive);

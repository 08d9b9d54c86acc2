import { parentPort } from 'node:worker_threads';
import { toErrorData } from '../../../shared/errors.ts';
import type { FromRuntime, ToRuntime } from './host.ts';
import { readSamples } from './read-arrays.ts';
import { verifyModels } from './verify.ts';
import * as ort from 'onnxruntime-node';

/** Runs onnxruntime apart from the engine: in a worker thread of the app, in a process of its own for the command line. */
function send(message: FromRuntime): void {
  if (parentPort !== null) parentPort.postMessage(message);
  else process.send?.(message);
}

async function verify({ inputs, ...request }: ToRuntime): Promise<void> {
  const given = inputs === null ? null : readSamples(inputs, await inputNames(request.original));
  const result = await verifyModels({ ...request, given }, (done, of) =>
    send({ type: 'progress', done, of }),
  );
  send({ type: 'result', result });
}

async function inputNames(file: string): Promise<readonly string[]> {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3 });
  const names = session.inputNames;
  await session.release();
  return names;
}

function receive(message: ToRuntime): void {
  verify(message).catch((error: unknown) => send({ type: 'error', error: toErrorData(error) }));
}

if (parentPort !== null) parentPort.on('message', receive);
else process.on('message', receive);

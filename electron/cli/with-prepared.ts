import { PreparedModel } from '../engine/calibrate/prepared.ts';
import { currentRuntime } from './runtime.ts';
import type { Tools } from './with-session.ts';

/** Prepare the open model for static quantization, do something with it, and leave nothing of it behind. */
export async function withPrepared<T>(
  { session, pool, signal, onProgress }: Tools,
  work: (prepared: PreparedModel) => Promise<T>,
): Promise<T> {
  const prepared = await PreparedModel.make(session, pool, currentRuntime(), {
    signal,
    onProgress,
  });
  try {
    return await work(prepared);
  } finally {
    prepared.close();
  }
}

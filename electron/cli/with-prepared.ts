import { PreparedModel, type CalibrationInputs } from '../engine/calibrate/prepared.ts';
import { currentRuntime } from './runtime.ts';
import type { Tools } from './with-session.ts';

/**
 * Prepare the open model, do something with it, and leave nothing of it behind.
 * @param checkedOn what it is compared with its source on; random samples where it is null
 */
export async function withPrepared<T>(
  { session, pool, signal, onProgress }: Tools,
  checkedOn: CalibrationInputs | null,
  work: (prepared: PreparedModel) => Promise<T>,
): Promise<T> {
  const prepared = await PreparedModel.make(
    ...([session, pool, currentRuntime(), { signal, onProgress }] as const),
    checkedOn ?? undefined,
  );
  try {
    return await work(prepared);
  } finally {
    prepared.close();
  }
}

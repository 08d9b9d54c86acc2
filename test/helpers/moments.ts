import type { MomentsObserver } from '../../electron/engine/calibrate/moments-observer.ts';

/** The moments that an observer has; throws the reason where it has none. */
export function momentsOf(observer: MomentsObserver): Float32Array {
  const result = observer.result();
  if ('reason' in result) throw new Error(result.reason);
  return result;
}

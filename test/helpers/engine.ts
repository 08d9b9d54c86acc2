import * as path from 'node:path';
import { WorkerPool } from '../../electron/engine/pool.ts';
import { root } from './root.ts';

/** The built worker: tests of the engine run the very file that ships. */
export const WORKER_SCRIPT = path.join(root, 'dist/worker.js');

/** The built host of onnxruntime. */
export const RUNTIME_SCRIPT = path.join(root, 'dist/runtime.js');

/** The built command line. */
export const CLI_SCRIPT = path.join(root, 'dist/cli.js');

/** Who uses it must not close it. */
class SharedPool extends WorkerPool {
  override close(): Promise<void> {
    return Promise.resolve();
  }
}

const pools = new Map<number, SharedPool>();

/**
 * A pool of real workers that all test files of this process share: each worker that starts loads its modules and
 * compiles the kernels. It ends with the process. Not for tests of how workers start and end.
 */
export function testPool(size = 2): WorkerPool {
  const known = pools.get(size) ?? new SharedPool(WORKER_SCRIPT, size);
  pools.set(size, known);
  return known;
}

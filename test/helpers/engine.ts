import * as path from 'node:path';
import { afterAll } from 'vitest';
import { WorkerPool } from '../../electron/engine/pool.ts';
import { root } from './root.ts';

/** The built worker: tests of the engine run the very file that ships. */
export const WORKER_SCRIPT = path.join(root, 'dist/worker.js');

/** The built host of onnxruntime. */
export const RUNTIME_SCRIPT = path.join(root, 'dist/runtime.js');

/** The built command line. */
export const CLI_SCRIPT = path.join(root, 'dist/cli.js');

/** A pool of real workers, closed after the file's tests. */
export function testPool(size = 2): WorkerPool {
  const pool = new WorkerPool(WORKER_SCRIPT, size);
  afterAll(() => pool.close());
  return pool;
}

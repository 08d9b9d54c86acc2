import * as path from 'node:path';
import { WorkerPool } from '../engine/pool.ts';

let open = (): WorkerPool => new WorkerPool(path.join(__dirname, 'worker.js'));

/** Start workers for a command, which closes them. */
export function openWorkers(): WorkerPool {
  return open();
}

/** Have commands work with other workers. */
export function useWorkers(other: () => WorkerPool): void {
  open = other;
}

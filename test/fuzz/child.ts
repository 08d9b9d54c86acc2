// A process that runs a span of cases and reports each of them to its parent.
import * as path from 'node:path';
import { WorkerPool } from '../../electron/engine/pool.ts';
import { runCase } from './run-case.ts';
import { targetOf } from './targets.ts';

const [, , name, seed, from, to, folder] = process.argv;
const pool = new WorkerPool(path.join(import.meta.dirname, 'dist/worker.js'), 1);
const target = targetOf(name!);
for (let round = Number(from); round < Number(to); round++) {
  const outcome = await runCase(target, Number(seed), round, folder!, pool);
  process.send!({ round, outcome });
  // Memory that was once too much stays so by the process's own account.
  if (outcome.kind === 'failed' && outcome.again) break;
}
await pool.close();
process.disconnect();

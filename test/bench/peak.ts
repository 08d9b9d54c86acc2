// Reports a whole model in a process of its own, and prints the most memory that it had, in MB.
import * as os from 'node:os';
import * as path from 'node:path';
import { findPreset } from '../../shared/presets.ts';
import { WorkerPool } from '../../electron/engine/pool.ts';
import { Session } from '../../electron/engine/session.ts';

const [, , root, file] = process.argv;
const pool = new WorkerPool(path.join(root!, 'dist/worker.js'), os.cpus().length);
const session = Session.open(file!, pool);
await session.analyze(findPreset('int8')!, { signal: new AbortController().signal });
session.close();
await pool.close();
console.log(process.resourceUsage().maxRSS / 1000);

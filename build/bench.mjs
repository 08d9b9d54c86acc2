// npm run bench: builds what is measured and runs test/bench, which prints a table.
import path from 'node:path';
import { ensureBuilt } from './freshness.mjs';
import { cache, root } from './paths.mjs';
import { run } from './run.mjs';
import { buildScripts } from './scripts.mjs';

const outDir = path.join(cache, 'bench');

ensureBuilt();
await buildScripts(outDir, { bench: 'test/bench/bench.ts', peak: 'test/bench/peak.ts' });
run(process.execPath, [path.join(outDir, 'bench.mjs'), root, ...process.argv.slice(2)]);

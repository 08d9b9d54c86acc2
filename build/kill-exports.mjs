// npm run kill:exports: kills 200 exports, each at another change that it makes to the disk, and checks
// what is left. npm run kill:exports -- 1000 kills as many.
import { rmSync } from 'node:fs';
import path from 'node:path';
import { ensureBuilt } from './freshness.mjs';
import { cache, root } from './paths.mjs';
import { run } from './run.mjs';
import { buildScripts } from './scripts.mjs';

const outDir = path.join(cache, `kill-exports-${process.pid}`);

ensureBuilt();
await buildScripts(outDir, { 'kill-exports': 'test/kill/kill-exports.ts' });
try {
  run(process.execPath, [path.join(outDir, 'kill-exports.mjs'), root, ...process.argv.slice(2)]);
} catch {
  process.exitCode = 1; // It has said what it found.
} finally {
  rmSync(outDir, { recursive: true, force: true });
}

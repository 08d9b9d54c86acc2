// npm run fuzz: builds test/fuzz and runs it. npm run fuzz -- onnx litert --rounds 1000 --seed 7
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ensureBuilt } from './freshness.mjs';
import { ensureModels } from './models.mjs';
import { cache, root } from './paths.mjs';
import { run } from './run.mjs';
import { buildScripts } from './scripts.mjs';

// Of this run alone: its processes load it as they start.
const outDir = path.join(cache, `fuzz-${process.pid}`);

ensureBuilt();
ensureModels();
await buildScripts(outDir, {
  fuzz: 'test/fuzz/fuzz.ts',
  child: 'test/fuzz/child.ts',
  'watch-files': 'test/fuzz/watch-files.ts',
});
// Workers of their own, too, so that the app can be built meanwhile.
cpSync(path.join(root, 'dist'), path.join(outDir, 'dist'), { recursive: true });
try {
  run(process.execPath, [path.join(outDir, 'fuzz.mjs'), root, ...process.argv.slice(2)]);
} catch {
  process.exitCode = 1; // It has said what it found.
} finally {
  rmSync(outDir, { recursive: true, force: true });
}

// npm run bench: builds what is measured and runs test/bench, which prints a table.
import path from 'node:path';
import { build } from 'vite';
import { ensureBuilt } from './freshness.mjs';
import { cache, root } from './paths.mjs';
import { run } from './run.mjs';

const outDir = path.join(cache, 'bench');

ensureBuilt();
await build({
  configFile: false,
  root,
  define: { __APP_VERSION__: JSON.stringify('bench') },
  publicDir: false,
  logLevel: 'warn',
  ssr: { noExternal: true, external: ['onnxruntime-node'], target: 'node' },
  build: {
    ssr: true,
    target: 'node20',
    outDir,
    emptyOutDir: true,
    minify: false,
    rolldownOptions: {
      input: {
        bench: path.join(root, 'test/bench/bench.ts'),
        peak: path.join(root, 'test/bench/peak.ts'),
      },
      output: { format: 'es', entryFileNames: '[name].mjs' },
    },
  },
});
run(process.execPath, [path.join(outDir, 'bench.mjs'), root, ...process.argv.slice(2)]);

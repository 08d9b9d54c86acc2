import path from 'node:path';
import { build } from 'vite';
import { root } from './paths.mjs';

/** Bundle scripts of the tests, by name, for the Node that runs this. */
export async function buildScripts(outDir, scripts) {
  await build({
    configFile: false,
    root,
    define: { __APP_VERSION__: JSON.stringify('test') },
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
        input: Object.fromEntries(
          Object.entries(scripts).map(([name, file]) => [name, path.join(root, file)]),
        ),
        output: { format: 'es', entryFileNames: '[name].mjs' },
      },
    },
  });
}

// Builds the app into dist/: main, engine, worker and cli as CommonJS for Node 18 (Electron 25 has
// it), the preload as one file, the page for Chromium 114.
import { chmodSync, copyFileSync, readFileSync, rmSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build } from 'vite';
import { buildKernels } from './kernels.mjs';
import { root } from './paths.mjs';

const outDir = path.join(root, 'dist');

const NODE_ENTRIES = {
  start: 'electron/start/start.ts',
  engine: 'electron/engine/engine.ts',
  worker: 'electron/engine/worker.ts',
  runtime: 'electron/engine/runtime/runtime.ts',
  cli: 'electron/cli/main.ts',
};
const PRELOAD_ENTRY = 'electron/preload.ts';

// What stays a require() at run time; everything else is bundled.
const EXTERNAL_PACKAGES = ['electron', 'onnxruntime-node'];
const external = [...EXTERNAL_PACKAGES, ...builtinModules, /^node:/];

const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const define = { __APP_VERSION__: JSON.stringify(version) };

// Advice on the speed of plugins, or on the size of what is loaded from the disk, is not for those who build.
const QUIET = { bundlerTimings: false };
const chunkSizeWarningLimit = Infinity;

function nodeConfig(input, { oneFile }) {
  return {
    configFile: false,
    root,
    define,
    publicDir: false,
    logLevel: 'warn',
    ssr: { noExternal: true, external: EXTERNAL_PACKAGES, target: 'node' },
    build: {
      ssr: true,
      target: 'node18',
      outDir,
      emptyOutDir: false,
      minify: false,
      sourcemap: true,
      chunkSizeWarningLimit,
      rolldownOptions: {
        checks: QUIET,
        input,
        external,
        output: {
          format: 'cjs',
          entryFileNames: '[name].js',
          chunkFileNames: 'chunk-[name].js',
          banner: (chunk) => (chunk.name === 'cli' && chunk.isEntry ? '#!/usr/bin/env node' : ''),
          ...(oneFile ? { codeSplitting: false } : {}),
        },
      },
    },
  };
}

async function buildNodeSide() {
  const input = Object.fromEntries(
    Object.entries(NODE_ENTRIES).map(([name, entry]) => [name, path.join(root, entry)]),
  );
  await build(nodeConfig(input, { oneFile: false }));
  chmodSync(path.join(outDir, 'cli.js'), 0o755);
}

async function buildPreload() {
  await build(nodeConfig({ preload: path.join(root, PRELOAD_ENTRY) }, { oneFile: true }));
}

async function buildPage() {
  await build({
    configFile: false,
    root: path.join(root, 'renderer'),
    base: './',
    define,
    logLevel: 'warn',
    plugins: [svelte({ configFile: false })],
    build: {
      target: 'chrome114',
      outDir: path.join(outDir, 'renderer'),
      emptyOutDir: true,
      sourcemap: true,
      // A data: URL would need a hole in the content security policy.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit,
      rolldownOptions: { checks: QUIET },
    },
  });
  // The Open Font License must go where the font goes.
  copyFileSync(
    path.join(root, 'node_modules/@fontsource-variable/inter/LICENSE'),
    path.join(outDir, 'renderer/assets/inter-license.txt'),
  );
}

/** Builds everything anew. */
async function buildAll() {
  rmSync(outDir, { recursive: true, force: true });
  await buildKernels(outDir);
  await buildNodeSide();
  await buildPreload();
  await buildPage();
}

process.env.NODE_ENV = 'production';
await buildAll();

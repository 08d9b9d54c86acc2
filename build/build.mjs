// Builds the app into dist/: main, engine, worker and cli as CommonJS for Node 18 (Electron 25 has
// it), the preload as one file, the page for Chromium 114.
import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build } from 'vite';
import { buildKernels } from './kernels.mjs';
import { licencesText } from './licences.mjs';
import { root } from './paths.mjs';
import { packageVersion, version } from './version.mjs';

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

const define = {
  __APP_VERSION__: JSON.stringify(version),
  __RUNTIME_VERSION__: JSON.stringify(packageVersion('onnxruntime-node')),
  __LITERT_VERSION__: JSON.stringify(packageVersion('@litertjs/core')),
};

// Advice on the speed of plugins, or on the size of what is loaded from the disk, is not for those who build.
const QUIET = { bundlerTimings: false };
const chunkSizeWarningLimit = Infinity;

// The engine's workers match no patterns: in a chunk with what they need, RE2 would be loaded by each of them.
const GROUPS = [{ name: 'patterns', test: /re2js|shared.patterns\.ts/ }];

/** Vite's list of the packages of one build, which writeLicences takes away again. */
const LICENCES = {
  node: 'licences-node.json',
  preload: 'licences-preload.json',
  page: 'licences-page.json',
};

function nodeConfig(input, { oneFile, licences }) {
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
      license: { fileName: licences },
      rolldownOptions: {
        checks: QUIET,
        input,
        external,
        output: {
          format: 'cjs',
          entryFileNames: '[name].js',
          chunkFileNames: 'chunk-[name].js',
          banner: (chunk) => (chunk.name === 'cli' && chunk.isEntry ? '#!/usr/bin/env node' : ''),
          codeSplitting: oneFile ? false : { groups: GROUPS },
        },
      },
    },
  };
}

async function buildNodeSide() {
  const input = Object.fromEntries(
    Object.entries(NODE_ENTRIES).map(([name, entry]) => [name, path.join(root, entry)]),
  );
  await build(nodeConfig(input, { oneFile: false, licences: LICENCES.node }));
  chmodSync(path.join(outDir, 'cli.js'), 0o755);
}

async function buildPreload() {
  await build(
    nodeConfig(
      { preload: path.join(root, PRELOAD_ENTRY) },
      { oneFile: true, licences: LICENCES.preload },
    ),
  );
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
      license: { fileName: LICENCES.page },
    },
  });
}

/**
 * LiteRT's WebAssembly and the script that starts it, which exports nothing and expects a browser's `self`.
 * Its build without relaxed SIMD, which Node 20 does not have.
 */
function copyLitert() {
  const from = path.join(root, 'node_modules/@litertjs/core/wasm/litert_wasm_compat_internal');
  const script = readFileSync(`${from}.js`, 'utf8');
  writeFileSync(
    path.join(outDir, 'litert.js'),
    `const self = globalThis;\n${script}\nmodule.exports = ModuleFactory;\n`,
  );
  copyFileSync(`${from}.wasm`, path.join(outDir, 'litert.wasm'));
}

/** The licences of all that is shipped, where the page can read them. */
function writeLicences() {
  const files = [LICENCES.node, LICENCES.preload, `renderer/${LICENCES.page}`];
  const lists = files.map((file) => JSON.parse(readFileSync(path.join(outDir, file), 'utf8')));
  writeFileSync(path.join(outDir, 'renderer/licences.txt'), licencesText(lists));
  for (const file of files) rmSync(path.join(outDir, file));
}

/** Builds everything anew. */
async function buildAll() {
  rmSync(outDir, { recursive: true, force: true });
  await buildKernels(outDir);
  copyLitert();
  await buildNodeSide();
  await buildPreload();
  await buildPage();
  writeLicences();
}

process.env.NODE_ENV = 'production';
await buildAll();

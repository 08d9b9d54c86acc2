// Checks the types of every layer, or of those that are named, with only the library and types that the layer may use: a
// DOM call in the engine, or a Node call in shared/, does not compile.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from './paths.mjs';
import { seldomCollected } from './run.mjs';

// The folders with a tsconfig.json of their own; electron/ itself holds the preload.
const LAYERS = [
  'shared',
  ...['files', 'engine', 'cli', 'main', 'start'].map((layer) => `electron/${layer}`),
  'electron',
  'test',
];
// The native compiler, which takes a fifth of the time; Svelte's checker finds it by this name. ESLint needs the older one's API.
const COMPILER = 'node_modules/@typescript/native/bin/tsc';
const SVELTE_CHECK = 'node_modules/svelte-check/bin/svelte-check';

/** Runs a checker and reports what it says of a layer once it has ended. */
function check(layer, script, ...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path.join(root, script), ...args], {
      cwd: root,
      env: seldomCollected,
    });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('close', (code) => {
      console.log(code === 0 ? `types: ${layer} ok` : `types: ${layer} failed\n${output}`);
      if (code !== 0) process.exitCode = 1;
      resolve();
    });
  });
}

const config = (layer) => `${layer}/tsconfig.json`;

const checkRenderer = () =>
  check(
    ...['renderer', SVELTE_CHECK, '--tsconfig', config('renderer')],
    ...['--fail-on-warnings', '--output', 'human', '--tsgo-experimental-api'],
  );
const checkLayer = (layer) => check(layer, COMPILER, '--project', config(layer), '--pretty');

const named = process.argv.slice(2);
const unknown = named.filter((layer) => layer !== 'renderer' && !LAYERS.includes(layer));
if (unknown.length > 0) throw new Error(`these layers are unknown: ${unknown.join(', ')}`);
const isWanted = (layer) => named.length === 0 || named.includes(layer);

const renderer = isWanted('renderer') ? checkRenderer() : undefined;
for (const layer of LAYERS.filter(isWanted)) await checkLayer(layer);
await renderer;

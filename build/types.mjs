// Checks the types of every layer with only the library and types that layer may use: a DOM call in
// the engine, or a Node call in shared/, does not compile. Two checks at a time.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from './paths.mjs';

const AT_A_TIME = 2;

// The slowest first, so that the others run beside it.
const LAYERS = ['renderer', 'test', 'main', 'start', 'engine', 'cli', 'files', 'preload', 'shared'];

function commandOf(layer) {
  const project = `build/tsconfig.${layer}.json`;
  if (layer === 'renderer') {
    const svelteCheck = path.join(root, 'node_modules/svelte-check/bin/svelte-check');
    return [svelteCheck, '--tsconfig', project, '--fail-on-warnings', '--output', 'human'];
  }
  return [path.join(root, 'node_modules/typescript/bin/tsc'), '--project', project];
}

function check(layer) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, commandOf(layer), { cwd: root });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('close', (code) => {
      console.log(code === 0 ? `types: ${layer} ok` : `types: ${layer} failed\n${output}`);
      resolve(code === 0);
    });
  });
}

const queue = [...LAYERS];
let failed = false;
async function work() {
  for (let layer = queue.shift(); layer !== undefined; layer = queue.shift()) {
    if (!(await check(layer))) failed = true;
  }
}
await Promise.all(Array.from({ length: AT_A_TIME }, work));
process.exit(failed ? 1 : 0);

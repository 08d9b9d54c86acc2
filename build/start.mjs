// npm start: sets everything up, builds what changed, and opens the window.
// npm start -- model.onnx opens that file.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { electronPath } from './electron-runtime.mjs';
import { ensureBuilt } from './freshness.mjs';
import { ensurePackages } from './packages.mjs';
import { root } from './paths.mjs';
import { ensureSystemPackages, hasDisplay } from './system-packages.mjs';

try {
  if (!hasDisplay())
    throw new Error(
      'there is no display to open a window on: run it on a desktop, or on a virtual one with: xvfb-run -a npm start',
    );
  ensurePackages();
  ensureSystemPackages({ forTests: false });
  const binary = electronPath();
  ensureBuilt();
  const from = process.env['INIT_CWD'] ?? process.cwd();
  const args = process.argv
    .slice(2)
    .map((argument) => (argument.startsWith('-') ? argument : path.resolve(from, argument)));
  if (process.platform === 'linux' && process.getuid?.() === 0) {
    console.log('running as root: Chromium has no sandbox for root, so it is off for this run');
    args.unshift('--no-sandbox');
  }
  const child = spawn(binary, [root, ...args], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 0 : 1);
  });
} catch (error) {
  console.error(`npm start: ${error.message}`);
  process.exitCode = 1;
}

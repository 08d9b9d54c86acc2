import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root } from './paths.mjs';

const SOURCES = ['shared', 'electron', 'renderer', 'build', 'package.json', 'package-lock.json'];

/** Build the app unless dist is newer than every source. */
export function ensureBuilt() {
  const built = path.join(root, 'dist', 'start.js');
  const page = path.join(root, 'dist', 'renderer', 'index.html');
  if (existsSync(built) && existsSync(page) && statSync(built).mtimeMs > newest()) return;
  console.log('building');
  // In a process of its own: a test runner's NODE_ENV would make a page for development of it.
  const script = path.join(root, 'build/build.mjs');
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the build failed');
}

function newest() {
  return Math.max(...SOURCES.map((source) => newestBelow(path.join(root, source))));
}

function newestBelow(file) {
  const stat = statSync(file);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(file).map((name) => newestBelow(path.join(file, name))));
}

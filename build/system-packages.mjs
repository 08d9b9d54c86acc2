import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { run } from './run.mjs';

/** What Electron needs of a Debian system that has no desktop. */
const WINDOW = ['libnss3', 'libatk-bridge2.0-0', 'libgtk-3-0', 'libgbm1', 'libasound2', 'libxss1'];

/** What the tests need besides: a display, and ONNX's corpus of test graphs. */
const TESTS = ['xvfb', 'libonnx-testdata'];

/**
 * Install Debian packages that are missing, as root; otherwise say which command does it, and stop.
 * Other systems have what they need, or know better than we what it is called.
 */
export function ensureSystemPackages({ forTests }) {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/dpkg-query')) return;
  const missing = [...WINDOW, ...(forTests ? TESTS : [])].filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0)
    throw new Error(
      `Debian packages are missing; install them with: sudo apt-get install -y ${missing.join(' ')}`,
    );
  console.log(`set-up: installing ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function isInstalled(name) {
  // Names with t64 took over some libraries in later releases; they provide the old name.
  const query = (which) =>
    spawnSync('dpkg-query', ['-W', '-f=${Status}', which], { encoding: 'utf8' }).stdout.includes(
      'install ok installed',
    );
  return query(name) || query(`${name}t64`);
}

/** Whether there is a display to open a window on. */
export function hasDisplay() {
  if (process.platform !== 'linux') return true;
  return Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);
}

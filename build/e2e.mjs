// The end-to-end tests (or another project of Playwright's) in real Electron, on a display of their own where there is none.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { electronPath } from './electron-runtime.mjs';
import { ensureBuilt } from './freshness.mjs';
import { root } from './paths.mjs';
import { startVirtualDisplay } from './virtual-display.mjs';

const given = process.argv.slice(2);
const project = given.some((each) => each.startsWith('--project')) ? [] : ['--project=e2e'];

const packaged = process.env['QUANTSCOPE_PACKAGED'];
if (packaged === undefined) ensureBuilt();
const env = { ...process.env, QUANTSCOPE_ELECTRON: packaged ?? electronPath() };
// Always a display of its own on Linux: a window manager's focus rules would make the tests depend on the desktop.
const screen = process.platform === 'linux' ? await startVirtualDisplay() : undefined;
if (screen !== undefined) env.DISPLAY = screen.display;
const playwright = path.join(root, 'node_modules/@playwright/test/cli.js');
const result = spawnSync(
  process.execPath,
  [playwright, 'test', '--config', 'build/playwright.config.mjs', ...project, ...given],
  { cwd: root, env, stdio: 'inherit' },
);
screen?.stop();
process.exitCode = result.status ?? 1;

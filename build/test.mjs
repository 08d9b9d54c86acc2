// npm test: sets everything up, then types, lint, format, build, unit tests and end-to-end tests. The linter checks the
// types of the other layers with its rules, in one program; that of the components is svelte-check's.
// Stops at the first phase that fails.
import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { electronPath } from './electron-runtime.mjs';
import { ensureModels } from './models.mjs';
import { ensurePackages } from './packages.mjs';
import { run } from './run.mjs';
import { ensureSystemPackages } from './system-packages.mjs';

const node = (script, ...args) => run(process.execPath, [script, ...args]);
const work = mkdtempSync(path.join(inMemory() ?? tmpdir(), 'quantscope-npm-test-'));
process.env['TMPDIR'] = work; // Of every phase: what a test leaves behind goes with the folder.
const unitCounts = path.join(work, 'unit.json');
const e2eCounts = path.join(work, 'e2e.json');

const phases = [
  ['packages', () => ensurePackages()],
  ['system', () => ensureSystemPackages({ forTests: true })],
  ['models', () => ensureModels()],
  ['electron', () => electronPath()],
  ['types', () => node('build/types.mjs', 'renderer')],
  ['lint', () => node('build/lint.mjs')],
  ['format', () => node('build/format.mjs', '--check')],
  ['build', () => node('build/build.mjs')],
  [
    'unit',
    () =>
      node(
        'node_modules/vitest/vitest.mjs',
        'run',
        '--config',
        'build/vitest.config.mjs',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${unitCounts}`,
      ),
  ],
  [
    'end to end',
    () =>
      run(process.execPath, ['build/e2e.mjs'], {
        env: { ...process.env, QUANTSCOPE_COUNTS: e2eCounts },
      }),
  ],
];

/**
 * The folder that Linux keeps in memory, where it has room for what tests write at a time: waiting for a disk takes a
 * quarter of the tests' time, and a tenth of the processor's.
 */
function inMemory() {
  const folder = '/dev/shm';
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > 8e9 ? folder : undefined;
  } catch {
    return undefined;
  }
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // A phase that never ran counted nothing.
  }
}

function counts() {
  const unit = readJson(unitCounts);
  const e2e = readJson(e2eCounts)?.stats;
  return {
    passed: (unit?.numPassedTests ?? 0) + (e2e?.expected ?? 0) + (e2e?.flaky ?? 0),
    failed: (unit?.numFailedTests ?? 0) + (e2e?.unexpected ?? 0),
  };
}

/** Seconds of processor time, user and system, of this process and of the children that have ended. */
function processorSeconds() {
  try {
    // cutime and cstime, the 16th and 17th of the line, in hundredths of a second. The name may contain spaces.
    const fields = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const { user, system } = process.cpuUsage();
    return (Number(fields[13]) + Number(fields[14])) / 100 + (user + system) / 1e6;
  } catch {
    return undefined; // Only Linux tells of children.
  }
}

function timesSince(started, processor) {
  const wall = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  const now = processorSeconds();
  return now === undefined ? wall : `${wall}, ${(now - processor).toFixed(1)} s of processor time`;
}

let failure;
for (const [name, phase] of phases) {
  const started = performance.now();
  const processor = processorSeconds();
  console.log(`\n== ${name}`);
  try {
    phase();
  } catch (error) {
    failure = `${name}: ${error.message}`;
    break;
  }
  console.log(`== ${name}: ${timesSince(started, processor)}`);
}
const { passed, failed } = counts();
rmSync(work, { recursive: true, force: true });
if (failure !== undefined) {
  console.error(`\nnpm test: ${failure}`);
  process.exitCode = 1;
}
console.log(
  `\n${passed} passed, ${failed + (failure !== undefined && failed === 0 ? 1 : 0)} failed`,
);

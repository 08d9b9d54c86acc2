import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { listPackage } from '@electron/asar';
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { electronBinary, expect, figuresSettle, SAMPLE, test } from '../e2e/app.ts';

/** The packaged app as it is released; the tests that drive a window run a copy that may be inspected. */
const released = process.env['QUANTSCOPE_RELEASED']!;

const resources =
  process.platform === 'darwin'
    ? path.resolve(path.dirname(released), '../Resources')
    : path.join(path.dirname(released), 'resources');

/** A fuse is a digit in the binary. */
const [OFF, ON] = [0x30, 0x31];

const FUSES = [
  [FuseV1Options.RunAsNode, OFF],
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable, OFF],
  [FuseV1Options.EnableNodeCliInspectArguments, OFF],
  [FuseV1Options.EnableEmbeddedAsarIntegrityValidation, ON],
  [FuseV1Options.OnlyLoadAppFromAsar, ON],
] as const;

test('the binary refuses to run as Node, to be inspected and to load another app', async () => {
  const wire = await getCurrentFuseWire(released);
  expect(FUSES.map(([fuse]) => Number(wire[fuse]))).toEqual(FUSES.map(([, state]) => state));
});

test('the binary that these tests drive differs in the fuse for inspection alone', async () => {
  const wire = await getCurrentFuseWire(released);
  const driven = await getCurrentFuseWire(electronBinary());
  expect(driven).toEqual({
    ...wire,
    [FuseV1Options.EnableNodeCliInspectArguments]: ON,
  });
});

test('the package has what runs and nothing else', () => {
  const files = listPackage(path.join(resources, 'app.asar'), { isPack: false })
    .map((file) => file.split(path.sep).join('/'))
    .filter((file) => path.extname(file) !== '');
  const strange = files.filter(
    (file) =>
      !/^\/package\.json$/.test(file) &&
      !/^\/dist\/[\w-]+\.(js|wasm)$/.test(file) &&
      !/^\/dist\/renderer\/(index\.html|licences\.txt|assets\/[\w.-]+\.(js|css|woff2|svg|png))$/.test(
        file,
      ) &&
      !/^\/node_modules\/onnxruntime-(node|common)\/(dist\/.*\.js|(dist\/cjs\/)?package\.json)$/.test(
        file,
      ) &&
      !file.startsWith(
        `/node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}`,
      ),
  );
  expect(strange).toEqual([]);
  expect(files).toContain('/dist/start.js');
  expect(fs.existsSync(path.join(resources, 'app'))).toBe(false);
});

test('the package carries the licences of others in full', () => {
  const folder = process.platform === 'darwin' ? path.dirname(resources) : path.dirname(released);
  const text = fs.readFileSync(path.join(folder, 'LICENSES.third-party.txt'), 'utf8');
  for (const name of ['svelte ', 'd3-scale ', '@fontsource-variable/inter ', 'onnxruntime-node '])
    expect(text).toContain(`\n${name}`);
});

test('the app opens a model, measures it in workers, runs onnxruntime and exports', async ({
  launch,
  folder,
}) => {
  const app = await launch([SAMPLE]);
  const { page } = app;
  await figuresSettle(app);
  const measured = page.getByRole('row').filter({ hasText: /int8.*\d\d\.\d/ });
  await expect(measured.first()).toBeVisible();
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const main = page.getByRole('main', { name: 'Run' });
  await main.getByRole('button', { name: 'Run A and B' }).click();
  const outputs = main.getByRole('region', { name: 'Outputs' });
  await expect(outputs).toContainText('softmax_0.tmp_0', { timeout: 30_000 });
  const out = path.join(folder, 'exported.onnx');
  await app.answerSave(out);
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect.poll(() => fs.existsSync(out)).toBe(true);
  expect(app.complaints).toEqual([]);
});

/** The command line of the package, with a search path of its own. */
function command(search: string, ...args: readonly string[]): SpawnSyncReturns<string> {
  const isWindows = process.platform === 'win32';
  const script = path.join(resources, 'bin', isWindows ? 'quantscope.cmd' : 'quantscope');
  const env = { ...process.env, PATH: search };
  return spawnSync(script, args, { encoding: 'utf8', env, shell: isWindows });
}

test('the command line works in Node', ({ folder }) => {
  commandLineWorks(process.env['PATH']!, folder);
});

test('the command line works without Node, in the app', ({ folder }) => {
  commandLineWorks(searchWithoutNode(folder), folder);
});

function commandLineWorks(search: string, folder: string): void {
  expect(command(search, '--help').stdout).toContain('Usage: quantscope');
  const out = path.join(folder, 'int8.onnx');
  expect(command(search, 'export', SAMPLE, '--recipe', 'int8', '--out', out).status).toBe(0);
  const { stdout, stderr, status } = command(search, 'verify', SAMPLE, out, '--samples', '1');
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  expect(stdout).toContain('softmax_0.tmp_0');
  expect(command(search, 'bogus').status).toBe(2);
}

/** A search path that has what the script calls, and no node. */
function searchWithoutNode(folder: string): string {
  if (process.platform === 'win32') return path.join(process.env['SystemRoot']!, 'System32');
  const search = path.join(folder, 'search');
  fs.mkdirSync(search);
  for (const name of ['dirname', 'readlink', 'realpath', 'sh']) {
    const found = process.env['PATH']!.split(':').map((each) => path.join(each, name));
    const file = found.find((each) => fs.existsSync(each));
    if (file !== undefined) fs.symlinkSync(file, path.join(search, name));
  }
  return search;
}

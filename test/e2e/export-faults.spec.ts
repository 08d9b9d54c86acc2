import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeBigModel } from '../helpers/big-model.ts';
import { writeExternalModel } from '../helpers/external-model.ts';
import { floats, safetensorsFile } from '../helpers/safetensors.ts';
import type { Locator } from '@playwright/test';
import { enginePids, expect, figuresSettle, test, type App } from './app.ts';
import { stopOnceExporting, temporaryIn } from './stopped-export.ts';

const BIG = 'big.onnx';

/** Answer questions with a button, by its index, and count them. */
async function answerQuestions(
  { electron }: App,
  response: number,
): Promise<() => Promise<number>> {
  await electron.evaluate(({ dialog }, button) => {
    const counted = globalThis as unknown as { questions: number };
    counted.questions = 0;
    dialog.showMessageBox = () => {
      counted.questions++;
      return Promise.resolve({ response: button, checkboxChecked: false });
    };
  }, response);
  return () => electron.evaluate(() => (globalThis as unknown as { questions: number }).questions);
}

/** Opens the export dialog and gives the button that starts the export to a file. */
async function readyToExport(app: App, target: string): Promise<Locator> {
  await app.answerSave(target);
  await app.page.getByRole('button', { name: 'Export…' }).click();
  const button = app.page.getByRole('dialog').getByRole('button', { name: 'Export', exact: true });
  await expect(button).toBeEnabled();
  return button;
}

/** A model that is being exported by an engine that stands still in the middle of it. */
interface Exporting {
  readonly app: App;
  readonly where: string;
  readonly engine: number;
}

async function exporting(
  start: (file: string) => Promise<App>,
  folder: string,
): Promise<Exporting> {
  const where = path.join(folder, 'models');
  fs.mkdirSync(where);
  writeBigModel(path.join(where, BIG), 8, 2048, 2048);
  const app = await start(path.join(where, BIG));
  await figuresSettle(app);
  const [engine] = await enginePids(app);
  const button = await readyToExport(app, path.join(where, 'out.onnx'));
  await stopOnceExporting(engine!, where, () => button.click());
  return { app, where, engine: engine! };
}

const closeWindow = ({ electron }: App): Promise<void> =>
  electron.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());

test('closing the window during an export asks, and may go on with it', async ({
  open,
  folder,
}) => {
  const { app, where, engine } = await exporting(open, folder);
  const questions = await answerQuestions(app, 0);
  await closeWindow(app);
  await expect.poll(questions).toBe(1);
  process.kill(engine, 'SIGCONT');
  await expect(app.page.getByText('Exported: out.onnx')).toBeVisible({ timeout: 60_000 });
  expect(fs.readdirSync(where).sort()).toEqual([BIG, 'out.onnx']);
});

test('closing the window during an export may stop it, and leaves nothing of it', async ({
  launch,
  folder,
}) => {
  const { app, where, engine } = await exporting((file) => launch([file]), folder);
  const questions = await answerQuestions(app, 1);
  const ended = app.electron.waitForEvent('close');
  await closeWindow(app);
  await expect.poll(questions).toBe(1);
  process.kill(engine, 'SIGCONT');
  await ended;
  expect(fs.readdirSync(where)).toEqual([BIG]);
});

test('what a killed app leaves of an export is gone after the next start', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'profile');
  const { app, where, engine } = await exporting((file) => launch([file], profile), folder);
  // The next start looks where this one noted that it exports.
  const noted = path.join(profile, 'unfinished.json');
  await expect.poll(() => fs.existsSync(noted) && fs.readFileSync(noted, 'utf8')).toContain(where);
  for (const pid of [app.electron.process().pid!, engine]) process.kill(pid, 'SIGKILL');
  expect(temporaryIn(where)).toHaveLength(1);
  await launch([], profile);
  await expect.poll(() => fs.readdirSync(where)).toEqual([BIG]);
});

test('what a killed engine leaves of an export is gone when it was started again', async ({
  open,
  folder,
}) => {
  const { where, engine } = await exporting(open, folder);
  process.kill(engine, 'SIGKILL');
  await expect.poll(() => fs.readdirSync(where)).toEqual([BIG]);
});

test('an export that replaces more than the chosen file names it first', async ({
  open,
  folder,
}) => {
  const model = writeExternalModel(folder, 'source');
  const out = path.join(folder, 'out');
  fs.mkdirSync(out);
  fs.writeFileSync(path.join(out, 'o.onnx.data'), 'mine');
  const app = await open(model);
  await figuresSettle(app);
  await (await readyToExport(app, path.join(out, 'o.onnx'))).click();
  const dialog = app.page.getByRole('dialog');
  await expect(dialog.getByRole('alert')).toHaveText(/also replaces 1 file: o\.onnx\.data/);
  expect(fs.readdirSync(out)).toEqual(['o.onnx.data']);
  await dialog.getByRole('button', { name: 'Replace and export' }).click();
  await expect(dialog.getByText('Exported: o.onnx')).toBeVisible();
  expect(fs.readdirSync(out).sort()).toEqual(['o-2.onnx.data', 'o.onnx']);
});

test('a recipe is not saved over the index of the open model', async ({ open, folder }) => {
  const index = path.join(folder, 'model.safetensors.index.json');
  fs.writeFileSync(path.join(folder, 'x.safetensors'), safetensorsFile({ w: floats([64, 64]) }));
  fs.writeFileSync(index, JSON.stringify({ weight_map: { w: 'x.safetensors' } }));
  const before = fs.readFileSync(index);
  const app = await open(index);
  await figuresSettle(app);
  await app.answerSave(index);
  await app.page.getByRole('button', { name: 'Recipe A: open, save, copy, swap' }).click();
  await app.page.getByRole('menuitem', { name: 'Save recipe A…' }).click();
  await expect(app.page.getByRole('alert')).toContainText(
    'is the model itself or one of its files',
  );
  expect(fs.readFileSync(index).equals(before)).toBe(true);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { findPreset } from '../../shared/presets.ts';
import { DETECTOR, enginePids, expect, figuresSettle, SAMPLE, test, type App } from './app.ts';

/** What main set as the taskbar's progress, and the notifications that it showed. */
interface Told {
  readonly progress: number[];
  readonly shown: string[];
}

/** Records what main tells the system, which has no taskbar here. */
async function listen({ electron }: App): Promise<void> {
  await electron.evaluate(({ BrowserWindow, Notification }) => {
    const told: Told = { progress: [], shown: [] };
    Object.assign(globalThis, { told });
    const [window] = BrowserWindow.getAllWindows();
    window!.setProgressBar = (fraction) => void told.progress.push(fraction);
    window!.isFocused = () => (globalThis as unknown as { isInFront: boolean }).isInFront;
    Notification.isSupported = () => true;
    Notification.prototype.show = function show(this: Electron.Notification) {
      told.shown.push(`${this.title}: ${this.body}`);
    };
  });
}

function toldOf({ electron }: App): Promise<Told> {
  return electron.evaluate(() => (globalThis as unknown as { told: Told }).told);
}

test('Settings take effect: theme at once, workers and the recipe at the next start', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'settings');
  const first = await launch([], profile);
  // The page listens to keys once it is shown.
  await expect(first.page.getByRole('button', { name: 'Open…' })).toBeFocused();
  await first.page.keyboard.press('Control+,');
  const dialog = first.page.getByRole('dialog', { name: 'Settings' });
  await dialog.getByLabel('Theme').selectOption('Dark');
  await expect
    .poll(() => first.page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches))
    .toBe(true);
  await dialog.getByLabel('Worker threads').selectOption('1');
  await dialog.getByLabel('Recipe A at start').selectOption('float16');
  await dialog.getByLabel('Memory limit').selectOption({ index: 1 });
  await first.electron.close();
  const again = await launch([SAMPLE], profile);
  await figuresSettle(again);
  await expect(again.page.getByRole('contentinfo')).toContainText('1 worker');
  // A hint is dismissed for good, and only that one.
  const hint = again.page.getByRole('note').filter({ hasText: 'Press dB to sort by error' });
  await expect(hint).toBeVisible();
  await again.page.getByRole('button', { name: 'Dismiss this hint' }).click();
  await expect(hint).toBeHidden();
  await again.page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(again.page.getByRole('note').filter({ hasText: 'Measure layers' })).toBeVisible();
  await expect(again.page.getByLabel('Recipe of A', { exact: true })).toHaveValue('float16');
  await again.electron.close();
  const file = path.join(profile, 'settings.json');
  const stored = JSON.parse(fs.readFileSync(file, 'utf8')) as object;
  expect(stored).toMatchObject({ hints: ['layers'], memory: 1e9 });
  const wrong = { workers: 1e9, preset: 7, memory: 1, numbers: 'roman' };
  fs.writeFileSync(file, JSON.stringify({ ...stored, ...wrong }));
  const spoilt = await launch([SAMPLE], profile);
  await figuresSettle(spoilt);
  await expect(spoilt.page.getByRole('button', { name: 'Dismiss this hint' })).toBeHidden();
  await expect(spoilt.page.getByRole('contentinfo')).toContainText(/\d+ workers?/);
  await expect(spoilt.page.getByRole('contentinfo')).not.toContainText('1 worker');
});

test('the language of numbers changes what is shown and what is typed, and nothing that is copied', async ({
  open,
}) => {
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);
  const total = page.getByRole('group', { name: 'Totals of A' });
  await expect(total).toContainText(/\d\.\d\sdB/);
  await page.keyboard.press('Control+,');
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  await dialog.getByLabel('Language of numbers').selectOption('1.234,5');
  await page.keyboard.press('Escape');
  await expect(total).toContainText(/\d,\d\sdB/);
  await expect(page.getByRole('main')).not.toContainText(/\d\.\d\sdB/);
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByRole('menuitem', { name: 'Copy the table as CSV' }).click();
  const copied = await app.electron.evaluate(({ clipboard }) => clipboard.readText());
  expect(copied).toMatch(/,\d+\.\d{6,},/);
  await page.getByRole('button', { name: 'Budget', exact: true }).click();
  const goal = page.getByLabel('Most megabytes');
  await goal.fill('0,25');
  await goal.press('Enter');
  await expect(goal).toHaveValue('0,250');
  await goal.fill('1.234,5');
  await goal.press('Enter');
  await expect(goal).toHaveValue('1.234,500');
  await page.getByRole('button', { name: 'Formats', exact: true }).click();
  const value = page.getByLabel('Value', { exact: true });
  await value.fill('0,1');
  const float16 = page.getByRole('row').filter({ hasText: 'float16' }).first();
  await expect(float16).toContainText('0,0999755859375');
  const line = page.getByRole('region', { name: 'Linear quantization' });
  await line.getByLabel('sample').fill('0,5');
  await line.getByLabel('sample').press('Enter');
  await expect(line.getByRole('row', { name: 'quantize' })).toContainText('round(0,5 / s)');
  // What stands in the fields follows another language.
  await page.keyboard.press('Control+,');
  await dialog.getByLabel('Language of numbers').selectOption('1,234.5');
  await page.keyboard.press('Escape');
  await expect(value).toHaveValue('0.1');
  await expect(line.getByLabel('sample')).toHaveValue('0.5');
  expect(app.complaints).toEqual([]);
});

test('Copy Diagnostics copies versions and the log, and names no file of the model', async ({
  launch,
  folder,
}) => {
  const secret = path.join(folder, 'secret-model.onnx');
  fs.copyFileSync(SAMPLE, secret);
  const app = await launch([secret]);
  await figuresSettle(app);
  await app.page.keyboard.press('Control+k');
  await app.page.keyboard.type('diagnostics');
  await app.page.keyboard.press('Enter');
  await expect
    .poll(() => app.electron.evaluate(({ clipboard }) => clipboard.readText()))
    .toContain('Quantscope ');
  const copied = await app.electron.evaluate(({ clipboard }) => clipboard.readText());
  expect(copied).toMatch(/Electron \d+.*onnxruntime \d+/);
  expect(copied).toMatch(/\n {2}\S+Z start of \d+\.\d+\.\d+ on Electron/);
  expect(copied).not.toContain('secret-model');
  expect(copied).not.toContain(folder);
});

test('an export shows its progress in the taskbar, and a long one tells of its end in the background', async ({
  launch,
  folder,
}) => {
  const app = await launch([DETECTOR]);
  const { page } = app;
  await figuresSettle(app);
  await listen(app);
  await app.answerSave(path.join(folder, 'out.onnx'));
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog', { name: /^Export / });
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(dialog.getByRole('status')).toHaveText('Exported: out.onnx');
  await expect.poll(async () => (await toldOf(app)).progress.at(-1)).toBe(-1);
  const { progress, shown } = await toldOf(app);
  expect(progress.length).toBeGreaterThan(1);
  expect(Math.max(...progress)).toBeLessThanOrEqual(1);
  // This one took less than ten seconds.
  expect(shown).toEqual([]);
  const tell = (isInFront: boolean, label: string): Promise<unknown> =>
    app.electron
      .evaluate(
        (_electron, front) => void Object.assign(globalThis, { isInFront: front }),
        isInFront,
      )
      .then(() =>
        page.evaluate(
          (name) =>
            (
              window as unknown as {
                quantscope: { exportEnded(isDone: boolean, label: string): Promise<unknown> };
              }
            ).quantscope.exportEnded(true, name),
          label,
        ),
      );
  await tell(true, 'Writing a.onnx');
  await tell(false, 'Writing b.onnx');
  expect((await toldOf(app)).shown).toEqual(['Export finished: Writing b.onnx']);
});

test('a recipe file given as argument becomes recipe A, and an invalid one is an error that names it', async ({
  launch,
  folder,
}) => {
  const file = path.join(folder, 'mine.qrecipe');
  fs.writeFileSync(file, JSON.stringify({ ...findPreset('int4-block32'), name: '' }));
  const app = await launch([file]);
  await expect(app.page.getByText('Recipe A is mine.qrecipe. Open a model')).toBeVisible();
  await app.answerOpen(SAMPLE);
  await app.page.getByRole('button', { name: 'Open…' }).click();
  await figuresSettle(app);
  await expect(app.page.getByLabel('dtype of A', { exact: true })).toHaveValue('int4');
  fs.writeFileSync(file, '{"version": 1');
  const broken = await launch([file]);
  await expect(broken.page.getByRole('alert').filter({ hasText: 'mine.qrecipe' })).toBeVisible();
});

test('opening a file that takes long is given up at once, and another opens', async ({ open }) => {
  const app = await open();
  const { page } = app;
  const engines = await enginePids(app);
  // An engine that stands still, as on a disk that does not answer.
  for (const pid of engines) process.kill(pid, 'SIGSTOP');
  try {
    await app.answerOpen(DETECTOR);
    await page.getByRole('button', { name: 'Open…' }).click();
    const status = page.getByRole('contentinfo');
    await expect(status).toContainText('Opening ch_PP-OCRv4_det_infer.onnx');
    await status.getByRole('button', { name: 'Cancel' }).click();
    await expect(status).toBeHidden();
    await expect(page.getByText(/^Opening .* cancelled$/)).toBeAttached();
  } finally {
    for (const pid of engines) process.kill(pid, 'SIGCONT');
  }
  await page.getByRole('button', { name: 'Open the sample' }).click();
  await figuresSettle(app);
  await expect(page).toHaveTitle(/^ch_ppocr_mobile_v2\.0_cls_infer\.onnx/);
  await expect(page.getByRole('alert')).toBeHidden();
});

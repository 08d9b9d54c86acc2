import * as fs from 'node:fs';
import * as path from 'node:path';
import { writeBigModel } from '../helpers/big-model.ts';
import { DETECTOR, enginePids, expect, figuresSettle, SAMPLE, test, type App } from './app.ts';
import { stopOnceExporting } from './stopped-export.ts';

function heading({ page }: App, file: string) {
  return page.getByRole('heading', { name: path.basename(file) });
}

async function enginePid(app: App): Promise<number> {
  await expect.poll(() => enginePids(app)).toHaveLength(1);
  return (await enginePids(app))[0]!;
}

/** Open a file with an engine that stands still, and kill the engine before it answers. */
async function killWhileOpening(app: App, file: string): Promise<void> {
  const pid = await enginePid(app);
  process.kill(pid, 'SIGSTOP');
  await app.answerOpen(file);
  await app.page.getByRole('button', { name: 'Open…' }).click();
  await expect(app.page.getByText(`Opening ${path.basename(file)}`)).toBeVisible();
  process.kill(pid, 'SIGKILL');
  await expect(app.page.getByRole('alert').first()).toContainText(
    `${path.basename(file)}: the engine stopped while it opened this file`,
  );
}

test('a file that kills the engine is not opened again, and what is opened after it is back after it', async ({
  launch,
}) => {
  const app = await launch();
  await expect(heading(app, 'Quantscope')).toBeVisible();
  await killWhileOpening(app, DETECTOR);
  await app.page.waitForTimeout(500);
  await expect(heading(app, DETECTOR)).toHaveCount(0);
  await app.answerOpen(SAMPLE);
  await app.page.getByRole('button', { name: 'Open…' }).click();
  await expect(heading(app, SAMPLE)).toBeVisible();
  await figuresSettle(app);
  await killWhileOpening(app, DETECTOR);
  await expect(heading(app, SAMPLE)).toBeVisible();
  await app.page.getByLabel('dtype of B', { exact: true }).selectOption('float16');
  await figuresSettle(app);
  await app.page.getByRole('button', { name: 'Open…' }).click();
  await expect(heading(app, DETECTOR)).toBeVisible();
  await figuresSettle(app);
});

test('a page that is reloaded during an export shows it and can cancel it', async ({
  open,
  folder,
}) => {
  const where = path.join(folder, 'models');
  fs.mkdirSync(where);
  writeBigModel(path.join(where, 'big.onnx'), 16, 2048, 2048);
  const app = await open(path.join(where, 'big.onnx'));
  const { page } = app;
  await figuresSettle(app);
  const pid = await enginePid(app);
  await app.answerSave(path.join(where, 'out.onnx'));
  await page.getByRole('button', { name: 'Export…' }).click();
  const button = page.getByRole('dialog').getByRole('button', { name: 'Export', exact: true });
  await expect(button).toBeEnabled();
  // The export stands still, so that it cannot end before the page is there.
  await stopOnceExporting(pid, where, () => button.click());
  await page.reload();
  // By then the page has asked for a port, and waits.
  await page.waitForTimeout(1500);
  const running = page.getByRole('progressbar', { name: 'Exporting out.onnx' });
  // The engine answers the page before the export is far: it runs for a moment at a time.
  await expect(async () => {
    process.kill(pid, 'SIGCONT');
    await page.waitForTimeout(10);
    process.kill(pid, 'SIGSTOP');
    await expect(running).toBeVisible({ timeout: 200 });
  }).toPass({ intervals: [0], timeout: 30_000 });
  await page
    .getByRole('button', { name: /^Cancel/ })
    .first()
    .click();
  process.kill(pid, 'SIGCONT');
  await expect(running).toBeHidden();
  await expect(heading(app, 'big.onnx')).toBeVisible();
  await expect.poll(() => fs.readdirSync(where)).toEqual(['big.onnx']);
});

test('a page that crashes at every load is loaded three more times, and then someone is asked', async ({
  launch,
}) => {
  const { electron } = await launch();
  await electron.evaluate(({ BrowserWindow, dialog }) => {
    const counted = { loads: 0, questions: [] as string[] };
    Object.assign(globalThis, { counted });
    dialog.showMessageBox = (...given: unknown[]) => {
      counted.questions.push((given.at(-1) as { message: string }).message);
      return new Promise(() => {});
    };
    const { webContents } = BrowserWindow.getAllWindows()[0]!;
    webContents.on('dom-ready', () => {
      counted.loads++;
      webContents.forcefullyCrashRenderer();
    });
    webContents.forcefullyCrashRenderer();
  });
  const counted = () =>
    electron.evaluate(
      () => (globalThis as unknown as { counted: { loads: number; questions: string[] } }).counted,
    );
  await expect.poll(async () => (await counted()).questions.length, { timeout: 20_000 }).toBe(1);
  await new Promise((resolve) => {
    setTimeout(resolve, 1000);
  });
  expect(await counted()).toEqual({
    loads: 3,
    questions: ['The window stopped working again and again.'],
  });
});

test('settings and recent files of any content never stop the page, and keep what is valid', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'spoilt');
  fs.mkdirSync(profile);
  const deep = '['.repeat(50_000) + ']'.repeat(50_000);
  fs.writeFileSync(
    path.join(profile, 'settings.json'),
    `{"theme":"dark","recipeA":${deep},"recipeB":{"version":9},"compare":"yes","x":${deep}}`,
  );
  const entry = { id: 'same', path: SAMPLE, bytes: 5, opened: 'never', facts: 7 };
  fs.writeFileSync(
    path.join(profile, 'recent.json'),
    JSON.stringify([entry, { ...entry, path: DETECTOR, bytes: -1 }, null, { path: '' }, 5]),
  );
  const app = await launch([], profile);
  await expect(app.page.getByRole('button', { name: 'Open the sample' })).toBeVisible();
  await expect(app.page.getByRole('listitem')).toHaveCount(2);
  expect(app.complaints).toEqual([]);
  expect(await app.page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches)).toBe(
    true,
  );
  await app.page.getByRole('button', { name: path.basename(SAMPLE) }).click();
  await figuresSettle(app);
});

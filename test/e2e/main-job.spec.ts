import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { writeBigModel } from '../helpers/big-model.ts';
import { randomValues } from '../helpers/onnx-model.ts';
import { REAL_MODELS } from '../helpers/real-models.ts';
import { outputSqnr, runOnnx } from '../helpers/run-onnx.ts';
import type { Locator } from '@playwright/test';
import { DETECTOR, enginePids, expect, figuresSettle, SAMPLE, test } from './app.ts';

function countWeights(file: string): number {
  // Conv, ConvTranspose and MatMul weights of the main graph, counted with the schema library alone.
  const graph = onnx.ModelProto.decode(fs.readFileSync(file)).graph!;
  const constants = new Set(
    graph.node!.filter((node) => node.opType === 'Constant').map((node) => node.output![0]),
  );
  const weights = graph
    .node!.filter((node) => ['Conv', 'ConvTranspose', 'MatMul'].includes(node.opType!))
    .flatMap((node) => node.input!.slice(0, 2))
    .filter((name) => constants.has(name));
  return new Set(weights).size;
}

test('a file given as argument opens, with the layers that onnx-proto counts', async ({
  launch,
}) => {
  const app = await launch([DETECTOR]);
  const grid = app.page.getByRole('grid', { name: 'Layers' });
  await expect(grid).toHaveAttribute('aria-rowcount', String(countWeights(DETECTOR) + 1));
  await expect(app.page.getByRole('heading', { name: path.basename(DETECTOR) })).toBeVisible();
  await figuresSettle(app);
  expect(app.complaints).toEqual([]);
});

test('the sample opens from Welcome, another file by the dialog, and both are listed as recent', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'profile');
  const app = await launch([], profile);
  const { page } = app;
  await page.getByRole('button', { name: 'Open the sample' }).click();
  await expect(page.getByRole('heading', { name: path.basename(SAMPLE) })).toBeVisible();
  await app.answerOpen(DETECTOR);
  await page.getByRole('button', { name: 'Open…' }).click();
  await expect(page.getByRole('heading', { name: path.basename(DETECTOR) })).toBeVisible();
  await figuresSettle(app);
  await app.electron.close();
  const again = await launch([], profile);
  await expect(again.page.getByRole('listitem')).toHaveCount(2);
  await again.page.getByRole('button', { name: path.basename(SAMPLE) }).click();
  await expect(again.page.getByRole('heading', { name: path.basename(SAMPLE) })).toBeVisible();
});

test('int8 per channel as A and uint8 per tensor as B stand side by side, with their differences', async ({
  open,
}) => {
  const app = await open(DETECTOR);
  const { page } = app;
  await page.getByLabel('Recipe of A', { exact: true }).selectOption('int8');
  await page.getByLabel('dtype of B', { exact: true }).selectOption('uint8');
  await page.getByLabel('Symmetry of B', { exact: true }).selectOption('asymmetric');
  await page.getByLabel('Granularity of B', { exact: true }).selectOption('tensor');
  await figuresSettle(app);
  await expect(page.getByTitle('A and B differ').filter({ hasText: 'dtype' })).toBeVisible();
  await expect(page.getByTitle('A and B differ').filter({ hasText: 'Granularity' })).toBeVisible();
  const row = page.getByRole('row').filter({ hasText: 'p2o.Conv.26' });
  await expect(row).toContainText('int8 channel');
  await expect(row).toContainText('uint8 tensor');
  await expect(row.getByRole('gridcell').last()).toHaveText(/[+−]\d+\.\d/);
  for (const side of ['A', 'B'])
    await expect(page.getByRole('group', { name: `Totals of ${side}` })).toHaveText(/MB.*%.*dB/);
  const before = await page.getByRole('group', { name: 'Totals of B' }).textContent();
  await page.getByLabel('dtype of B', { exact: true }).selectOption('float16');
  await figuresSettle(app);
  await expect(page.getByRole('group', { name: 'Totals of B' })).not.toHaveText(before!);
  await expect(page.getByLabel('Symmetry of B', { exact: true })).toBeDisabled();
});

test('rows sort, filter, and take an override that undo takes back', async ({ open }) => {
  const app = await open(DETECTOR);
  const { page } = app;
  await figuresSettle(app);
  const rows = page.getByRole('row').filter({ hasText: 'p2o.' });
  await page.getByRole('columnheader', { name: 'SQNR of A, dB' }).getByRole('button').click();
  const heads = await page
    .getByRole('columnheader')
    .getByRole('button')
    .evaluateAll((buttons) => buttons.map((button) => button.getAttribute('aria-label')));
  const column = heads.indexOf('SQNR of A, dB');
  const sqnr = (index: number): Locator => rows.nth(index).getByRole('gridcell').nth(column);
  await expect(sqnr(1)).toHaveText(/\d+\.\d/);
  const [worst, second] = [await sqnr(0).textContent(), await sqnr(1).textContent()];
  expect(parseFloat(worst!)).toBeLessThanOrEqual(parseFloat(second!));
  await page.keyboard.press('/');
  await page.keyboard.type('Conv.26');
  await expect(page.getByRole('grid')).toHaveAttribute('aria-rowcount', '2');
  await rows.first().click();
  await page.getByRole('button', { name: 'Set scheme…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Scheme of 1 layer' });
  await dialog.getByLabel('dtype').selectOption('float16');
  await dialog.getByRole('button', { name: 'Set scheme' }).click();
  await expect(rows.first()).toContainText('float16');
  await expect(page.getByRole('button', { name: 'Rules of A' })).toHaveText('1 rule');
  await page.getByRole('button', { name: /^Undo: / }).click();
  await expect(rows.first()).toContainText('int8 channel');
  await page.getByRole('button', { name: /^Redo: / }).click();
  await expect(rows.first()).toContainText('float16');
});

test('the exported file runs in onnxruntime and answers nearly as its source, and is verified in the app', async ({
  open,
  folder,
}) => {
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);
  const target = path.join(folder, 'out.onnx');
  await app.answerSave(target);
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog', { name: /^Export / });
  await dialog.getByRole('button', { name: 'Choose…' }).click();
  await expect(dialog.getByLabel('File')).toHaveValue('out.onnx');
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(dialog.getByRole('status')).toHaveText('Exported: out.onnx');
  const { feeds } = REAL_MODELS.find((model) => model.file === SAMPLE)!;
  const [source, answer] = [await runOnnx(SAMPLE, feeds), await runOnnx(target, feeds)];
  for (const output of Object.keys(source))
    expect(outputSqnr(source[output]!, answer[output]!)).toBeGreaterThan(30);
  expect(fs.statSync(target).size).toBeLessThan(fs.statSync(SAMPLE).size / 2);
  await dialog.getByRole('button', { name: 'Verify it now' }).click();
  await expect(dialog.getByRole('region', { name: 'Outputs in onnxruntime' })).toContainText(
    'softmax_0.tmp_0',
  );
  expect(app.complaints).toEqual([]);
});

test('a failing export keeps its dialog open and says why', async ({ open }) => {
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);
  await app.answerSave(SAMPLE);
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog', { name: /^Export / });
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('is the model itself');
});

test('cancel in the middle of an export leaves nothing behind', async ({ open, folder }) => {
  const file = path.join(folder, 'big.onnx');
  const noise = new Uint8Array(Float32Array.from(randomValues(2048 * 2048, 3)).buffer);
  writeBigModel(file, 16, 2048, 2048, () => noise);
  const app = await open(file);
  const { page } = app;
  await expect(page.getByRole('grid', { name: 'Layers' })).toHaveAttribute('aria-rowcount', '17');
  const output = path.join(folder, 'output');
  fs.mkdirSync(output);
  await app.answerSave(path.join(output, 'big.int8.onnx'));
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog', { name: /^Export / });
  // The page itself clicks the moment that it can: the way from here may take as long as the export.
  await page.evaluate(() => {
    const observer = new MutationObserver(() => {
      const bar = document.querySelector('[role=dialog] [role=progressbar]');
      const cancel = [...document.querySelectorAll<HTMLElement>('[role=dialog] button')].find(
        ({ textContent }) => textContent?.trim() === 'Cancel',
      );
      if (bar === null || cancel === undefined) return;
      observer.disconnect();
      cancel.click();
    });
    observer.observe(document.body, { childList: true, subtree: true });
  });
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(page.getByText('Writing big.int8.onnx cancelled')).toBeAttached();
  expect(fs.readdirSync(output)).toEqual([]);
  await expect(dialog.getByRole('button', { name: 'Export', exact: true })).toBeEnabled();
});

test('when the engine is killed the window says so, and reopening goes on where it was', async ({
  launch,
}) => {
  const app = await launch([SAMPLE]);
  const { page } = app;
  await figuresSettle(app);
  await page.getByLabel('dtype of A', { exact: true }).selectOption('float16');
  await figuresSettle(app);
  const engines = await enginePids(app);
  expect(engines).toHaveLength(1);
  process.kill(engines[0]!, 'SIGKILL');
  const alert = page.getByRole('alert').filter({ hasText: 'the engine stopped' }).first();
  await expect(alert).toBeVisible();
  await alert.getByRole('button', { name: 'Reopen' }).click();
  await expect(alert).toBeHidden();
  await figuresSettle(app);
  await expect(page.getByLabel('dtype of A', { exact: true })).toHaveValue('float16');
  await page.getByLabel('dtype of A', { exact: true }).selectOption('int8');
  await figuresSettle(app);
  await expect(page.getByRole('group', { name: 'Totals of A' })).toHaveText(/dB/);
});

test('a file that another took the place of meanwhile is reopened as what it is now', async ({
  launch,
  folder,
}) => {
  const file = path.join(folder, 'replaced.onnx');
  fs.copyFileSync(SAMPLE, file);
  const app = await launch([file]);
  const { page } = app;
  await figuresSettle(app);
  fs.copyFileSync(DETECTOR, file);
  process.kill((await enginePids(app))[0]!, 'SIGKILL');
  await page.getByRole('alert').getByRole('button', { name: 'Reopen' }).first().click();
  const grid = page.getByRole('grid', { name: 'Layers' });
  await expect(grid).toHaveAttribute('aria-rowcount', String(countWeights(DETECTOR) + 1));
  await figuresSettle(app);
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(page.getByRole('group', { name: 'Totals of A' })).toHaveText(/dB/);
});

test('a file that is no model is refused in one sentence, and what was open stays', async ({
  open,
  folder,
}) => {
  const bad = path.join(folder, '<img src=x onerror=alert(1)>.onnx');
  fs.writeFileSync(bad, 'version https://git-lfs.github.com/spec/v1\n');
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);
  await app.answerOpen(bad);
  await page.getByRole('button', { name: 'Open…' }).click();
  await expect(page.getByRole('alert')).toContainText('Git LFS pointer');
  await expect(page.getByRole('alert')).toContainText('<img src=x');
  await expect(page.getByRole('heading', { name: path.basename(SAMPLE) })).toBeVisible();
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Page } from '@playwright/test';
import { root } from '../helpers/root.ts';
import { torchLstm } from '../helpers/torch-lstm.ts';
import { expect, figuresSettle, SAMPLE, test } from './app.ts';

const SHOTS = process.env['QUANTSCOPE_SHOTS'];

/** A picture of the window in a folder, where one is named. */
async function shot(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return;
  for (const [width, height] of [
    [1280, 800],
    [1024, 640],
  ] as const)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(250);
      await page.screenshot({ path: path.join(SHOTS, `${name}-${width}-${colorScheme}.png`) });
    }
  await page.setViewportSize({ width: 1280, height: 800 });
}

test('a folder of pictures calibrates the model, and its static export runs on integers', async ({
  open,
  folder,
}) => {
  test.setTimeout(180_000);
  const pictures = path.join(folder, 'pictures');
  fs.mkdirSync(pictures);
  for (const size of ['256x256', '128x128', '64x64', '48x48'])
    fs.copyFileSync(
      path.join(root, `build/icons/png/${size}.png`),
      path.join(pictures, `icon-${size}.png`),
    );
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);

  // Choosing the mode says what it needs.
  await page.getByLabel('Export mode').selectOption('static');
  const needs = page.getByRole('note').filter({ hasText: 'Static needs samples' });
  await expect(needs).toContainText('Until then the figures are those of QDQ');
  await shot(page, 'needs');
  await page.getByRole('button', { name: 'Export…', exact: true }).click();
  const exporting = page.getByRole('dialog', { name: /^Export / });
  await expect(exporting.getByRole('button', { name: 'Export', exact: true })).toBeDisabled();
  await expect(exporting.getByRole('note')).toContainText('calibrate the model first');
  await shot(page, 'export-needs');
  await exporting.getByRole('button', { name: 'Calibrate…' }).click();

  // The dialog shows what it understood before anything runs.
  const dialog = page.getByRole('dialog', { name: 'Calibrate' });
  await dialog.getByRole('button', { name: 'Random' }).click();
  await expect(dialog.getByRole('note')).toContainText('not representative');
  await app.answerOpen(pictures);
  await dialog.getByRole('button', { name: 'Folder…' }).click();
  const understood = dialog.getByRole('region', { name: 'What was understood' });
  await expect(understood).toContainText('4 of 4 samples', { timeout: 30_000 });
  await expect(understood.getByRole('listitem')).toHaveCount(4);
  await expect(understood.getByRole('row').last()).toContainText('the files');
  await understood.getByLabel('Resize').selectOption('stretch');
  await expect(understood.getByLabel('Resize')).toHaveValue('stretch');
  await expect(understood).toContainText('4 of 4 samples', { timeout: 30_000 });
  await shot(page, 'calibrate');
  await dialog.getByRole('button', { name: 'Calibrate', exact: true }).click();
  await expect(dialog.getByRole('status')).toContainText('Calibrated on 4 samples', {
    timeout: 60_000,
  });
  await shot(page, 'calibrated');

  // Ranges are kept in a file, which stands in for samples.
  const ranges = path.join(folder, 'model.ranges.json');
  await app.answerSave(ranges);
  await dialog.getByRole('button', { name: 'Save ranges…' }).click();
  await expect.poll(() => fs.existsSync(ranges)).toBe(true);
  await app.answerOpen(ranges);
  await dialog.getByRole('button', { name: 'Open ranges…' }).click();
  await expect(dialog.getByRole('status')).toContainText('Calibrated on 4 samples');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await figuresSettle(app);
  await expect(needs).toBeHidden();
  // What was found can be saved later as well.
  await page.getByRole('button', { name: 'Calibrate…' }).click();
  await expect(dialog.getByRole('button', { name: 'Save ranges…' })).toBeVisible();
  await dialog.getByRole('button', { name: 'Cancel' }).click();

  // Layers and Inspector show activations.
  const grid = page.getByRole('grid', { name: 'Layers' });
  await expect(
    grid.getByRole('columnheader', { name: 'Observed range of the output' }),
  ).toBeVisible();
  await page.getByLabel('Role', { exact: true }).selectOption('all');
  await page.getByLabel('Filter layers').fill('batch_norm_0.w_0');
  await expect(
    grid.getByTitle(/^Not in the export: folded into Conv p2o\.Conv\.0/).first(),
  ).toBeVisible();
  await page.getByLabel('Filter layers').fill('');
  await page.getByLabel('Role', { exact: true }).selectOption('weights');
  await grid.getByRole('row').nth(2).click();
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  const chart = inspector.getByRole('group', {
    name: /^Histogram of .* values of .* over 4 samples/,
  });
  await expect(chart).toBeVisible();
  const high = inspector.getByRole('slider', { name: "High end of the activation's range in A" });
  const before = Number(await high.getAttribute('aria-valuenow'));
  await shot(page, 'layers');

  // A lane is clicked, then an end is moved: each is a rule of the operator.
  await chart.getByText('entropy', { exact: true }).click({ force: true });
  await expect(page.getByRole('button', { name: 'Rules of A' })).toHaveText('1 rule');
  await expect
    .poll(async () => Number(await high.getAttribute('aria-valuenow')))
    .toBeLessThan(before * 0.9);
  await high.press('Shift+ArrowLeft');
  await page.getByRole('button', { name: 'Rules of A' }).click();
  await expect(page.getByRole('dialog', { name: 'Rules of A' })).toContainText('by hand');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Activations of B', exact: true }).click();
  const scheme = page.getByRole('dialog', { name: 'Activations of B' });
  await scheme.getByLabel('dtype').selectOption('int8');
  await expect(scheme.getByLabel('Biases')).toHaveValue('corrected');
  await shot(page, 'activations');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Activations of B', exact: true })).toHaveText(
    'int8 p 99.99',
  );
  await figuresSettle(app);

  // The export says what stays in float; verified, it runs on integers.
  const out = path.join(folder, 'static.onnx');
  await app.answerSave(out);
  await page.getByRole('button', { name: 'Export…', exact: true }).click();
  const float = exporting.getByRole('region', { name: 'On integers' });
  await expect(float).toContainText(/\d+ of \d+ operators, \d+ activations quantized/);
  await expect(float).toContainText('as no integer kernel of it gains anything');
  await shot(page, 'export');
  await exporting.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(exporting.getByRole('status')).toContainText('Exported: static.onnx', {
    timeout: 60_000,
  });
  expect(fs.statSync(out).size).toBeLessThan(fs.statSync(SAMPLE).size);
  await exporting.getByRole('button', { name: 'Verify it now' }).click();
  const outputs = exporting.getByRole('region', { name: 'Outputs in onnxruntime' });
  await expect(outputs).toContainText(/\d+ work on integers/, { timeout: 60_000 });
  // On the folder that the model was calibrated on.
  await expect(outputs).toContainText('4 samples');
  await shot(page, 'verified');
  await page.keyboard.press('Escape');

  // Run starts in the mode whose plan is shown. An export without a part is left out of it, without an alert.
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const run = page.getByRole('main', { name: 'Run' });
  await expect(run.getByLabel('Mode of A')).toHaveValue('static');
  await run.getByLabel('Mode of B').selectOption('qdq');
  const errors = run.getByRole('region', { name: 'Error by layer' });
  await errors.getByRole('button', { name: 'Activations' }).click();
  await expect(errors.getByRole('note')).toContainText(
    'Left out: mode QDQ has no activations that can be measured alone.',
    { timeout: 60_000 },
  );
  await expect(errors.getByRole('alert')).toHaveCount(0);
  await expect(errors.getByRole('table')).toBeVisible();
  await shot(page, 'parts');
  await page.getByRole('button', { name: 'Layers', exact: true }).click();

  // Codes of GPTQ wait for samples as well, in a mode that leaves activations in float.
  await page.getByLabel('Export mode').selectOption('nbits');
  await page.getByLabel('Recipe of A', { exact: true }).selectOption('int4-gptq');
  const nearest = page.getByRole('note').filter({ hasText: 'rounded to nearest' });
  await shot(page, 'gptq-needs');
  await page.getByRole('button', { name: 'Export…', exact: true }).click();
  await expect(exporting.getByRole('note').first()).toContainText('rounded to nearest');
  await shot(page, 'gptq-export');
  await page.keyboard.press('Escape');
  await nearest.getByRole('button', { name: 'Calibrate…' }).click();
  await dialog.getByRole('button', { name: 'Calibrate', exact: true }).click();
  await expect(dialog.getByRole('status')).toContainText(/inputs of \d+ weights observed/, {
    timeout: 60_000,
  });
  await shot(page, 'gptq-calibrated');
  await dialog.getByRole('button', { name: 'Done' }).click();
  await figuresSettle(app);
  await expect(nearest).toBeHidden();
  await expect(grid.getByText(/GPTQ/).first()).toBeVisible();
  await page.getByRole('button', { name: 'Export…', exact: true }).click();
  await exporting.getByLabel('MatMulNBits computes in').selectOption('4');
  await expect(exporting.getByLabel('MatMulNBits computes in')).toHaveValue('4');
  await shot(page, 'arithmetic');
  await page.keyboard.press('Escape');
  await shot(page, 'gptq');
  expect(app.complaints).toEqual([]);
});

test('a recipe that prepares the model shows, measures and exports the weights that preparing makes', async ({
  open,
  folder,
}) => {
  const file = path.join(folder, 'lstm.onnx');
  fs.writeFileSync(file, torchLstm());
  const app = await open(file);
  const { page } = app;
  await figuresSettle(app);
  const grid = page.getByRole('grid', { name: 'Layers' });
  const made = grid.getByRole('row').filter({ hasText: 'lstm (R)' });
  await expect(made).toHaveCount(0);

  await page.getByRole('button', { name: 'Export…', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: /^Export / });
  const prepare = dialog.getByRole('checkbox', { name: /^Prepare the model/ });
  await expect(prepare).not.toBeChecked();
  await prepare.check();
  await expect(dialog).toContainText(
    /Prepared: 11 operators became 1, 2 constants computed in advance.*The prepared copy differs from the source by float rounding/,
  );
  await shot(page, 'prepared-export');
  const out = path.join(folder, 'lstm.int8.onnx');
  await app.answerSave(out);
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(dialog.getByRole('status')).toContainText('Exported', { timeout: 30_000 });
  expect(fs.readFileSync(out).includes('"prepare":true')).toBe(true);

  // What Verify finds comes into view in a low window, the second time as well.
  await page.setViewportSize({ width: 1024, height: 640 });
  const outputs = dialog.getByRole('region', { name: 'Outputs in onnxruntime' });
  for (let time = 0; time < 2; time++) {
    await dialog.getByRole('radiogroup', { name: 'Mode' }).scrollIntoViewIfNeeded();
    await dialog.getByRole('button', { name: 'Verify it now' }).click();
    await expect(dialog.getByRole('button', { name: 'Verify it now' })).toBeVisible();
    await expect(outputs.getByRole('row').nth(1)).toBeInViewport({ ratio: 1 });
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await dialog.getByRole('button', { name: 'Done' }).click();

  // Only A prepares: it has R, in which the source's weight is gone, and B has the source's.
  await expect(page.getByText('Prepared: A', { exact: true })).toBeVisible();
  await figuresSettle(app);
  await expect(made).toHaveCount(1);
  await made.click();
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  await expect(inspector).toContainText(
    'One recipe prepares the model, or equalizes its weights, and the other does not',
  );
  await expect(inspector).toContainText('levels');
  await shot(page, 'prepared-layers');
  expect(app.complaints).toEqual([]);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { findPreset } from '../../shared/presets.ts';
import { readModel } from '../../electron/engine/formats/litert/read/read-model.ts';
import { PagedBytes } from '../../electron/engine/formats/litert/read/paged-bytes.ts';
import { typeName } from '../../electron/engine/formats/litert/read/tensor-types.ts';
import { FileSource } from '../../electron/engine/source.ts';
import { root } from '../helpers/root.ts';
import { LITERT_MODELS } from '../helpers/litert-models.ts';
import { expect, figuresSettle, test } from './app.ts';

test('a MediaPipe model opens, is compared and exported in dynamic range, and the export shows its scales', async ({
  open,
  folder,
}) => {
  const app = await open(LITERT_MODELS.selfie);
  const { page } = app;
  await expect(
    page.getByRole('heading', { name: path.basename(LITERT_MODELS.selfie) }),
  ).toBeVisible();
  await expect(page.getByRole('banner')).toContainText('LiteRT');
  await page.getByLabel('Recipe of A', { exact: true }).selectOption('litert-dynamic');
  await page.getByLabel('Recipe of B', { exact: true }).selectOption('int8-tensor');
  await figuresSettle(app);
  const row = page.getByRole('row').filter({ hasText: '72×1×1×16' }).first();
  await expect(row).toContainText('CONV_2D');
  await expect(row).toContainText('int8 channel');
  await expect(row).toContainText('int8 tensor');
  await row.click();
  await expect(page.getByRole('complementary')).toContainText('72×1×1×16');
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  await expect(page.getByRole('group', { name: 'Totals of B' })).toHaveText(/dB/);
  const out = path.join(folder, 'selfie.tflite');
  await app.answerSave(out);
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog', { name: /^Export / });
  await expect(dialog.getByRole('radiogroup', { name: 'Mode' }).getByRole('radio')).toHaveCount(4);
  await dialog.getByRole('radio', { name: /^Dynamic/ }).check();
  await expect(dialog.getByLabel('File')).toHaveValue('selfie_segmentation.litert-dynamic.tflite');
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(dialog.getByRole('status')).toHaveText('Exported: selfie.tflite');
  await dialog.getByRole('button', { name: 'Verify it now' }).click();
  const verified = dialog.getByRole('region', { name: 'Outputs in LiteRT' });
  await expect(verified.getByRole('row').nth(1)).toContainText('activation_10', {
    timeout: 60_000,
  });
  await expect(verified).toContainText('LiteRT runs in WebAssembly on one thread here');
  await expect(dialog.getByRole('status')).toHaveText(
    "Exported: selfie.tflite, but its outputs differ visibly from the original's on random inputs",
  );
  // So long a sentence leaves its buttons within the dialog.
  const foot = page.locator('.dialog-foot');
  expect(await foot.evaluate((each) => each.scrollWidth - each.clientWidth)).toBe(0);
  await dialog.getByRole('button', { name: 'Done' }).click();
  expect(fs.statSync(out).size).toBeLessThan(0.75 * fs.statSync(LITERT_MODELS.selfie).size);
  await app.answerOpen(out);
  await page.getByRole('button', { name: 'Open…' }).click();
  await figuresSettle(app);
  await expect(page.getByRole('heading', { name: 'selfie.tflite' })).toBeVisible();
  const kept = page.getByRole('row').filter({ hasText: '72×1×1×16' }).first();
  await expect(kept).toContainText('int8 kept');
  await kept.click();
  await expect(page.getByRole('complementary')).toContainText('This tensor is already quantized');
  expect(app.complaints).toEqual([]);
});

/** The types of a model's inputs and outputs. */
function borderTypes(file: string): readonly string[] {
  const source = FileSource.open(file);
  try {
    const { inputs, outputs, tensors } = readModel(new PagedBytes(source)).graphs[0]!;
    return [...inputs, ...outputs].map((tensor) => typeName(tensors[tensor]!.type));
  } finally {
    source.close();
  }
}

test('pictures calibrate a LiteRT model, and its full integer export is verified in LiteRT', async ({
  open,
  folder,
}) => {
  test.setTimeout(180_000);
  const pictures = path.join(folder, 'faces');
  fs.mkdirSync(pictures);
  for (const size of ['128x128', '64x64'])
    fs.copyFileSync(
      path.join(root, `build/icons/png/${size}.png`),
      path.join(pictures, `icon-${size}.png`),
    );
  const app = await open(LITERT_MODELS.faceShort);
  const { page } = app;
  await figuresSettle(app);
  await page.getByLabel('Recipe of A', { exact: true }).selectOption('litert-full-integer');
  await page.getByLabel('Export mode').selectOption('static');
  await page.getByRole('button', { name: 'Calibrate…' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Calibrate' });
  await app.answerOpen(pictures);
  await dialog.getByRole('button', { name: 'Folder…' }).click();
  await expect(dialog).toContainText('2 of 2 samples', { timeout: 30_000 });
  await dialog.getByRole('button', { name: 'Calibrate', exact: true }).click();
  await expect(dialog.getByRole('status')).toContainText('Calibrated on 2 samples', {
    timeout: 90_000,
  });
  await dialog.getByRole('button', { name: 'Done' }).click();
  await figuresSettle(app);
  const first = page.getByRole('grid', { name: 'Layers' }).getByRole('row').nth(2);
  await expect(first).toContainText('conv2d');
  await expect(first).toContainText('int8');
  const out = path.join(folder, 'face.tflite');
  await app.answerSave(out);
  await page.getByRole('button', { name: 'Export…', exact: true }).click();
  const exporting = page.getByRole('dialog', { name: /^Export / });
  await exporting.getByLabel('Inputs and outputs').selectOption('uint8');
  await exporting.getByLabel('Integer operators only').check();
  await exporting.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(exporting.getByRole('status')).toHaveText('Exported: face.tflite');
  expect(borderTypes(out)).toEqual(['UINT8', 'UINT8', 'UINT8']);
  await exporting.getByRole('button', { name: 'Verify it now' }).click();
  const verified = exporting.getByRole('region', { name: 'Outputs in LiteRT' });
  await expect(verified).toContainText('regressors', { timeout: 60_000 });
  expect(fs.statSync(out).size).toBeLessThan(0.85 * fs.statSync(LITERT_MODELS.faceShort).size);
  await exporting.getByRole('button', { name: 'Done' }).click();

  // An operator in float is refused, and said.
  const recipe = path.join(folder, 'reshape.json');
  const rules = [{ match: { op: 'RESHAPE' }, activations: null }];
  fs.writeFileSync(recipe, JSON.stringify({ ...findPreset('litert-full-integer'), rules }));
  await app.answerOpen(recipe);
  await page.getByRole('button', { name: 'Recipe A: open, save, copy, swap' }).click();
  await page.getByRole('menuitem', { name: 'Open a recipe as A…' }).click();
  const refused = path.join(folder, 'refused.tflite');
  await app.answerSave(refused);
  await page.getByRole('button', { name: 'Export…', exact: true }).click();
  await exporting.getByLabel('Integer operators only').check();
  await exporting.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(exporting.getByRole('alert')).toContainText('RESHAPE: kept in float by a rule');
  expect(fs.existsSync(refused)).toBe(false);
  expect(app.complaints).toEqual([]);
});

test('the Run view runs a LiteRT model and its quantized copies in LiteRT', async ({ open }) => {
  const app = await open(LITERT_MODELS.faceShort);
  const { page } = app;
  await figuresSettle(app);
  await page.getByLabel('Recipe of A', { exact: true }).selectOption('litert-dynamic');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const run = page.getByRole('main', { name: 'Run' });
  await expect(run).toContainText('in LiteRT on the same inputs');
  await page.getByLabel('Mode of A').selectOption('dynamic');
  await run.getByRole('button', { name: /^Run A/ }).click();
  const outputs = run.getByRole('region', { name: 'Outputs' });
  await expect(outputs).toContainText('regressors');
  await expect(outputs).toContainText('classificators');
  const answers = run.getByRole('region', { name: 'Answers', exact: true });
  await expect(answers.getByLabel('Input input')).toBeVisible();
  await answers.getByLabel('Show regressors as').selectOption('Boxes');
  await expect(answers.getByLabel(/^A: \d+ boxes/)).toBeVisible();
  await expect(run.getByRole('region', { name: 'Time' })).toBeVisible();
  // LiteRT does not tell which kernels it runs.
  await expect(run.getByRole('region', { name: 'Kernels' })).toHaveCount(0);
  expect(app.complaints).toEqual([]);
});

test('a model with sparse weights opens, and says why it leaves them alone', async ({ open }) => {
  const app = await open(LITERT_MODELS.faceSparse);
  await figuresSettle(app);
  const row = app.page.getByRole('row').filter({ hasText: '8×1×1×32' }).first();
  await row.click();
  await expect(app.page.getByRole('complementary')).toContainText('sparse');
  expect(app.complaints).toEqual([]);
});

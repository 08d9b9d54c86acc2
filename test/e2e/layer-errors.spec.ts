import * as fs from 'node:fs';
import * as path from 'node:path';
import { plantedModel } from '../helpers/onnx-model.ts';
import { expect, figuresSettle, test } from './app.ts';

/** The file of a model with one layer that breaks it. */
function planted(folder: string): string {
  const file = path.join(folder, 'planted.onnx');
  fs.writeFileSync(file, plantedModel());
  return file;
}

test('the layer that breaks a model is found in the chart, kept in float, and the model measured again', async ({
  open,
  folder,
}) => {
  const app = await open(planted(folder));
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const section = page.getByRole('main', { name: 'Run' }).getByRole('region', {
    name: 'Error by layer',
  });
  await section.getByRole('button', { name: 'Measure layers' }).click();
  const guilty = section.getByRole('row').filter({ has: page.getByTitle('Show in Layers') });
  const ofA = guilty.filter({ has: page.getByRole('button', { name: 'in float in A' }) });
  await expect(ofA).toHaveCount(1, { timeout: 30_000 });
  await expect(ofA.getByRole('rowheader')).toContainText('planted');
  expect(parseFloat((await ofA.getByRole('cell').nth(2).textContent())!)).toBeLessThan(15);
  await expect(section.getByRole('group', { name: /jump of .* dB at planted/ })).toBeVisible();
  await guilty.getByRole('button', { name: 'Use int16 for planted in B' }).click();
  await expect(section).toContainText('before the last change');
  await page.keyboard.press('Control+z');
  await expect(section).not.toContainText('before the last change');
  await ofA.getByRole('button', { name: 'Keep planted in float in A' }).click();
  await expect(section).toContainText('before the last change');
  await section.getByRole('button', { name: 'Measure again' }).click();
  // What is left is the jump of B, whose recipe still quantizes it.
  await expect(ofA).toHaveCount(0, { timeout: 30_000 });
  await expect(section).not.toContainText('before the last change');

  await guilty.first().getByTitle('Show in Layers').click();
  const grid = page.getByRole('grid', { name: 'Layers' });
  const row = grid.getByRole('row', { selected: true });
  await expect(row).toContainText('planted');
  await expect(row).toContainText('kept');
  const head = { name: 'Accumulated output error under B, dB' };
  await grid.getByRole('columnheader', head).getByRole('button').click();
  await expect(grid.getByRole('row').nth(1)).toBeVisible();
  await page.getByRole('button', { name: /^Undo: keep 1 layer in float of A/ }).click();
  await expect(row).not.toContainText('kept');
  // The same from the Inspector, and from the table for several layers.
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  await inspector.getByRole('button', { name: 'Use int16' }).click();
  await expect(row).toContainText('int16');
  await expect(inspector.getByRole('button', { name: 'Use int16' })).toHaveCount(0);
  await inspector.getByRole('button', { name: 'Keep in float' }).click();
  await expect(row).toContainText('kept');
  await grid.getByRole('row').nth(1).click();
  await grid.press('Control+a');
  await page.getByRole('main', { name: 'Layers' }).getByLabel('Use int16').first().click();
  await expect(
    page.getByRole('button', { name: /^Undo: use int16 for \d layers of A/ }),
  ).toBeVisible();
  expect(app.complaints).toEqual([]);
});

test('a budget by outputs spends its bytes on the layer that breaks the model', async ({
  open,
  folder,
}) => {
  const app = await open(planted(folder));
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Budget', exact: true }).click();
  const main = page.getByRole('main', { name: 'Budget' });
  await expect(main).toContainText('SQNR of the weights');
  await main.getByRole('button', { name: 'By outputs' }).click();
  // The plan by weights is no plan for the outputs.
  await expect(main.getByRole('button', { name: 'Use as A' })).toBeDisabled();
  await expect(main).toContainText('SQNR of the outputs, estimated', { timeout: 60_000 });
  const rows = main.getByRole('region', { name: 'Sensitivity' }).getByRole('row');
  const finer = /int16|float16|kept/;
  await expect(rows.filter({ hasText: 'planted' })).toContainText(finer);
  await expect(rows.filter({ hasText: finer })).toHaveCount(1);
  // All but it: no layer of the plan stands out any more.
  const list = main.getByRole('region', { name: 'Sensitivity' });
  await list.getByRole('button', { name: 'Leave each out' }).click();
  await expect(list.getByRole('columnheader', { name: 'Gain, dB' })).toBeVisible({
    timeout: 60_000,
  });
  await main.getByRole('button', { name: 'Use as A' }).click();
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Layers', exact: true }).click();
  await expect(page.getByRole('row').filter({ hasText: 'planted' })).toContainText(
    /int16|float16|float32/,
  );
  expect(app.complaints).toEqual([]);
});

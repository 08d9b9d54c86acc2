import * as fs from 'node:fs';
import * as path from 'node:path';
import { root } from '../helpers/root.ts';
import { expect, figuresSettle, SAMPLE, test, type App } from './app.ts';
import { violations } from './axe.ts';

/** Chooses a command of the menu bar by its id. */
async function chooseInMenu({ electron }: App, id: string): Promise<void> {
  await electron.evaluate(({ Menu }, name) => {
    const item = Menu.getApplicationMenu()!.getMenuItemById(name)!;
    (item.click as () => void)();
  }, id);
}

const faults = ({ page }: App): Promise<string[]> => violations(page, { part: '[role=dialog]' });

test('About names the versions and has every licence in full', async ({ open }) => {
  const app = await open();
  await expect(app.page.getByRole('heading', { name: 'Quantscope' })).toBeVisible();
  await chooseInMenu(app, 'about');
  const dialog = app.page.getByRole('dialog', { name: 'About Quantscope' });
  const read = (file: string): { version: string } =>
    JSON.parse(fs.readFileSync(path.join(root, file), 'utf8')) as { version: string };
  await expect(dialog).toContainText(`Quantscope ${read('package.json').version}`);
  await expect(dialog).toContainText(
    `onnxruntime ${read('node_modules/onnxruntime-node/package.json').version}`,
  );
  const electron = await app.electron.evaluate(() => process.versions['electron'] ?? '');
  await expect(dialog).toContainText(`Electron ${electron}`);
  const licences = await dialog.getByLabel('Licence texts').textContent();
  const built = fs.readFileSync(path.join(root, 'dist/renderer/licences.txt'), 'utf8');
  expect(licences).toBe(built);
  expect(built.length).toBeGreaterThan(100_000);
  expect(await faults(app)).toEqual([]);
  await app.page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  expect(app.complaints).toEqual([]);
});

test('the dialogs that keys open work beside a model', async ({ open }) => {
  const app = await open(SAMPLE);
  await figuresSettle(app);
  await test.step('? and F1 show the shortcuts; ? is typed in the filter', async () => {
    const { page } = app;
    const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await page.keyboard.press('F1');
    await expect(dialog.getByRole('region', { name: 'File' })).toContainText('Export… Ctrl+E');
    expect(await faults(app)).toEqual([]);
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
    await page.keyboard.press('/');
    await page.keyboard.type('?');
    await expect(page.getByLabel('Filter layers')).toHaveValue('?');
    await expect(dialog).toBeHidden();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Layers', exact: true }).focus();
    await page.keyboard.press('?');
    await expect(dialog).toBeVisible();
  });
  await test.step('Properties shows what the file declares, by Ctrl+I', async () => {
    const { page } = app;
    await page.keyboard.press('Control+i');
    const dialog = page.getByRole('dialog', { name: /^Properties of / });
    await expect(dialog.getByRole('table', { name: 'Inputs' })).toContainText(
      'xfloat32p2o.DynamicDimension.0 × 3 × ',
    );
    await expect(dialog.getByRole('table', { name: 'Outputs' })).toContainText('softmax_0.tmp_0');
    await expect(dialog).toContainText('Opsets ai.onnx 9');
    expect(await faults(app)).toEqual([]);
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
    expect(app.complaints).toEqual([]);
  });
  await test.step('the palette finds a command by what is typed, and Enter runs it', async () => {
    const { page } = app;
    const palette = page.getByRole('dialog', { name: 'All commands' });
    await page.keyboard.press('Control+k');
    await expect(palette.getByRole('option', { name: 'Export…' })).toBeVisible();
    expect(await faults(app)).toEqual([]);
    await page.keyboard.type('budg');
    await page.keyboard.press('Enter');
    await expect(palette).toBeHidden();
    await expect(page.getByRole('main', { name: 'Budget' })).toBeVisible();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('keyboard');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.keyboard.type('no such command');
    await expect(palette).toContainText('No command matches.');
    expect(app.complaints).toEqual([]);
  });
});

test('the palette offers nothing that needs a model without one', async ({ open }) => {
  const { page } = await open();
  await expect(page.getByRole('heading', { name: 'Quantscope' })).toBeVisible();
  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog', { name: 'All commands' });
  await expect(palette.getByRole('option', { name: 'Open…' })).toBeVisible();
  await expect(palette.getByRole('option', { name: 'Export…' })).toHaveCount(0);
  await expect(palette.getByRole('option', { name: 'Show Budget' })).toHaveCount(0);
});

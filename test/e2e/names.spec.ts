import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Page } from '@playwright/test';
import { floatTensor, model, node, randomValues, value } from '../helpers/onnx-model.ts';
import { DETECTOR, expect, figuresSettle, SAMPLE, test, type App } from './app.ts';

/** Two layers whose weights have names that say nothing, as exporters write them. */
function writeNamed(file: string): void {
  const weight = (name: string, seed: number) =>
    floatTensor(name, [64, 64], randomValues(64 * 64, seed));
  fs.writeFileSync(
    file,
    model({
      node: [
        node('MatMul', ['x', 'onnx::MatMul_11'], ['h'], { name: '/encoder/query/MatMul' }),
        node('MatMul', ['h', 'onnx::MatMul_12'], ['y'], { name: '/encoder/key/MatMul' }),
      ],
      initializer: [weight('onnx::MatMul_11', 1), weight('onnx::MatMul_12', 2)],
      input: [value('x', ['n', 64])],
      output: [value('y', ['n', 64])],
    }),
  );
}

async function openNamed(open: (file: string) => Promise<App>, folder: string): Promise<App> {
  const file = path.join(folder, 'named.onnx');
  writeNamed(file);
  const app = await open(file);
  await figuresSettle(app);
  return app;
}

const row = (page: Page, name: string) => page.getByRole('row').filter({ hasText: name });

async function keepFirst(page: Page): Promise<void> {
  await row(page, '/encoder/query').click();
  await page.getByRole('button', { name: 'Set scheme…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Scheme of 1 layer' });
  await dialog.getByLabel('dtype').selectOption('keep');
  await dialog.getByRole('button', { name: 'Set scheme' }).click();
}

test('a layer has one name in the table, the Inspector, undo, rules and Budget; its tensor is copied', async ({
  open,
  folder,
}) => {
  const app = await openNamed(open, folder);
  const { page } = app;
  await keepFirst(page);
  await expect(
    page.getByRole('button', { name: 'Undo: scheme of /encoder/query/MatMul of A' }),
  ).toBeEnabled();
  await page.getByRole('button', { name: 'Rules of A' }).click();
  const rules = page.getByRole('dialog', { name: 'Rules of A' });
  await expect(rules.getByRole('row')).toContainText('/encoder/query/MatMul');
  await page.keyboard.press('Escape');
  const inspector = page.getByRole('complementary', { name: 'Inspector' });
  await expect(inspector.getByRole('heading')).toHaveText('/encoder/query/MatMul');
  await expect(inspector).toContainText('onnx::MatMul_11');
  await inspector.getByRole('button', { name: "Copy the tensor's name" }).click();
  expect(await app.electron.evaluate(({ clipboard }) => clipboard.readText())).toBe(
    'onnx::MatMul_11',
  );
  await page.getByRole('button', { name: 'Budget', exact: true }).click();
  const list = page.getByRole('group', { name: 'Layers by their share of the error' });
  await expect(list).toContainText('/encoder/key/MatMul', { timeout: 30_000 });
  await expect(list).not.toContainText('onnx::');
});

test('a rule matches layers by their name', async ({ open, folder }) => {
  const { page } = await openNamed(open, folder);
  await page.getByRole('button', { name: 'Rules of A' }).click();
  const rules = page.getByRole('dialog', { name: 'Rules of A' });
  await rules.getByLabel('Match by').selectOption('layer');
  await rules.getByLabel('Pattern').fill('key/MatMul$');
  await expect(rules.getByRole('status')).toContainText('Matches 1 weight.');
  await rules.getByRole('button', { name: 'Add' }).click();
  await expect(rules.getByRole('row')).toContainText('layer key/MatMul$');
  await page.keyboard.press('Escape');
  await expect(row(page, '/encoder/key').getByRole('gridcell', { name: 'float16' })).toBeVisible();
});

test('the Layer column is resized by pointer and by keys, and fitted again', async ({ open }) => {
  const app = await open(DETECTOR);
  const { page } = app;
  await figuresSettle(app);
  const handle = page.getByRole('separator', { name: 'Width of the Layer column' });
  const width = async (): Promise<number> => Number(await handle.getAttribute('aria-valuenow'));
  const before = await width();
  await handle.press('ArrowRight');
  expect(await width()).toBe(before + 8);
  await handle.press('ArrowLeft');
  const { x, y } = (await handle.boundingBox())!;
  await page.mouse.move(x + 4, y + 4);
  await page.mouse.down();
  await page.mouse.move(x + 64, y + 4);
  await page.mouse.up();
  expect(await width()).toBe(before + 60);
  await handle.dblclick();
  expect(await width()).toBe(before);
});

test('rules made for a model go when another is opened, and are back with it after a restart', async ({
  launch,
  folder,
}) => {
  const profile = path.join(folder, 'profile');
  const named = path.join(folder, 'named.onnx');
  writeNamed(named);
  const first = await launch([named], profile);
  await figuresSettle(first);
  await keepFirst(first.page);
  await expect(first.page.getByRole('button', { name: 'Rules of A' })).toHaveText('1 rule');
  await first.electron.close();
  const app = await launch([named], profile);
  const { page } = app;
  const rules = page.getByRole('button', { name: 'Rules of A' });
  await expect(rules).toHaveText('1 rule');
  await app.answerOpen(SAMPLE);
  await page.getByRole('button', { name: 'Open…' }).click();
  await expect(page.getByRole('heading', { name: path.basename(SAMPLE) })).toBeVisible();
  await expect(rules).toHaveText('Rules');
});

test('rules of a recipe file stay for any model; those that match nothing are marked and go with one click', async ({
  open,
  folder,
}) => {
  const app = await openNamed(open, folder);
  const { page } = app;
  const recipe = path.join(folder, 'mine.json');
  const scheme = { dtype: 'int8', symmetric: true, granularity: 'channel', range: 'minmax' };
  const rules = [
    { match: { layer: 'query' }, scheme: null },
    { match: { op: 'Conv' }, scheme: { dtype: 'int16' } },
  ];
  fs.writeFileSync(recipe, JSON.stringify({ version: 1, name: 'mine', default: scheme, rules }));
  await app.answerOpen(recipe);
  await page.getByRole('button', { name: 'Recipe A: open, save, copy, swap' }).click();
  await page.getByRole('menuitem', { name: 'Open a recipe as A…' }).click();
  const recipeOfA = page.getByLabel('Recipe of A', { exact: true });
  await expect(recipeOfA.locator('option:checked')).toHaveText('mine');
  await app.answerOpen(SAMPLE);
  await page.getByRole('button', { name: 'Open…' }).click();
  await expect(page.getByRole('heading', { name: path.basename(SAMPLE) })).toBeVisible();
  const button = page.getByRole('button', { name: /^Rules of A/ });
  await expect(button).toHaveAccessibleName('Rules of A, 1 rule matches nothing in this model');
  await button.click();
  const dialog = page.getByRole('dialog', { name: 'Rules of A' });
  await expect(dialog.getByRole('row').filter({ hasText: 'layer query' })).toContainText(
    'matches nothing here',
  );
  await dialog.getByRole('button', { name: 'Remove 1 rule that matches nothing' }).click();
  await expect(dialog.getByRole('row')).toHaveCount(1);
  await page.keyboard.press('Escape');
  await recipeOfA.selectOption('int16');
  await expect(button).toHaveText('Rules');
  await page.keyboard.press('Control+z');
  await expect(button).toHaveText('1 rule');
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseRecipe } from '../../shared/recipe-file.ts';
import { expect, figuresSettle, SAMPLE, test, type App } from './app.ts';

async function choose({ page }: App, side: 'A' | 'B', item: string): Promise<void> {
  await page.getByRole('button', { name: `Recipe ${side}: open, save, copy, swap` }).click();
  await page.getByRole('menuitem', { name: item }).click();
}

test('a recipe is saved, opened as B, copied and swapped', async ({ open, folder }) => {
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);
  await page.getByLabel('dtype of A', { exact: true }).selectOption('int16');
  await page.getByLabel('Minimum size of A, in elements').fill('2000');
  await page.keyboard.press('Enter');
  const file = path.join(folder, 'mine.json');
  await app.answerSave(file);
  await choose(app, 'A', 'Save recipe A…');
  await expect.poll(() => fs.existsSync(file)).toBe(true);
  const saved = parseRecipe(JSON.parse(fs.readFileSync(file, 'utf8')));
  expect(saved).toMatchObject({ default: { dtype: 'int16' }, minElements: 2000 });
  fs.writeFileSync(file, JSON.stringify({ ...saved, name: 'mine' }));
  await app.answerOpen(file);
  await choose(app, 'B', 'Open a recipe as B…');
  const recipeOf = (side: string) => page.getByLabel(`Recipe of ${side}`, { exact: true });
  await expect(recipeOf('B').locator('option:checked')).toHaveText('mine');
  await expect(page.getByLabel('dtype of B', { exact: true })).toHaveValue('int16');
  await page.getByLabel('Recipe of A', { exact: true }).selectOption('q7');
  await choose(app, 'A', 'Swap A and B');
  await expect(recipeOf('A').locator('option:checked')).toHaveText('mine');
  await expect(page.getByLabel('dtype of B', { exact: true })).toHaveValue('q7');
  await choose(app, 'B', 'Copy B to A');
  await expect(page.getByLabel('dtype of A', { exact: true })).toHaveValue('q7');
  await page.getByRole('button', { name: /^Undo: copy of B/ }).click();
  await expect(recipeOf('A').locator('option:checked')).toHaveText('mine');
  expect(app.complaints).toEqual([]);
});

test('a file that is no recipe is refused by field, and a dropped recipe becomes A', async ({
  open,
  folder,
}) => {
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);
  const file = path.join(folder, 'wrong.json');
  fs.writeFileSync(file, '{ "version": 1, "name": "x", "default": { "dtype": "int7" } }');
  await app.answerOpen(file);
  await choose(app, 'A', 'Open a recipe as A…');
  await expect(page.getByRole('alert')).toContainText(/wrong\.json, default\.dtype: .*"int7"/);
  await expect(page.getByLabel('dtype of A', { exact: true })).toHaveValue('int8');
  await page.evaluate(() => {
    const recipe = {
      version: 1,
      name: 'dropped',
      default: { dtype: 'float16', symmetric: true, granularity: 'tensor', range: 'minmax' },
    };
    const data = new DataTransfer();
    data.items.add(new File([JSON.stringify(recipe)], 'dropped.json'));
    window.dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
  });
  await expect(page.getByLabel('dtype of A', { exact: true })).toHaveValue('float16');
});

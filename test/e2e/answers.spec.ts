import * as fs from 'node:fs';
import * as path from 'node:path';
import { npyFile } from '../helpers/npy.ts';
import { floats, lineReaderModel, randomValues } from '../helpers/onnx-model.ts';
import { expect, figuresSettle, test } from './app.ts';

const CHARACTERS = 'abcdefghijklmnopqrstuvwxyz';

/** A reader of lines, three lines, and a dictionary that is not named as one. */
function reader(folder: string): { model: string; lines: string; dictionary: string } {
  const model = path.join(folder, 'reader.onnx');
  fs.writeFileSync(model, lineReaderModel(CHARACTERS.length + 2));
  const dictionary = path.join(folder, 'letters.txt');
  fs.writeFileSync(dictionary, [...CHARACTERS].join('\n'));
  const lines = path.join(folder, 'lines');
  fs.mkdirSync(lines);
  for (let at = 0; at < 3; at++) {
    const values = floats(randomValues(24 * 48, at));
    fs.writeFileSync(path.join(lines, `line-${at}.npy`), npyFile('<f4', [1, 3, 8, 48], values));
  }
  return { model, lines, dictionary };
}

test('a line of text is read before and after, with what differs marked, and the choice is kept', async ({
  open,
  folder,
}) => {
  const { model, lines, dictionary } = reader(folder);
  const app = await open(model);
  const { page } = app;
  await figuresSettle(app);
  for (const side of ['A', 'B'])
    await page.getByLabel(`dtype of ${side}`, { exact: true }).selectOption('int4');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const main = page.getByRole('main', { name: 'Run' });
  await app.answerOpen(lines);
  await main.getByRole('button', { name: 'From files…' }).click();
  await main.getByRole('button', { name: 'Run A and B' }).click();
  const answers = main.getByRole('region', { name: 'Answers', exact: true });
  await expect(answers).toContainText('Sample 1 of 3, line-0.npy', { timeout: 30_000 });
  await expect(answers.getByLabel('Input x')).toBeVisible();
  const output = answers.getByRole('region', { name: 'Answer y' });
  await expect(output.getByRole('table', { name: 'Values' })).toBeVisible();

  await output.getByLabel('Show y as').selectOption('Text (CTC)');
  await expect(output.getByRole('note')).toHaveText(/Choose a dictionary/);
  await app.answerOpen(dictionary);
  await output.getByRole('button', { name: 'Dictionary…' }).click();
  const text = output.getByRole('table', { name: 'Texts' });
  await expect(text.getByRole('row')).toHaveCount(4);
  const read = (row: number): Promise<string | null> =>
    text.getByRole('row').nth(row).getByRole('cell').textContent();
  const first = await read(0);
  expect(first).toMatch(/^[a-z ]{20,}$/);
  // B is the same recipe here: both read the same line, the original's in each pair.
  expect(await read(2)).toBe(first);
  expect(await read(3)).toBe(await read(1));
  await expect(output).toContainText(/\d+\.\d.% of \d+ characters, \d of 3 samples the same/);

  await answers.getByRole('button', { name: 'Next sample' }).click();
  await expect(answers).toContainText('Sample 2 of 3, line-1.npy');
  await expect.poll(() => read(0)).not.toBe(first);
  // B was not shown meanwhile, and comes back with the sample that A has.
  await page.getByRole('button', { name: 'Compare A with B' }).click();
  await expect(text.getByRole('row')).toHaveCount(2);
  await answers.getByRole('button', { name: 'Next sample' }).click();
  await expect(answers).toContainText('Sample 3 of 3');
  await page.getByRole('button', { name: 'Compare A with B' }).click();
  await expect(text.getByRole('row')).toHaveCount(4);
  await expect.poll(async () => (await read(2)) === (await read(0))).toBe(true);
  await output.getByLabel('Show y as').selectOption('Picture');
  await expect(output.getByLabel(/^A − original, white/)).toBeVisible();
  await output.getByLabel('Show y as').selectOption('Text (CTC)');
  await expect(output.getByRole('button', { name: 'Dictionary: letters.txt' })).toBeVisible();

  // The choice is of the model: it is there when the model is open again.
  await page.reload();
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await main.getByRole('button', { name: 'Run A and B' }).click();
  await expect(output.getByRole('button', { name: 'Dictionary: letters.txt' })).toBeVisible({
    timeout: 30_000,
  });
  await expect(text.getByRole('row')).toHaveCount(4);
  await expect(answers.getByRole('note')).toHaveText(/inputs are random numbers/);
  expect(app.complaints).toEqual([]);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { floats, parseFile, safetensorsFile, type TestTensor } from '../helpers/safetensors.ts';
import { expect, figuresSettle, test } from './app.ts';

const INDEX = 'model.safetensors.index.json';

/** A small transformer of two shards, as Hugging Face saves one. */
function writeCheckpoint(folder: string): void {
  const shards: Record<string, TestTensor>[] = [
    { 'model.embed_tokens.weight': floats([512, 64], 9) },
    { 'lm_head.weight': floats([512, 64], 8) },
  ];
  for (let layer = 0; layer < 12; layer++) {
    const shard = shards[layer < 6 ? 0 : 1]!;
    const block = `model.layers.${layer}`;
    shard[`${block}.self_attn.q_proj.weight`] = floats([64, 64], layer);
    shard[`${block}.self_attn.q_proj.bias`] = floats([64], layer);
    shard[`${block}.input_layernorm.weight`] = floats([64], layer);
  }
  const weightMap: Record<string, string> = {};
  for (const [at, tensors] of shards.entries()) {
    const name = `model-0000${at + 1}-of-00002.safetensors`;
    fs.writeFileSync(path.join(folder, name), safetensorsFile(tensors, { format: 'pt' }));
    for (const tensor of Object.keys(tensors)) weightMap[tensor] = name;
  }
  fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify({ model_type: 'tinyllama' }));
  const index = { metadata: { total_size: 0 }, weight_map: weightMap };
  fs.writeFileSync(path.join(folder, INDEX), JSON.stringify(index));
}

test('a folder of shards opens, is compared and exported, and the export opens as quantized', async ({
  open,
  folder,
}) => {
  const source = path.join(folder, 'tiny');
  fs.mkdirSync(source);
  writeCheckpoint(source);
  const app = await open(source);
  const { page } = app;
  await expect(page.getByRole('heading', { name: INDEX })).toBeVisible();
  await expect(page.getByRole('banner')).toContainText(
    /safetensors · 116.224 parameters · tinyllama · PyTorch/,
  );
  const grid = page.getByRole('treegrid', { name: 'Layers' });
  await expect(grid).toHaveAttribute('aria-rowcount', String(1 + 2 + 1));
  await page.getByLabel('Recipe of A', { exact: true }).selectOption('int8');
  await page.getByLabel('Recipe of B', { exact: true }).selectOption('int4-block32');
  await figuresSettle(app);
  // Twelve equal blocks are one row, until it is spread out.
  const folded = page.getByRole('row').filter({ hasText: 'layers.0..11.self_attn.q_proj' });
  await expect(folded).toContainText('×12');
  await expect(folded).toHaveAttribute('aria-expanded', 'false');
  await folded.click();
  await expect(page.getByRole('status').filter({ hasText: 'selected' })).toContainText('12 of 14');
  await grid.press('ArrowRight');
  await expect(grid).toHaveAttribute('aria-rowcount', String(12 + 2 + 1));
  const row = page.getByRole('row').filter({ hasText: 'layers.3.self_attn.q_proj' });
  await expect(row).toContainText('int8 channel');
  await row.click();
  await expect(page.getByRole('complementary')).toContainText('Linear · 64×64');
  // In a small window too: nothing at the end of the bar is cut off.
  await page.setViewportSize({ width: 1024, height: 640 });
  const tools = page.locator('.tools');
  await expect(page.getByRole('button', { name: 'Select in all 12 blocks' })).toBeVisible();
  expect(await tools.evaluate((bar) => bar.scrollWidth - bar.clientWidth)).toBe(0);
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.getByRole('button', { name: 'Select in all 12 blocks' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'selected' })).toContainText('12');
  await page.getByRole('button', { name: 'Set scheme…' }).click();
  const scheme = page.getByRole('dialog', { name: 'Scheme of 12 layers' });
  await scheme.getByLabel('dtype').selectOption('float16');
  await scheme.getByRole('button', { name: 'Set scheme' }).click();
  const sixth = page.getByRole('row').filter({ hasText: 'layers.6.self_attn.q_proj' });
  await expect(sixth).toContainText('float16');
  await page.getByRole('button', { name: /^Undo: / }).click();
  await expect(sixth).toContainText('int8 channel');
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  await expect(page.getByRole('group', { name: 'Totals of B' })).toHaveText(/dB/);
  const output = path.join(folder, 'output');
  fs.mkdirSync(output);
  await app.answerSave(path.join(output, 'tiny.int8.safetensors.index.json'));
  await page.getByRole('button', { name: 'Export…' }).click();
  const dialog = page.getByRole('dialog', { name: /^Export / });
  await expect(dialog.getByRole('radio', { name: /^(Codes|Float) / })).toHaveCount(2);
  await expect(dialog.getByLabel('File')).toHaveValue('tiny.int8-qdq.safetensors.index.json');
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await expect(dialog.getByRole('status')).toHaveText('Exported: tiny.int8.safetensors.index.json');
  await expect(dialog.getByRole('button', { name: 'Verify it now' })).toHaveCount(0);
  await dialog.getByRole('button', { name: 'Done' }).click();
  const shards = ['tiny.int8-00001-of-00002.safetensors', 'tiny.int8-00002-of-00002.safetensors'];
  expect(fs.readdirSync(output).sort()).toEqual([...shards, 'tiny.int8.safetensors.index.json']);
  const { tensors } = parseFile(fs.readFileSync(path.join(output, shards[0]!)));
  expect(tensors['model.layers.0.self_attn.q_proj.weight']!.dtype).toBe('I8');
  await app.answerOpen(output);
  await page.getByRole('button', { name: 'Open…' }).click();
  await figuresSettle(app);
  await expect(
    page.getByRole('row').filter({ hasText: 'layers.0..11.self_attn.q_proj' }).first(),
  ).toContainText('int8 kept');
  expect(app.complaints).toEqual([]);
});

test('the File menu opens a folder', async ({ open, folder }) => {
  const source = path.join(folder, 'tiny');
  fs.mkdirSync(source);
  writeCheckpoint(source);
  const app = await open();
  await app.answerOpen(source);
  await app.electron.evaluate(({ Menu }) => {
    const file = Menu.getApplicationMenu()!.items.find((item) => item.label === '&File')!;
    const item = file.submenu!.items.find(({ label }) => label === 'Open Folder…')!;
    (item.click as () => void)();
  });
  await expect(app.page.getByRole('heading', { name: INDEX })).toBeVisible();
});

// npm run bench:page: how the window feels, by the page's own clock. It prints and judges nothing.
import * as path from 'node:path';
import type { Page } from '@playwright/test';
import { expect, figuresSettle, test, type App } from '../e2e/app.ts';
import { writeBigModel } from '../helpers/big-model.ts';
import { randomValues } from '../helpers/onnx-model.ts';

/** Px scrolled in each frame: five rows, 7800 px a second. */
const STEP = 130;
const FRAMES = 300;

const noise = (count: number): Uint8Array =>
  new Uint8Array(Float32Array.from(randomValues(count, 3)).buffer);

function summary(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): string => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(1);
  return `median ${at(0.5)}, 95 % ${at(0.95)}, slowest ${at(1)} ms (${sorted.length})`;
}

const say = (...words: string[]): void => console.log(`  ${words.join(': ')}`);

async function openLayers(app: App, file: string, layers: number): Promise<void> {
  await app.answerOpen(file);
  const started = Date.now();
  await app.page.getByRole('button', { name: 'Open…' }).first().click();
  const grid = app.page.getByRole('grid', { name: 'Layers' });
  await expect(grid).toHaveAttribute('aria-rowcount', String(layers + 1), { timeout: 120_000 });
  say(`${layers} layers`, 'in the table after', `${Date.now() - started} ms`);
}

/** The times between frames while the table scrolls. */
function scroll(page: Page): Promise<number[]> {
  return page.evaluate(
    async ([step, frames]) => {
      const grid = document.getElementById('layers-grid')!;
      grid.scrollTop = 0;
      const times: number[] = [];
      let last = performance.now();
      for (let frame = 0; frame <= frames!; frame++) {
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        if (frame > 0) times.push(now - last);
        last = now;
        grid.scrollTop += step!;
      }
      return times;
    },
    [STEP, FRAMES],
  );
}

for (const layers of [10_000, 100_000])
  test(`${layers} layers`, async ({ launch, folder }) => {
    const file = path.join(folder, 'layers.onnx');
    const weights = noise(32 * 32);
    writeBigModel(file, layers, 32, 32, () => weights);
    const app = await launch();
    await openLayers(app, file, layers);
    say('frames of a scroll while layers are measured', summary(await scroll(app.page)));
    await expect(app.page.getByRole('contentinfo')).toContainText('Ready', { timeout: 300_000 });
    say('frames of a scroll', summary(await scroll(app.page)));
    await app.page.getByLabel('dtype of A').selectOption('int16');
    say('frames of a scroll after a change of A', summary(await scroll(app.page)));
    const times = await app.page.evaluate(async () => {
      const taken: Record<string, number> = {};
      const time = async (name: string, act: () => void): Promise<void> => {
        const from = performance.now();
        act();
        await new Promise((resolve) => {
          requestAnimationFrame(() => setTimeout(resolve));
        });
        taken[name] = performance.now() - from;
      };
      const filter = document.querySelector<HTMLInputElement>('input[aria-label="Filter layers"]')!;
      const type = (text: string): void => {
        filter.value = text;
        filter.dispatchEvent(new Event('input', { bubbles: true }));
      };
      const head = document.querySelector<HTMLElement>('[aria-label="SQNR of A, dB"]')!;
      await time('sort by SQNR', () => head.click());
      await time('filter', () => type('99'));
      await time('filter cleared', () => type(''));
      return taken;
    });
    for (const [name, ms] of Object.entries(times)) say(name, `${ms.toFixed(0)} ms`);
    expect(app.complaints).toEqual([]);
  });

test('a changed setting on a layer of 4M weights', async ({ launch, folder }) => {
  const file = path.join(folder, 'wide.onnx');
  writeBigModel(file, 4, 2048, 2048, () => noise(2048 * 2048));
  const app = await launch([file]);
  await figuresSettle(app);
  for (const compare of [false, true]) {
    const toggle = app.page.getByRole('button', { name: 'Compare A with B' });
    if ((await toggle.getAttribute('aria-pressed')) !== String(compare)) await toggle.click();
    await figuresSettle(app);
    const times: number[] = [];
    for (const dtype of [
      'uint8',
      'int16',
      'int8',
      'uint8',
      'int16',
      'int8',
      'uint8',
      'int16',
      'int8',
    ]) {
      times.push(
        await app.page.evaluate(async (wanted) => {
          const choice = document.querySelector<HTMLSelectElement>(
            'select[aria-label="dtype of A"]',
          )!;
          const inspector = document.querySelector('[aria-label="Inspector"]')!;
          // The mapping picture names the dtype once the new figures are there.
          const isThere = (): boolean =>
            inspector.querySelector(`svg[aria-label*="mapped onto ${wanted} "]`) !== null;
          const from = performance.now();
          choice.value = wanted;
          choice.dispatchEvent(new Event('change', { bubbles: true }));
          while (!isThere()) await new Promise(requestAnimationFrame);
          await new Promise(requestAnimationFrame);
          return performance.now() - from;
        }, dtype),
      );
      await figuresSettle(app);
    }
    say(`until the Inspector shows it, ${compare ? 'A and B' : 'A alone'}`, summary(times));
  }
});

import * as path from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { writeBigModel } from '../helpers/big-model.ts';
import { randomValues } from '../helpers/onnx-model.ts';
import { DETECTOR, expect, figuresSettle, test, type App } from './app.ts';

/** In view from the start. */
const LAYER = 'p2o.Conv.26';

const layerRows = (page: Page) => page.getByRole('row').filter({ hasText: 'p2o.' });

async function openDetector(open: (file: string) => Promise<App>): Promise<App> {
  const app = await open(DETECTOR);
  await figuresSettle(app);
  return app;
}

/** Opens a section of the Inspector that is folded. */
async function unfold(inspector: Locator, title: string): Promise<void> {
  const section = inspector.locator('details').filter({ hasText: new RegExp(`^\\s*${title}`) });
  if ((await section.getAttribute('open')) === null) await section.locator('summary').click();
}

function resize({ electron }: App, width: number, height: number): Promise<void> {
  return electron.evaluate(
    ({ BrowserWindow }, size) => {
      BrowserWindow.getAllWindows()[0]?.setContentSize(size[0]!, size[1]!);
    },
    [width, height],
  );
}

test('the table and the Inspector say everything, and are copied', async ({ open }) => {
  const app = await openDetector(open);
  await test.step('"Why not smaller?" gives every reason, and their bytes add up', async () => {
    const { page } = app;
    await page.getByRole('button', { name: 'Why not smaller?' }).click();
    const dialog = page.getByRole('dialog', { name: 'Why not smaller?' });
    await expect(dialog).toContainText(/[\d.]+.kB of 1\.24.MB are tensors that the recipe keeps/);
    const kept = dialog.getByRole('row').filter({ hasText: 'under 1024 elements' });
    await kept.getByText(/\d+ tensors: /).click();
    await expect(kept).toContainText('p2o.Conv.0');
    await page.keyboard.press('Escape');
    await expect(dialog).toBeHidden();
  });
  await test.step('the Inspector names the worst channel, every figure and the first values in hex', async () => {
    const { page } = app;
    await layerRows(page).filter({ hasText: LAYER }).click();
    const inspector = page.getByRole('complementary', { name: 'Inspector' });
    await expect(inspector).toContainText(/worst ch \d+, [\d.]+.dB/);
    await unfold(inspector, 'Values');
    await unfold(inspector, 'Statistics');
    const values = inspector.getByRole('region', { name: 'First values' });
    await expect(values.getByRole('row')).toHaveCount(65);
    await expect(values.getByRole('row').nth(1)).toContainText(/[0-9a-f]{8}/);
  });
  await test.step('columns come and go, and the table and the scales are copied', async () => {
    const { page } = app;
    const clipboard = () => app.electron.evaluate(async ({ clipboard: board }) => board.readText());
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('menuitemcheckbox', { name: 'dtype of the original' }).click();
    await expect(page.getByRole('columnheader', { name: 'dtype of the original' })).toBeVisible();
    await page.getByRole('menuitem', { name: 'Copy the table as CSV' }).click();
    await expect(page.getByText('64 rows copied as CSV')).toBeAttached();
    const lines = (await clipboard()).trim().split('\r\n');
    expect(lines).toHaveLength(65);
    expect(lines.find((line) => line.startsWith(`${LAYER},`))).toMatch(/,float32,.*,38\.68\d+,/);
    await layerRows(page).filter({ hasText: LAYER }).click();
    const inspector = page.getByRole('complementary', { name: 'Inspector' });
    await unfold(inspector, 'Scales');
    await inspector.getByRole('button', { name: 'Copy all' }).click();
    const [head, first] = (await clipboard()).split('\n');
    expect(head).toBe('channel\tscale\tzero_point');
    expect(first).toMatch(/^0\t[\d.e-]{6,}\t0$/);
  });
});

test('outliers are filtered, rows selected together take one scheme, and keep it through undo and redo', async ({
  open,
}) => {
  const app = await openDetector(open);
  const { page } = app;
  const toggle = page.getByRole('button', { name: '9 outliers' });
  await toggle.click();
  await expect(layerRows(page)).toHaveCount(9);
  await expect(layerRows(page).getByRole('img', { name: 'Outlier' })).toHaveCount(9);
  await layerRows(page).first().click();
  await layerRows(page)
    .nth(3)
    .click({ modifiers: ['Shift'] });
  await expect(page.getByRole('status').filter({ hasText: 'selected' })).toContainText('4 of 9');
  await layerRows(page)
    .nth(1)
    .click({ modifiers: ['Control'] });
  await page.getByRole('button', { name: 'Set scheme…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Scheme of 3 layers' });
  await dialog.getByLabel('dtype').selectOption('keep');
  await dialog.getByRole('button', { name: 'Set scheme' }).click();
  await toggle.click();
  await expect(page.getByRole('button', { name: 'Rules of A' })).toHaveText('3 rules');
  await page.keyboard.press('Control+z');
  await expect(page.getByRole('button', { name: 'Rules of A' })).toHaveText('Rules');
  await page.keyboard.press('Control+Shift+z');
  await expect(page.getByRole('button', { name: 'Rules of A' })).toHaveText('3 rules');
});

test('the whole table works by keyboard', async ({ open }) => {
  const app = await openDetector(open);
  const { page } = app;
  const grid = page.getByRole('grid', { name: 'Layers' });
  await grid.focus();
  await page.keyboard.press('End');
  const current = (): Promise<string> =>
    grid.evaluate((element) =>
      (
        document.getElementById(element.getAttribute('aria-activedescendant') ?? '')?.textContent ??
        ''
      ).trim(),
    );
  const last = await current();
  await page.keyboard.press('Home');
  expect(await current()).toContain('p2o.Conv.0');
  expect(last).not.toContain('p2o.Conv.0');
  await page.keyboard.press('ArrowUp');
  expect(await current()).toBe('Layer');
  for (let step = 0; step < 20 && !(await current()).endsWith('dB'); step++)
    await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('columnheader', { name: 'SQNR of A, dB' })).toHaveAttribute(
    'aria-sort',
    'ascending',
  );
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Home');
  expect(await current()).toContain('p2o.Conv.32');
  await page.keyboard.press('Control+a');
  await expect(page.getByRole('status').filter({ hasText: 'selected' })).toContainText('64 of 64');
});

test('nothing moves while figures stream in', async ({ open, folder }) => {
  const file = path.join(folder, 'many.onnx');
  const noise = new Uint8Array(Float32Array.from(randomValues(64 * 64, 3)).buffer);
  writeBigModel(file, 3000, 64, 64, () => noise);
  const app = await open();
  const { page } = app;
  await resize(app, 1024, 640);
  await app.answerOpen(file);
  await page.getByRole('button', { name: 'Open…' }).click();
  await expect(page.getByRole('grid', { name: 'Layers' })).toHaveAttribute('aria-rowcount', '3001');
  await page.getByLabel('dtype of A').selectOption('int16');
  await expect(page.getByRole('row').filter({ hasText: 'int16 channel' }).first()).toBeVisible();
  // What moves from now on moves by itself; a figure that grows to the left within its place does not.
  await page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    const moved: string[] = [];
    Object.assign(window, { moved });
    interface Shift extends PerformanceEntry {
      readonly sources: readonly {
        readonly node: Node | null;
        readonly previousRect: DOMRectReadOnly;
        readonly currentRect: DOMRectReadOnly;
      }[];
    }
    new PerformanceObserver((list) => {
      for (const { node, previousRect, currentRect } of list
        .getEntries()
        .flatMap((entry) => (entry as Shift).sources))
        if (previousRect.right !== currentRect.right || previousRect.top !== currentRect.top)
          moved.push((node as Element | null)?.outerHTML ?? 'gone');
    }).observe({ type: 'layout-shift' });
  });
  await page.waitForTimeout(600);
  await figuresSettle(app);
  await page.waitForTimeout(200);
  expect(await page.evaluate(() => (window as unknown as { moved: string[] }).moved)).toEqual([]);
});

test('nothing is cut at 1024 by 640', async ({ open }) => {
  const app = await openDetector(open);
  const { page } = app;
  await resize(app, 1024, 640);
  for (const view of ['Layers', 'Compare', 'Budget', 'Run', 'Formats']) {
    await page.getByRole('button', { name: view, exact: true }).click();
    await expect(page.getByRole('main', { name: view })).toBeVisible();
    await figuresSettle(app);
    const found = await page.evaluate(() => {
      const { scrollWidth, scrollHeight, clientWidth, clientHeight } = document.documentElement;
      const small = [...document.querySelectorAll<HTMLElement>('body *')].filter(
        (element) =>
          [...element.childNodes].some(
            (node) => node.nodeType === 3 && node.nodeValue!.trim() !== '',
          ) &&
          element.getClientRects().length > 0 &&
          parseFloat(getComputedStyle(element).fontSize) < 11,
      );
      return {
        over: [scrollWidth - clientWidth, scrollHeight - clientHeight],
        small: small.map((element) => element.outerHTML.slice(0, 120)),
      };
    });
    expect(found, view).toEqual({ over: [0, 0], small: [] });
  }
});

test('the window is set in Inter, which comes with the app', async ({ open }) => {
  const { page, complaints } = await open();
  const faces = await page.evaluate(async () => {
    await document.fonts.ready;
    return [...document.fonts]
      .filter(({ status }) => status === 'loaded')
      .map(({ family }) => family);
  });
  expect(faces.map((family) => family.replaceAll('"', ''))).toContain('Inter Variable');
  // Text falls back to another font where Inter is missing: then both widths are the same.
  const [inter, other] = await page.evaluate(() => {
    const context = document.createElement('canvas').getContext('2d')!;
    return ['"Inter Variable", monospace', 'monospace'].map((family) => {
      context.font = `12px ${family}`;
      return context.measureText('stage4d/Conv').width;
    });
  });
  expect(inter).not.toBe(other);
  expect(await page.evaluate(() => getComputedStyle(document.body).fontFamily)).toMatch(
    /^"Inter Variable"/,
  );
  expect(complaints).toEqual([]);
});

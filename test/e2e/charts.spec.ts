import type { Locator } from '@playwright/test';
import { DETECTOR, expect, figuresSettle, test, type App } from './app.ts';

const LAYER = 'p2o.Conv.26';

/** A window of the size that the snapshots were taken at, in the light theme. */
async function openLayer(open: (file: string) => Promise<App>): Promise<App> {
  const app = await open(DETECTOR);
  await app.electron.evaluate(({ BrowserWindow, nativeTheme }) => {
    nativeTheme.themeSource = 'light';
    BrowserWindow.getAllWindows()[0]?.setContentSize(1280, 800);
  });
  await figuresSettle(app);
  await app.page.getByRole('row').filter({ hasText: LAYER }).first().click();
  await figuresSettle(app);
  return app;
}

const clipboardText = ({ electron }: App): Promise<string> =>
  electron.evaluate(async ({ clipboard }) => clipboard.readText());

/** Copies a chart by its context menu and gives what is on the clipboard then. */
async function copied(app: App, chart: Locator, as: 'SVG' | 'CSV'): Promise<string> {
  await chart.click({ button: 'right', position: { x: 70, y: 30 } });
  await app.page.getByRole('menuitem', { name: `Copy as ${as}` }).click();
  await expect(app.page.getByText(`copied as ${as}`)).toBeAttached();
  const text = await clipboardText(app);
  await app.electron.evaluate(({ clipboard }) => clipboard.clear());
  return text;
}

test('the charts of a layer are copied and read by keys', async ({ open }) => {
  const app = await openLayer(open);
  await test.step('every chart of the Inspector and the band is copied as SVG and as CSV', async () => {
    const inspector = app.page.getByRole('complementary', { name: 'Inspector' });
    const charts = {
      weights: inspector.getByRole('group', { name: /^Histogram of/ }),
      mapping: inspector.getByRole('img', { name: /mapped onto int8/ }),
      channels: inspector.getByRole('img', { name: /^Range of each of/ }),
      footprint: app.page.getByRole('img', { name: /^Footprint of the weights/ }),
    };
    await expect(charts.weights.getByText('·')).toHaveCount(0);
    // The four ranges are searched one after the other.
    await expect(charts.weights.getByText(/\d\sdB$/)).toHaveCount(4);
    for (const [name, chart] of Object.entries(charts)) {
      await chart.scrollIntoViewIfNeeded();
      expect(await copied(app, chart, 'SVG')).toMatchSnapshot(`${name}.svg`);
      expect(await copied(app, chart, 'CSV')).toMatchSnapshot(`${name}.csv`);
    }
    expect(app.complaints).toEqual([]);
  });
  await test.step('a chart is copied as PNG, twice as large as in the page', async () => {
    const chart = app.page.getByRole('img', { name: /^Footprint of the weights/ });
    const { width, height } = (await chart.boundingBox())!;
    await chart.focus();
    await app.page.keyboard.press('ContextMenu');
    await app.page.getByRole('menuitem', { name: 'Copy as PNG' }).press('Enter');
    await expect(app.page.getByText('Footprint of the weights copied as PNG')).toBeAttached();
    const image = await app.electron.evaluate(({ clipboard }) => {
      const read = clipboard as unknown as {
        readImage(): { getSize(): { width: number; height: number }; toBitmap(): Buffer };
      };
      const found = read.readImage();
      return { size: found.getSize(), colours: new Set(found.toBitmap()).size };
    });
    expect(image.size).toEqual({ width: 2 * (width + 16), height: 2 * (height + 16) });
    // Text and bars of several colours, and no empty sheet.
    expect(image.colours).toBeGreaterThan(20);
    // The page's rules for content let the picture have its font.
    expect(app.complaints).toEqual([]);
  });
  await test.step('arrow keys go from mark to mark, with a tooltip and words; Escape leaves', async () => {
    const { page } = app;
    const weights = page.getByRole('group', { name: /^Histogram of/ });
    const tooltip = page.locator('.tooltip');
    await weights.focus();
    await page.keyboard.press('ArrowRight');
    await expect(tooltip).toContainText('weight');
    const first = await tooltip.textContent();
    await page.keyboard.press('ArrowRight');
    await expect(tooltip).not.toHaveText(first!);
    await expect(page.getByRole('status').filter({ hasText: 'of all' })).toBeAttached();
    await page.keyboard.press('End');
    await expect(tooltip).toContainText(/entropy|mse|p 99.99|minmax/);
    await page.keyboard.press('Escape');
    await expect(tooltip).toHaveCount(0);
    await expect(weights).toBeFocused();
    await weights.hover({ position: { x: 160, y: 60 } });
    await expect(tooltip).toContainText('of all');
  });
});

test('the charts of Compare and Budget are copied whole, also what has scrolled out of view', async ({
  open,
}) => {
  const app = await openLayer(open);
  const { page } = app;
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  const front = page.getByRole('group', { name: /Size against SQNR: \d\d+ plans/ });
  await expect(front).toBeVisible({ timeout: 30_000 });
  const list = page.getByRole('listbox', { name: /^SQNR of/ });
  const charts = {
    error: page.getByRole('img', { name: /^Error of A from/ }),
    stored: page.getByRole('img', { name: /^A uses/ }),
    dumbbell: list,
    front,
  };
  for (const [name, chart] of Object.entries(charts)) {
    expect(await copied(app, chart, 'SVG')).toMatchSnapshot(`${name}.svg`);
    expect(await copied(app, chart, 'CSV')).toMatchSnapshot(`${name}.csv`);
  }
  expect(app.complaints).toEqual([]);
});

test('the charts of the number formats are copied', async ({ open }) => {
  const app = await openLayer(open);
  const { page } = app;
  await page.getByRole('button', { name: 'Formats', exact: true }).click();
  const charts = {
    line: page.getByRole('group', { name: /^The values of 19 formats/ }),
    range: page.getByRole('group', { name: /^A range of real values/ }),
  };
  for (const [name, chart] of Object.entries(charts)) {
    await chart.scrollIntoViewIfNeeded();
    expect(await copied(app, chart, 'SVG')).toMatchSnapshot(`${name}.svg`);
    expect(await copied(app, chart, 'CSV')).toMatchSnapshot(`${name}.csv`);
  }
  expect(app.complaints).toEqual([]);
});

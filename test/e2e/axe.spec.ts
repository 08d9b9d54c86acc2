import { DETECTOR, expect, figuresSettle, test, type App } from './app.ts';
import { violations, type Checked } from './axe.ts';

/** The rules whose answer depends on the theme. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

async function chooseTheme({ page }: App, theme: 'light' | 'dark'): Promise<void> {
  await page.evaluate(
    (chosen) =>
      (
        window as unknown as { quantscope: { setSettings(to: object): Promise<unknown> } }
      ).quantscope.setSettings({ theme: chosen }),
    theme,
  );
  await expect
    .poll(() => page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches))
    .toBe(theme === 'dark');
}

/**
 * What axe-core finds on the screen as it stands in light, and in dark, which differs from light in its colours alone, so
 * that only their rules are run again.
 */
async function violationsInBoth(app: App, checked: Checked = {}): Promise<string[]> {
  const light = await violations(app.page, checked);
  await chooseTheme(app, 'dark');
  const dark = await violations(app.page, { ...checked, rules: COLOUR_RULES });
  await chooseTheme(app, 'light');
  return [...light, ...dark.map((each) => `dark, ${each}`)];
}

/** Plants what is wrong, to see that it is found: a button that nothing names, and text that is nearly invisible. */
async function expectPlantedFound(app: App): Promise<void> {
  await app.page.evaluate(() => {
    const planted = document.createElement('p');
    planted.style.cssText = 'position: fixed; top: 0; background: #777; color: #787878';
    planted.append('faint', document.createElement('button'));
    document.body.append(planted);
  });
  const found = await violationsInBoth(app);
  for (const rule of [/^color-contrast/, /^button-name/, /^dark, color-contrast/])
    expect(found).toContainEqual(expect.stringMatching(rule));
  await app.page.evaluate(() => document.body.lastElementChild?.remove());
}

test('axe-core finds nothing on any screen in both themes', async ({ open }) => {
  test.setTimeout(180_000);
  const app = await open();
  const { page } = app;
  await chooseTheme(app, 'light');
  await expectPlantedFound(app);
  expect(await violationsInBoth(app)).toEqual([]);
  await page.getByRole('button', { name: 'Number formats' }).click();
  await expect(page.getByRole('main', { name: 'Formats' })).toBeVisible();
  expect(await violationsInBoth(app), 'Formats alone').toEqual([]);
  await app.answerOpen(DETECTOR);
  await page.getByRole('button', { name: 'Open…' }).click();
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Layers', exact: true }).click();
  await page.getByRole('row').filter({ hasText: 'p2o.Conv.26' }).first().click();
  await expect(page.getByRole('slider', { name: 'High clip limit of A' })).toBeVisible();
  expect(await violationsInBoth(app)).toEqual([]);
  for (const view of ['Formats', 'Compare', 'Budget', 'Run']) {
    await page.getByRole('button', { name: view, exact: true }).click();
    await expect(page.getByRole('main', { name: view })).toBeVisible();
    await figuresSettle(app);
    expect(await violationsInBoth(app), view).toEqual([]);
  }
  await page.getByRole('button', { name: 'Run A and B' }).click();
  await expect(page.getByRole('region', { name: 'Time' })).toBeVisible({ timeout: 30_000 });
  await figuresSettle(app);
  expect(await violationsInBoth(app), 'Run').toEqual([]);
  await page.getByRole('button', { name: 'Export…' }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  expect(await violationsInBoth(app), 'Export').toEqual([]);
  await page.keyboard.press('Escape');
  for (const id of ['settings', 'shortcuts', 'palette', 'properties', 'about', 'calibrate']) {
    await app.electron.evaluate(
      ({ Menu }, name) => (Menu.getApplicationMenu()!.getMenuItemById(name)!.click as () => void)(),
      id,
    );
    await expect(page.getByRole('dialog')).toBeVisible();
    // What a dialog asks for has come.
    await expect(page.getByRole('dialog').getByRole('button').first()).toBeVisible();
    expect(await violationsInBoth(app, { part: '[role=dialog]' }), id).toEqual([]);
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toBeHidden();
  }
});

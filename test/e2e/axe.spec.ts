import { AxeBuilder } from '@axe-core/playwright';
import { DETECTOR, expect, figuresSettle, test, type App } from './app.ts';

/** The rules whose answer depends on the theme. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

/**
 * What axe-core finds on the screen as it stands, by rule and place; the window is the only page there is.
 * Dark differs from light in its colours alone, so that only their rules are run again.
 */
async function violations(
  { page }: App,
  theme: 'light' | 'dark',
  part?: string,
): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode();
  if (part !== undefined) axe.include(part);
  if (theme === 'dark') axe.withRules(COLOUR_RULES);
  const { violations: found } = await axe.analyze();
  return found.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

for (const theme of ['light', 'dark'] as const)
  test(`axe-core finds nothing on any screen, ${theme}`, async ({ open }) => {
    test.setTimeout(180_000);
    const welcome = await open();
    await welcome.page.evaluate(
      (chosen) =>
        (
          window as unknown as { quantscope: { setSettings(to: object): Promise<unknown> } }
        ).quantscope.setSettings({ theme: chosen }),
      theme,
    );
    const { page } = welcome;
    await expect
      .poll(() => page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches))
      .toBe(theme === 'dark');
    // Planted, to see that they are found: a button that nothing names, and text that is nearly invisible.
    await page.evaluate(() => {
      const planted = document.createElement('p');
      planted.style.cssText = 'position: fixed; top: 0; background: #777; color: #787878';
      planted.append('faint', document.createElement('button'));
      document.body.append(planted);
    });
    const found = (await violations(welcome, theme)).join();
    expect(found).toContain('color-contrast');
    if (theme === 'light') expect(found).toContain('button-name');
    await page.evaluate(() => document.body.lastElementChild?.remove());
    expect(await violations(welcome, theme)).toEqual([]);
    await page.getByRole('button', { name: 'Number formats' }).click();
    await expect(page.getByRole('main', { name: 'Formats' })).toBeVisible();
    expect(await violations(welcome, theme), 'Formats alone').toEqual([]);
    await welcome.answerOpen(DETECTOR);
    await page.getByRole('button', { name: 'Open…' }).click();
    await figuresSettle(welcome);
    await page.getByRole('button', { name: 'Layers', exact: true }).click();
    await page.getByRole('row').filter({ hasText: 'p2o.Conv.26' }).first().click();
    await expect(page.getByRole('slider', { name: 'High clip limit of A' })).toBeVisible();
    expect(await violations(welcome, theme)).toEqual([]);
    for (const view of ['Formats', 'Compare', 'Budget', 'Run']) {
      await page.getByRole('button', { name: view, exact: true }).click();
      await expect(page.getByRole('main', { name: view })).toBeVisible();
      await figuresSettle(welcome);
      expect(await violations(welcome, theme), view).toEqual([]);
    }
    await page.getByRole('button', { name: 'Run A and B' }).click();
    await expect(page.getByRole('region', { name: 'Time' })).toBeVisible({ timeout: 30_000 });
    await figuresSettle(welcome);
    expect(await violations(welcome, theme), 'Run').toEqual([]);
    await page.getByRole('button', { name: 'Export…' }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    expect(await violations(welcome, theme), 'Export').toEqual([]);
    await page.keyboard.press('Escape');
    for (const id of ['settings', 'shortcuts', 'palette', 'properties', 'about', 'calibrate']) {
      await welcome.electron.evaluate(
        ({ Menu }, name) =>
          (Menu.getApplicationMenu()!.getMenuItemById(name)!.click as () => void)(),
        id,
      );
      await expect(page.getByRole('dialog')).toBeVisible();
      // What a dialog asks for has come.
      await expect(page.getByRole('dialog').getByRole('button').first()).toBeVisible();
      expect(await violations(welcome, theme, '[role=dialog]'), id).toEqual([]);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toBeHidden();
    }
  });

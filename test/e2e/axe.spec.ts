import { AxeBuilder } from '@axe-core/playwright';
import { DETECTOR, expect, figuresSettle, test, type App } from './app.ts';

/** What axe-core finds on the screen as it stands, by rule and place; the window is the only page there is. */
async function violations({ page }: App): Promise<string[]> {
  const { violations: found } = await new AxeBuilder({ page }).setLegacyMode().analyze();
  return found.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`));
}

for (const theme of ['light', 'dark'] as const)
  test(`axe-core finds nothing on any screen, ${theme}`, async ({ launch }) => {
    const welcome = await launch();
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
    // Planted, to see that it is found: a button that nothing names.
    await page.evaluate(() => document.body.append(document.createElement('button')));
    expect((await violations(welcome)).join()).toContain('button-name');
    await page.evaluate(() => document.body.lastElementChild?.remove());
    expect(await violations(welcome)).toEqual([]);
    await page.getByRole('button', { name: 'Number formats' }).click();
    await expect(page.getByRole('main', { name: 'Formats' })).toBeVisible();
    expect(await violations(welcome), 'Formats alone').toEqual([]);
    await welcome.answerOpen(DETECTOR);
    await page.getByRole('button', { name: 'Open…' }).click();
    await figuresSettle(welcome);
    await page.getByRole('button', { name: 'Layers', exact: true }).click();
    await page.getByRole('row').filter({ hasText: 'p2o.Conv.26' }).first().click();
    await expect(page.getByRole('slider', { name: 'High clip limit of A' })).toBeVisible();
    expect(await violations(welcome)).toEqual([]);
    for (const view of ['Formats', 'Compare', 'Budget', 'Run']) {
      await page.getByRole('button', { name: view, exact: true }).click();
      await expect(page.getByRole('main', { name: view })).toBeVisible();
      await figuresSettle(welcome);
      expect(await violations(welcome), view).toEqual([]);
    }
    await page.getByRole('button', { name: 'Run A and B' }).click();
    await expect(page.getByRole('region', { name: 'Time' })).toBeVisible({ timeout: 30_000 });
    await figuresSettle(welcome);
    expect(await violations(welcome), 'Run').toEqual([]);
    await page.getByRole('button', { name: 'Export…' }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
    expect(await violations(welcome), 'Export').toEqual([]);
  });

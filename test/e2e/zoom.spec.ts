import { DETECTOR, expect, figuresSettle, test } from './app.ts';

/** Names of controls that cannot be brought into view: no width, outside of the window or under something else. */
function unreachable(): string[] {
  const controls = [...document.querySelectorAll<HTMLElement>('button, select, input')];
  return controls
    .filter((each) => each.getClientRects().length > 0 && !each.closest('[aria-hidden=true]'))
    .filter((each) => {
      each.scrollIntoView({ block: 'nearest', inline: 'nearest' });
      const { left, right, top, bottom } = each.getBoundingClientRect();
      const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      return (
        right - left < 1 ||
        at === null ||
        !(each.contains(at) || at.contains(each) || each.closest('label')?.contains(at))
      );
    })
    .map((each) => each.getAttribute('aria-label') ?? each.textContent ?? each.outerHTML);
}

test('every control stays within reach at zooms of 50, 150 and 200 %', async ({ open }) => {
  const app = await open(DETECTOR);
  const { page } = app;
  await figuresSettle(app);
  for (const zoom of [0.5, 1.5, 2]) {
    await app.electron.evaluate(({ BrowserWindow }, factor) => {
      const window = BrowserWindow.getAllWindows()[0]!;
      window.setContentSize(1280, 800);
      window.webContents.setZoomFactor(factor);
    }, zoom);
    await expect.poll(() => page.evaluate(() => window.innerWidth)).toBe(Math.round(1280 / zoom));
    for (const view of ['Layers', 'Compare', 'Budget', 'Run', 'Formats']) {
      const where = `${view} at ${zoom * 100} %`;
      await page.getByRole('button', { name: view, exact: true }).click();
      await figuresSettle(app);
      // A view may still be laid out when the last job has ended.
      await expect.poll(() => page.evaluate(unreachable), { message: where }).toEqual([]);
      for (const name of ['Open…', 'Export…'])
        await expect(page.getByRole('button', { name }), where).toBeInViewport({ ratio: 1 });
      if (view === 'Layers')
        await expect(
          page.getByRole('complementary', { name: 'Inspector' }),
          where,
        ).toBeInViewport();
    }
  }
});

import { DETECTOR, expect, figuresSettle, test } from './app.ts';

test('a clip limit moves by keys and by mouse, and becomes a rule of the layer that undo takes back', async ({
  open,
}) => {
  const app = await open(DETECTOR);
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('row').filter({ hasText: 'p2o.Conv.26' }).first().click();
  const high = page.getByRole('slider', { name: 'High clip limit of A' });
  await expect(high).toBeVisible();
  // The lanes of all four methods are there once the search has ended.
  const weights = page.getByRole('group', { name: /^Histogram of/ });
  for (const method of ['minmax', 'p 99.99', 'mse', 'entropy'])
    await expect(weights.getByText(method, { exact: true })).toHaveCount(1);
  // A dot stands in a lane that is still searched for.
  await expect(weights.getByText('·')).toHaveCount(0);
  const before = Number(await high.getAttribute('aria-valuenow'));
  await high.press('Shift+ArrowLeft');
  await expect(page.getByRole('button', { name: 'Rules of A' })).toHaveText('1 rule');
  await figuresSettle(app);
  expect(Number(await high.getAttribute('aria-valuenow'))).toBeLessThan(before);
  await expect(weights).toContainText('by hand');
  const { x, y, width } = (await high.boundingBox())!;
  await page.mouse.move(x + width / 2, y + 30);
  await page.mouse.down();
  await page.mouse.move(x + width / 2 - 40, y + 30, { steps: 8 });
  await page.mouse.up();
  await figuresSettle(app);
  expect(Number(await high.getAttribute('aria-valuenow'))).toBeLessThan(before * 0.85);
  await page.getByRole('button', { name: /^Undo: range of/ }).click();
  await page.getByRole('button', { name: /^Undo: range of/ }).click();
  await figuresSettle(app);
  await expect(high).toHaveAttribute('aria-valuenow', String(before));
  expect(app.complaints).toEqual([]);
});

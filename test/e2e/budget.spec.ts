import { DETECTOR, expect, figuresSettle, test } from './app.ts';

test('a model is fitted in so many bytes by mouse, keys and number, and the plan becomes B', async ({
  open,
}) => {
  const app = await open(DETECTOR);
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Budget', exact: true }).click();
  const plan = page.getByRole('region', { name: 'Plan' });
  await expect(plan.getByRole('status')).toHaveText('meets the goal', { timeout: 30_000 });
  await page.getByLabel('Most megabytes').fill('1.0');
  await page.keyboard.press('Enter');
  await expect(plan).toContainText(/int4 block 32 · \d+ layers?/);
  const goal = page.getByRole('slider', { name: 'Budget' });
  await expect(goal).toHaveAttribute('aria-valuenow', '1000000');
  await goal.press('ArrowRight');
  await expect(goal).toHaveAttribute('aria-valuenow', '1010000');
  const grip = goal.locator('.grip');
  const { x, y } = (await grip.boundingBox())!;
  await page.mouse.move(x + 4, y + 6);
  await page.mouse.down();
  await page.mouse.move(x + 84, y + 6);
  await page.mouse.up();
  expect(Number(await goal.getAttribute('aria-valuenow'))).toBeGreaterThan(1_010_000);
  await page.getByRole('button', { name: 'Keep at least' }).click();
  await page.getByLabel('Least decibels').fill('45');
  await page.keyboard.press('Enter');
  await expect(plan).toContainText(/45\.\d.dB/);
  await page.getByRole('button', { name: 'Use as B' }).click();
  await figuresSettle(app);
  await expect(page.getByRole('group', { name: 'Totals of B' })).toContainText(/45\.\d.dB/);
  await expect(page.getByRole('button', { name: 'Rules of B' })).toHaveText(/\d+ rules/);
  await page
    .getByRole('button', { name: /^p2o|conv2d/ })
    .first()
    .click();
  expect(app.complaints).toEqual([]);
});

test('Compare draws the front of size against error once it is measured', async ({ open }) => {
  const app = await open(DETECTOR);
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Compare', exact: true }).click();
  await expect(
    page.getByRole('group', { name: /Size against SQNR: \d\d+ plans; .*int8 channel: / }),
  ).toBeVisible({ timeout: 30_000 });
});

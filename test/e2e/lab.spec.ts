import { expect, test } from './app.ts';

test('what this computer has for the formats is told without a model', async ({ launch }) => {
  const app = await launch();
  const { page } = app;
  await page.getByRole('button', { name: 'Number formats' }).click();
  const section = page.getByRole('region', { name: 'This computer' });
  for (const title of [
    'bfloat16 arithmetic',
    'float16 arithmetic',
    'int8 dot product',
    'int8 matrix product',
  ])
    await expect(
      section.getByRole('row').filter({ hasText: new RegExp(`^${title}\\s*(yes|no|unknown)`) }),
    ).toBeVisible();
  await expect(section).toContainText(process.arch);
  expect(app.complaints).toEqual([]);
});

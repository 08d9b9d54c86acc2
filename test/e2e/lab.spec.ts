import { expect, openFormats, test } from './app.ts';

test('what this computer has for the formats is told without a model', async ({ open }) => {
  const app = await open();
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

test('a dot product is shown before and after a downcast, of random vectors and of a layer', async ({
  open,
}) => {
  const app = await openFormats(open);
  const { page } = app;
  const section = page.getByRole('region', { name: 'Dot product' });
  const row = (format: string) =>
    section
      .getByRole('row')
      .filter({ has: page.getByRole('rowheader', { name: format, exact: true }) });
  const reference = row('float64').getByRole('cell').first();
  await expect(row('float64')).toContainText('256 products');
  const first = await reference.textContent();
  for (const format of ['float32', 'bfloat16', 'float16', 'int8', 'q7', 'q15'])
    await expect(row(format).getByRole('cell').first()).toHaveText(/^[−\d]/);
  await section.getByLabel('Seed').fill('2');
  await section.getByLabel('Seed').press('Enter');
  await expect(reference).not.toHaveText(first!);
  await section.getByRole('radio', { name: '16', exact: true }).click();
  await expect(row('float64')).toContainText('16 products');
  await section.getByRole('group', { name: 'Vectors' }).getByRole('button').last().click();
  await section.getByRole('radio', { name: '65\u202f536' }).click();
  // The layer has fewer values than that, and all of them are taken.
  await expect(row('float64')).not.toContainText('65\u202f536 products');
  await expect(row('float64')).toContainText(/\d products/);
  expect(app.complaints).toEqual([]);
});

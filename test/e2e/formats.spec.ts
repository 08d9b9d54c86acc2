import { expect, figuresSettle, openFormats, test } from './app.ts';

test('a value is shown in every format, its bits turn over, and int8 stands beside Q7', async ({
  open,
}) => {
  const app = await open();
  const { page } = app;
  await page.getByRole('button', { name: 'Number formats' }).click();
  const main = page.getByRole('main', { name: 'Formats' });
  const value = main.getByLabel('Value', { exact: true });
  const half = main
    .getByRole('region', { name: 'One value in every format' })
    .getByRole('row')
    .filter({ hasText: /^float16/ });
  await expect(half).toContainText('0.333251953125');
  await main.getByRole('button', { name: 'float16 bit 15, sign: 0', exact: true }).click();
  await expect(value).toHaveValue('-0.333251953125');
  await expect(half).toContainText('b555');
  await value.fill('three');
  await expect(main.getByRole('alert')).toContainText('Enter a decimal');
  // What was last a number stays, and is what the section is called by.
  await expect(half).toContainText('b555');
  await expect(main.getByRole('heading', { name: 'near −0.333252' })).toBeVisible();
  const lab = main.getByRole('region', { name: 'Multiply and accumulate' });
  await expect(lab.getByRole('row').filter({ hasText: 'int8 sum' })).toContainText('−1\u202f000');
  await expect(lab.getByRole('row').filter({ hasText: 'Q7 sum' })).toContainText('3.8125');
  await expect(lab.getByRole('row').filter({ hasText: 'Q7, 8 bits' })).toContainText('saturates');
  await lab.getByRole('textbox', { name: 'Accumulator' }).fill('99999');
  await expect(lab.getByRole('alert')).toHaveText(
    'the accumulator is from -32768 to 32767, not 99999',
  );
  expect(app.complaints).toEqual([]);
});

test('the sections of the Formats view work on the selected layer', async ({ open }) => {
  const app = await openFormats(open);
  await test.step('a value of the selected layer is taken exactly, and its neighbours are shown', async () => {
    const { page } = app;
    const section = page.getByRole('region', { name: 'One value in every format' });
    const row = (name: string) =>
      section.getByRole('row').filter({ hasText: new RegExp(`^${name}`) });
    await section
      .getByRole('group', { name: /^Values of / })
      .getByRole('button', { name: /^min −0\.\d+$/ })
      .click();
    const text = await section.getByLabel('Value', { exact: true }).inputValue();
    expect(text).toMatch(/^-0\.\d+$/);
    // A weight is a float32, so that it loses nothing there, and something in 16 bits.
    await expect(row('float32').getByRole('cell').last()).toHaveText('0');
    await expect(row('float16').getByRole('cell').last()).toHaveText(/\de−[456]|0\.000/);
    await section.getByLabel('Value', { exact: true }).fill('-1.5');
    await expect(row('q15').getByRole('cell').last()).toHaveText('saturates');
    await expect(row('uint8').getByRole('cell').last()).toHaveText('saturates');
    await section.getByLabel('Value', { exact: true }).fill('0xff');
    await expect(row('uint8')).toContainText('11111111 ff255.000');
    await section.getByLabel('Value', { exact: true }).fill('-1.5');
    await section.getByRole('button', { name: 'Copy as CSV' }).click();
    const copied = await app.electron.evaluate(({ clipboard }) => clipboard.readText());
    expect(copied).toContain('bfloat16,1011111111000000,0xbfc0,');
    await section.getByRole('button', { name: 'int8', exact: true }).click();
    const details = section.getByRole('row').filter({ hasText: 'in ulps' });
    await expect(details).toHaveText(/above\s*−1\s*stored\s*−2\s*below\s*−3/);
    await expect(details).toHaveText(/error\s*−0\.5\s*relative\s*0\.333333\s*in ulps\s*−0\.5/);
    expect(app.complaints).toEqual([]);
  });
  await test.step('a range is mapped onto integers step by step, and precision falls as it is dragged wider', async () => {
    const { page } = app;
    const section = page.getByRole('region', { name: 'Linear quantization' });
    const step = (name: string) =>
      section.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });
    await expect(step('scale s')).toContainText('2 / 255 = 0.00784313772');
    await expect(step('zero point z')).toContainText('= round(25) = 25');
    await expect(step('read back')).toContainText('0.298039228');
    const high = section.getByRole('slider', { name: 'High end of the range' });
    await high.press('ArrowRight');
    await expect(high).toHaveAttribute('aria-valuenow', '0.82');
    await high.scrollIntoViewIfNeeded();
    const { x, y, width, height } = (await high.boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width / 2 + 200, y + height / 2, { steps: 3 });
    await page.mouse.up();
    const wider = Number(await high.getAttribute('aria-valuenow'));
    expect(wider).toBeGreaterThan(1);
    const scale = Number(/= (0\.\d+)/.exec(await step('scale s').innerText())?.[1]);
    expect(scale).toBeCloseTo((wider + 1.2) / 255, 7);
    await section.getByRole('radio', { name: 'Symmetric', exact: true }).click();
    await expect(step('zero point z')).toContainText('= 0');
    await expect(step('codes')).toContainText('−127 to 127 : 254 steps');
    await section.getByRole('textbox', { name: 'sample' }).fill('9');
    await section.getByRole('textbox', { name: 'sample' }).press('Enter');
    await expect(step('quantize')).toContainText('saturates 127');
    await section.getByRole('button', { name: "Use the layer's range" }).click();
    await expect(step('range')).toContainText(/−0\.\d+ to 0\.\d+/);
    await section.getByLabel('Integer type').selectOption('uint4');
    await expect(section.getByRole('img', { name: /mapped onto uint4 0 to 15/ })).toBeVisible();
    expect(app.complaints).toEqual([]);
  });
  await test.step('the kinds of quantization say what this model would weigh, and become recipe A', async () => {
    const { page } = app;
    const section = page.getByRole('region', { name: 'Kinds of quantization' });
    const row = (name: string) =>
      section.getByRole('row').filter({ has: page.getByRole('rowheader', { name }) });
    await expect(row('Full integer')).toContainText(/microcontrollers.*0\.134.MB.*−75\.0/s);
    await expect(row('Float16')).toContainText(/2× smaller.*0\.267.MB.*−50\.0/s);
    await row('Dynamic range').getByRole('button', { name: 'Apply litert-dynamic to A' }).click();
    await expect(section.getByRole('button', { name: 'A is litert-dynamic' })).toHaveAttribute(
      'aria-pressed',
      'true',
    );
    await expect(row('Quantization-aware').getByRole('button')).toHaveCount(0);
    await figuresSettle(app);
    await page.getByRole('button', { name: 'Layers', exact: true }).click();
    await expect(page.getByLabel('Recipe of A', { exact: true })).toHaveValue('litert-dynamic');
    expect(app.complaints).toEqual([]);
  });
});

test('every format has its limits and its names, and the table is copied in full', async ({
  open,
}) => {
  const { page, electron, complaints } = await open();
  await page.getByRole('button', { name: 'Number formats', exact: true }).click();
  const section = page.getByRole('region', { name: 'Every format', exact: true });
  await expect(section.getByRole('rowheader')).toHaveCount(4 + 19);
  const row = (name: string) =>
    section.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });
  await expect(row('bfloat16')).toHaveText(
    /1 \+ 8 \+ 7.*3\.3895314e38.*0\.007813.*1\.175e−38.*9\.184e−41.*2.*BFLOAT16/s,
  );
  await expect(row('int64').getByRole('cell').nth(1)).toHaveText('−2⁶³');
  await expect(row('q15')).toContainText('q15_t');
  await section.getByRole('button', { name: 'Copy as CSV' }).click();
  const copied = await electron.evaluate(({ clipboard }) => clipboard.readText());
  const lines = copied.split('\r\n');
  expect(lines).toHaveLength(1 + 19 + 1);
  expect(lines).toContain(
    'int64,64,1,0,63,-9223372036854775808,9223372036854775807,,,,,int64,INT64,INT64,I64,int64_t',
  );
  expect(complaints).toEqual([]);
});

test('the number line is zoomed and moved by wheel, drag and keys, and gives the values it shows', async ({
  open,
}) => {
  const { page, complaints } = await open();
  await page.getByRole('button', { name: 'Number formats', exact: true }).click();
  const section = page.getByRole('region', { name: 'Number line' });
  const chart = section.getByRole('group', { name: /^The values of 19 formats from/ });
  await chart.scrollIntoViewIfNeeded();
  await expect(chart).toHaveAccessibleName(/from 0\.25 to 0\.4167, linear$/);
  await chart.press('+');
  await expect(chart).toHaveAccessibleName(/from 0\.2917 to 0\.375,/);
  await chart.press('Shift+ArrowRight');
  await expect(chart).toHaveAccessibleName(/from 0\.3 to 0\.3833,/);
  await chart.press('0');
  await expect(chart).toHaveAccessibleName(/from 0\.25 to 0\.4167,/);
  // By pointer: a fifth of the line to the left, then closer under Ctrl and the wheel.
  const { x, y, width } = (await chart.boundingBox())!;
  const plot = width - 104 - 62;
  await page.mouse.move(x + 104 + plot / 2, y + 60);
  await page.mouse.down();
  await page.mouse.move(x + 104 + plot * 0.3, y + 60, { steps: 4 });
  await page.mouse.up();
  await expect(chart).toHaveAccessibleName(/from 0\.28[34]\d* to 0\.45\d*,/);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -500);
  await page.keyboard.up('Control');
  await expect(chart).not.toHaveAccessibleName(/from 0\.28[34]\d* to 0\.45\d*,/);
  await section.getByRole('radio', { name: 'Log' }).click();
  await section.getByRole('button', { name: 'All' }).click();
  await expect(chart).toHaveAccessibleName(/from −1\.7e308 to 1\.7e308, logarithmic$/);
  // Arrows go along the marks, each of which is told, and Enter takes the value of one.
  await section.getByRole('radio', { name: 'Linear' }).click();
  await section.getByRole('button', { name: 'Near 1/3' }).click();
  await chart.press('Home');
  await expect(page.getByText(/^float64, values run together, from 0\.25 to /)).toBeAttached();
  const value = page.getByLabel('Value', { exact: true });
  await value.fill('5');
  await expect(chart).toHaveAccessibleName(/from 3\.75 to 6\.25/);
  await chart.press('End');
  await expect(page.getByText('uint64 6, bits 0x0000000000000006, step 2⁰')).toBeAttached();
  await page.keyboard.press('Enter');
  await expect(value).toHaveValue('6');
  expect(complaints).toEqual([]);
});

test('a number is put into fixed point and back, and overflow saturates or wraps at every width', async ({
  open,
}) => {
  const { page, complaints } = await open();
  await page.getByRole('button', { name: 'Number formats', exact: true }).click();
  const converter = page.getByRole('region', { name: 'A number in fixed point' });
  const step = (name: string) => converter.getByRole('row').filter({ hasText: name });
  await expect(step('scaled')).toContainText('42.6666666667');
  await expect(step('read back')).toContainText('43 / 2⁷ = 0.3359375 error 0.002604');
  await converter.getByRole('radio', { name: 'Toward zero' }).click();
  await expect(step('rounded')).toContainText('42');
  await converter.getByRole('textbox', { name: 'Real number' }).fill('1.25');
  await expect(step('clamped')).toContainText('saturates 127');
  await converter.getByRole('radio', { name: 'Qm.n' }).click();
  await converter.getByRole('spinbutton', { name: 'Integer bits' }).fill('3');
  await converter.getByRole('spinbutton', { name: 'Integer bits' }).press('Enter');
  await expect(step('read back')).toContainText('160 / 2⁷ = 1.25 error 0');
  await converter.getByRole('button', { name: 'Q3.7 bit 10, sign: 0', exact: true }).click();
  await expect(converter.getByRole('textbox', { name: 'Real number' })).toHaveValue('-6.75');
  const code = converter.getByRole('textbox', { name: 'Code' });
  await code.fill('0x7ff');
  await code.press('Enter');
  await expect(page.getByLabel('Value', { exact: true })).toHaveValue('-0.0078125');

  const lab = page.getByRole('region', { name: 'Multiply and accumulate' });
  const row = (name: string) => lab.getByRole('row').filter({ hasText: name });
  await lab.getByRole('radio', { name: 'int16, Q15' }).click();
  await lab.getByRole('button', { name: '−1 × −1' }).click();
  await expect(row('Q15, 16 bits')).toContainText(/saturates 32.767 \/ 2¹⁵ = 0\.999969482422/);
  await lab.getByRole('radio', { name: 'int32, Q31' }).click();
  await lab.getByRole('button', { name: 'Overflow' }).click();
  await expect(row('int32 sum')).toContainText('wraps');
  await expect(row('Q31 sum')).toContainText(/saturates\s+4\.294967296e9/);
  await lab.getByRole('radio', { name: 'int8, Q7' }).click();
  await expect(lab.getByRole('alert')).toContainText('A is from -128 to 127');
  await lab.getByRole('button', { name: 'Course' }).click();
  await lab.getByRole('button', { name: 'A bit 0, fraction: 0', exact: true }).click();
  await expect(lab.getByRole('textbox', { name: 'A', exact: true })).toHaveValue('−49');
  await expect(row('A × B').first()).toContainText(/−1.470/);
  expect(complaints).toEqual([]);
});

test('the lab needs no model; bits are one stop of Tab, and a flip to infinity is told', async ({
  open,
}) => {
  const { page, complaints } = await open();
  await page.getByRole('button', { name: 'Number formats', exact: true }).click();
  const main = page.getByRole('main', { name: 'Formats' });
  const value = main.getByLabel('Value', { exact: true });
  await value.fill('1.5');
  const bit = (name: string) => main.getByRole('button', { name, exact: true });
  await bit('float8_e5m2 bit 7, sign: 0').focus();
  await page.keyboard.press('End');
  await expect(bit('float8_e5m2 bit 0, fraction: 0')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(value).toHaveValue('1.75');
  await page.keyboard.press('Tab');
  await expect(main.getByRole('button', { name: 'q7', exact: true })).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(bit('q7 bit 7, sign: 0')).toBeFocused();
  await value.fill('1');
  await bit('float8_e5m2 bit 6, exponent: 0').click();
  await expect(main.getByRole('status')).toHaveText(
    'float8_e5m2 7c is infinity, not a number. The value stays 1.',
  );
  await expect(value).toHaveValue('1');
  await value.fill('1.7976931348623157e308');
  await expect(
    main
      .getByRole('region', { name: 'One value in every format' })
      .getByRole('row')
      .filter({ hasText: /^float16/ }),
  ).toContainText('inf');
  await main
    .getByRole('navigation', { name: 'Subjects' })
    .getByRole('button', { name: 'Multiply-accumulate' })
    .click();
  await expect(main.getByRole('region', { name: 'Multiply and accumulate' })).toBeInViewport();
  await page.getByRole('button', { name: 'Welcome' }).click();
  await expect(page.getByText('Drop a model here')).toBeVisible();
  expect(complaints).toEqual([]);
});

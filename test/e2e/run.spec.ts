import * as fs from 'node:fs';
import * as path from 'node:path';
import { zipSync } from 'fflate';
import { processorSecondsOf } from '../helpers/cpu.ts';
import { endlessModel, matMulModel } from '../helpers/onnx-model.ts';
import { enginePids, expect, figuresSettle, SAMPLE, test } from './app.ts';

test('A and B run beside the original, and what they answered is stale after a change', async ({
  open,
}) => {
  const app = await open(SAMPLE);
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const main = page.getByRole('main', { name: 'Run' });
  await expect(main).toContainText('Nothing has run yet');
  await main.getByLabel('Mode of B').selectOption('dynamic');
  await main.getByRole('button', { name: 'Run A and B' }).click();
  const outputs = main.getByRole('region', { name: 'Outputs' });
  const cells = outputs.getByRole('row').filter({ hasText: 'softmax_0.tmp_0' }).getByRole('cell');
  await expect(cells).toHaveCount(8, { timeout: 30_000 });
  for (const at of [0, 4])
    expect(parseFloat((await cells.nth(at).textContent())!)).toBeGreaterThan(15);
  await expect(main.getByRole('region', { name: 'Time' }).getByRole('row')).toHaveCount(3);
  const kernels = main.getByRole('region', { name: 'Kernels' });
  await expect(kernels.getByRole('heading', { level: 3 })).toHaveText(['Aint8', 'Buint8']);
  await expect(kernels).toContainText(/nodes that onnxruntime runs, \d+ work on integers/);
  await expect(kernels).toContainText(
    'DequantizeLinear nodes restore weights to floats at each run',
  );
  await expect(outputs).not.toContainText('before the last change');
  await page.getByLabel('dtype of A', { exact: true }).selectOption('int16');
  await expect(outputs).toContainText('before the last change');
  expect(app.complaints).toEqual([]);
});

test('samples come from a folder of files, and an exported file is run on them', async ({
  open,
  folder,
}) => {
  const model = path.join(folder, 'model.onnx');
  fs.writeFileSync(model, matMulModel(8, 4));
  const samples = path.join(folder, 'samples');
  fs.mkdirSync(samples);
  fs.writeFileSync(path.join(samples, 'one.npz'), zipSync({ 'x.npy': npy([1, 8]) }));
  const app = await open(model);
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const main = page.getByRole('main', { name: 'Run' });
  await app.answerOpen(samples);
  await main.getByRole('button', { name: 'From files…' }).click();
  await expect(main.getByRole('button', { name: 'samples', pressed: true })).toBeVisible();
  await app.answerOpen(model);
  await main.getByRole('button', { name: 'Run a file…' }).click();
  const outputs = main.getByRole('region', { name: 'Outputs' });
  await expect(outputs).toContainText('1 sample');
  await expect(outputs.getByRole('row').last()).toContainText('exact');
});

test('what onnxruntime refuses is said in its own words, and the window works on', async ({
  open,
  folder,
}) => {
  const model = path.join(folder, 'model.onnx');
  fs.writeFileSync(model, matMulModel(8, 4));
  const other = path.join(folder, 'other.onnx');
  fs.writeFileSync(other, matMulModel(8, 5));
  const app = await open(model);
  const { page } = app;
  await figuresSettle(app);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const main = page.getByRole('main', { name: 'Run' });
  await app.answerOpen(other);
  await main.getByRole('button', { name: 'Run a file…' }).click();
  await expect(main.getByRole('alert')).toContainText('no output can be compared');
  await page.getByRole('button', { name: 'Layers', exact: true }).click();
  await expect(page.getByRole('grid', { name: 'Layers' })).toBeVisible();
});

/** A .npy file of float32 ones (numpy's format 1.0). */
function npy(shape: readonly number[]): Uint8Array {
  const count = shape.reduce((a, b) => a * b, 1);
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const header = Buffer.from(text.padEnd(117) + '\n');
  const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, header.length, 0]);
  return Buffer.concat([head, header, new Uint8Array(new Float32Array(count).fill(1).buffer)]);
}

test('Cancel in the middle of an inference ends the runtime, and the engine lives', async ({
  open,
  folder,
}) => {
  const model = path.join(folder, 'endless.onnx');
  fs.writeFileSync(model, endlessModel());
  const app = await open(model);
  const { page, electron } = app;
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const main = page.getByRole('main', { name: 'Run' });
  const engines = await enginePids(app);
  const runtimes = (): Promise<number[]> =>
    electron.evaluate(({ app: electronApp }) =>
      electronApp
        .getAppMetrics()
        .filter(({ serviceName, name }) => [serviceName, name].includes('quantscope-runtime'))
        .map(({ pid }) => pid),
    );
  for (let time = 0; time < 3; time++) {
    await app.answerOpen(model);
    await main.getByRole('button', { name: 'Run a file…' }).click();
    await expect.poll(runtimes).toHaveLength(1);
    // Until it is in the middle of the inference: to start and to load the model takes half as much of the processor.
    const [runtime] = await runtimes();
    if (processorSecondsOf(runtime!) === null) await page.waitForTimeout(1500);
    else await expect.poll(() => processorSecondsOf(runtime!)).toBeGreaterThan(0.6);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(runtimes).toEqual([]);
    await expect(main.getByRole('button', { name: 'Run a file…' })).toBeEnabled();
  }
  expect(await enginePids(app)).toEqual(engines);
  expect(app.complaints).toEqual([]);
});

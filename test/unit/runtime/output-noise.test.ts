import * as fs from 'node:fs';
import * as path from 'node:path';
import { zipSync } from 'fflate';
import { expect, test } from 'vitest';
import { runNoise } from '../../../electron/engine/copies-noise.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats, floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const options = { signal: new AbortController().signal };
const WIDTH = 32;

const input = value('x', [1, WIDTH]);
const output = value('y', [1, WIDTH]);
const initializer = [floatTensor('w', [WIDTH, WIDTH], randomValues(WIDTH * WIDTH, 1))];

/** y = x W, one sample as the next. */
const plain = model({
  node: [node('MatMul', ['x', 'w'], ['y'])],
  ...{ input: [input], output: [output], initializer },
});

/** y = tanh((x + h0) W), and hn the same. */
const recurrent = model({
  node: [
    node('Add', ['x', 'h0'], ['s']),
    node('MatMul', ['s', 'w'], ['m']),
    node('Tanh', ['m'], ['y']),
    node('Identity', ['y'], ['hn']),
  ],
  input: [input, value('h0', [1, WIDTH])],
  output: [output, value('hn', [1, WIDTH])],
  initializer,
});

/** y, and beside it ids = ArgMax(y), a comparison of y, and a float output that is always 0. */
const answering = (...names: readonly string[]) =>
  model({
    node: [
      node('MatMul', ['x', 'w'], ['y']),
      node('ArgMax', ['y'], ['ids'], { attribute: [{ name: 'axis', type: 2, i: 1 }] }),
      node('Greater', ['y', 'x'], ['above']),
      node('Sub', ['x', 'x'], ['none']),
    ],
    ...{ input: [input], initializer },
    output: [
      ...[output, value('ids', [1, 1], 7), value('above', [1, WIDTH], 9)],
      value('none', [1, WIDTH]),
    ].filter(({ name }) => names.includes(name!)),
  });

/** The noise of an int8 copy over samples, the last of them eight times as large. */
async function noiseOf(bytes: Uint8Array, count: number) {
  const session = Session.open(writeFile(folder, bytes), pool);
  const copy = path.join(fs.mkdtempSync(path.join(folder, 'copy-')), 'copy.onnx');
  await session.export(recipe('int8', { minElements: 0 }), 'qdq', copy, options);
  const inputs = fs.mkdtempSync(path.join(folder, 'samples-'));
  // A folder within is a sequence for a model with a state.
  const place = path.join(inputs, 'recording');
  fs.mkdirSync(place);
  for (let at = 0; at < count; at++) {
    const values = randomValues(WIDTH, at + 2).map((each) => (at === count - 1 ? 8 * each : each));
    const array = npyFile('<f4', [1, WIDTH], floats(values));
    fs.writeFileSync(path.join(place, `${100 + at}.npz`), zipSync({ 'x.npy': array }));
  }
  const wanted = { mode: 'qdq', inputs: { inputs, samples: count, seed: 0 } } as const;
  const [found] = await runNoise(session, sharedRuntime, [copy], wanted, options);
  session.close();
  return found!;
}

test('is the sum of what each sample adds', async () => {
  const { noise, bySample } = await noiseOf(plain, 5);
  expect(bySample.length).toBe(5);
  expect(bySample.every((each) => each > 0)).toBe(true);
  expect(bySample.reduce((sum, each) => sum + each) / noise).toBeCloseTo(1, 12);
  expect(bySample[4]! / noise).toBeGreaterThan(0.8);
});

test('of a sequence is the sum of what stretches of its steps add', async () => {
  const { noise, bySample } = await noiseOf(recurrent, 40);
  expect(bySample.length).toBe(16);
  expect(bySample.every((each) => each > 0)).toBe(true);
  expect(bySample.reduce((sum, each) => sum + each) / noise).toBeCloseTo(1, 12);
});

test('leaves integers and booleans out where the model has float outputs', async () => {
  const [alone, beside] = [
    await noiseOf(answering('y'), 5),
    await noiseOf(answering('y', 'ids', 'above'), 5),
  ];
  expect(alone.noise).toBeGreaterThan(0);
  expect(beside).toEqual(alone);
});

test('of integers is that of their values where no float output tells anything', async () => {
  const [ids, beside] = [
    await noiseOf(answering('ids'), 5),
    await noiseOf(answering('ids', 'none'), 5),
  ];
  expect(ids.bySample.length).toBe(5);
  expect(beside).toEqual(ids);
});

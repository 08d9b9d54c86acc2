import * as fs from 'node:fs';
import * as path from 'node:path';
import { zipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { nextFeeds } from '../../../electron/engine/calibrate/data/next-feeds.ts';
import { openSamples } from '../../../electron/engine/calibrate/data/samples.ts';
import type { InputFacts } from '../../../electron/engine/runtime/dimensions.ts';
import { NO_HINTS, type ModelFacts } from '../../../electron/engine/runtime/inputs.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const float = (name: string, shape: InputFacts['shape']): InputFacts => ({
  name,
  type: 'float32',
  shape,
});
const facts = (inputs: InputFacts[], outputs: InputFacts[] = []): ModelFacts => ({
  inputs,
  outputs,
  hints: NO_HINTS,
});
const array = (...values: number[]): Uint8Array =>
  npyFile('<f4', [1, values.length], floats(values));

let made = 0;
function samples(files: Record<string, Uint8Array>): string {
  const target = path.join(folder, `samples-${made++}`);
  fs.mkdirSync(target);
  for (const [name, bytes] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
    writeFile(target, bytes, name);
  }
  return target;
}

describe('samples of arrays', () => {
  const model = facts([float('x', ['batch', 'n'])]);

  test('each .npy of a folder is a sample for a model with one input, of its own shape', async () => {
    const opened = await openSamples(samples({ '1.npy': array(1), '2.npy': array(2, 3) }), model);
    expect(opened.count).toBe(2);
    expect(opened.sequence).toBe(false);
    expect((await opened.at(1))['x']).toEqual({
      type: 'float32',
      dims: [1, 2],
      data: Float32Array.of(2, 3),
    });
  });

  test('a .npy by the name of the input is the sample, beside others', async () => {
    const opened = await openSamples(samples({ 'x.npy': array(1), 'y.npy': array(2) }), model);
    expect(opened.count).toBe(1);
    expect((await opened.at(0))['x']!.data).toEqual(Float32Array.of(1));
  });

  test('a list of files is taken in its order', async () => {
    const place = samples({ '1.npy': array(1), '2.npz': zipSync({ 'a.npy': array(2) }) });
    const files = ['2.npz', '1.npy'].map((name) => path.join(place, name));
    const opened = await openSamples(files, model);
    const first = [(await opened.at(0))['x']!.data, (await opened.at(1))['x']!.data];
    expect(first).toEqual([Float32Array.of(2), Float32Array.of(1)]);
  });

  test('a file of a list that is no sample is named', async () => {
    const place = samples({ 'notes.txt': Uint8Array.of(1) });
    await expect(openSamples([path.join(place, 'notes.txt')], model)).rejects.toThrow(
      /notes\.txt, samples: is not a sample \(found \.txt, expected .*\.npz/,
    );
  });

  test('each sample is read when it is asked for, and a broken one is named then', async () => {
    const place = samples({ '1.npy': array(1), '2.npy': Uint8Array.of(1), '3.npy': array(3) });
    const opened = await openSamples(place, model);
    expect(opened.count).toBe(3);
    await expect(opened.at(1)).rejects.toThrow(/2\.npy, magic/);
    writeFile(place, array(7), '2.npy');
    expect((await opened.at(1))['x']!.data).toEqual(Float32Array.of(7));
  });

  test('the message for other names says what to do', async () => {
    const two = facts([float('a', [1, 1]), float('b', [1, 1])]);
    await expect(openSamples(samples({ 'c.npy': array(1) }), two)).rejects.toThrow(
      /a: a sample has no array for the input \(found c .*name each array as its input/,
    );
  });
});

describe('sequences', () => {
  const model = facts(
    [float('x', ['batch', 1]), float('h0', [1, 'batch', 2])],
    [float('y', ['batch', 1]), float('hn', [1, 'batch', 2])],
  );
  const step = (value: number): Uint8Array => zipSync({ 'x.npy': array(value) });

  test('a folder of .npz files is one; its states are zero at first, then what the step before left', async () => {
    const opened = await openSamples(
      samples({ 'a/1.npz': step(1), 'a/2.npz': step(2), 'b/1.npz': step(3) }),
      model,
    );
    expect([opened.count, opened.sequence]).toEqual([3, true]);
    expect([0, 1, 2].map((index) => opened.startsSequence(index))).toEqual([true, false, true]);
    expect(opened.carried).toEqual(new Map([['h0', 'hn']]));
    expect((await opened.at(0))['h0']).toEqual({
      type: 'float32',
      dims: [1, 1, 2],
      data: new Float32Array(2),
    });
    const outputs = new Map([
      ['hn', { dims: [1, 1, 2], data: Float64Array.of(5, 6), isText: false }],
    ]);
    const next = nextFeeds(await opened.at(1), outputs, opened.carried);
    expect(next['x']!.data).toEqual(Float32Array.of(2));
    expect(next['h0']).toEqual({ type: 'float32', dims: [1, 1, 2], data: Float32Array.of(5, 6) });
  });

  test('states of every type go on as the type of their input', () => {
    const feeds = {
      h: { type: 'float16', dims: [1], data: Uint16Array.of(0) },
      n: { type: 'int64', dims: [1], data: BigInt64Array.of(0n) },
    };
    const outputs = new Map([
      ['ho', { dims: [1], data: [1.5], isText: false }],
      ['no', { dims: [1], data: [7], isText: false }],
    ]);
    const carried = new Map([
      ['h', 'ho'],
      ['n', 'no'],
    ]);
    const next = nextFeeds(feeds, outputs, carried);
    expect(next['h']!.data).toEqual(Uint16Array.of(0x3e00));
    expect(next['n']!.data).toEqual(BigInt64Array.of(7n));
  });
});

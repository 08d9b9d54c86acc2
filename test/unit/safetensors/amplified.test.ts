import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { compareNames } from '../../../electron/engine/formats/safetensors/read/name-order.ts';
import { MAX_PARAMETERS } from '../../../electron/engine/formats/safetensors/read/parameter-reader.ts';
import type { Model } from '../../../shared/model.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { floats, rawFile, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** Small files whose names or shared tensors would stand for far more. */
const folder = temporaryFolder();

function opened(bytes: Uint8Array): Model {
  const file = path.join(folder, 'm.safetensors');
  fs.writeFileSync(file, bytes);
  const model = openModel(file);
  model.close();
  return model.model;
}

test.each([
  ['numbers', `a${'.1'.repeat(100_000)}.weight`],
  ['numbers before a word', `a${'.1'.repeat(100_000)}.x.weight`],
  ['dots', `${'.'.repeat(200_000)}weight`],
  ['words', `a${'_a'.repeat(100_000)}.weight`],
  ['digits', '1a'.repeat(100_000)],
])('a long name of %s opens in linear time', (_, name) => {
  const bytes = safetensorsFile({ [name]: floats([2, 2]) });
  const time = cpuMilliseconds(() => expect(opened(bytes).tensors[0]!.name).toBe(name));
  expect(time).toBeLessThan(1000);
});

test('a scale that 20,000 tensors share is read once, and they have the same array', () => {
  const count = 20_000;
  const header: Record<string, unknown> = {};
  const described: Record<string, unknown> = {};
  const at = 4096 * 4;
  header['s'] = { dtype: 'F32', shape: [4096], data_offsets: [0, at] };
  for (let index = 0; index < count; index++) {
    header[`c${index}`] = { dtype: 'I8', shape: [4096, 0], data_offsets: [at, at] };
    described[`w${index}`] = {
      ...{ dtype: 'int8', shape: [4096, 0], axis: 0 },
      ...{ codes: `c${index}`, scale: 's' },
    };
  }
  header['__metadata__'] = { 'quantscope.quantization': JSON.stringify(described) };
  const bytes = rawFile(JSON.stringify(header), floats([4096]).bytes);
  const time = cpuMilliseconds(() => {
    const { tensors } = opened(bytes);
    const [first, second] = tensors.map(({ quantization }) => quantization);
    expect(first!.scale).toHaveLength(4096);
    expect(second!.scale).toBe(first!.scale);
    expect(second!.zeroPoint).toBe(first!.zeroPoint);
    expect(tensors).toHaveLength(count + 1);
  });
  expect(time).toBeLessThan(3000);
});

test('scales beyond the limit of a model stay in the file', () => {
  const rows = MAX_PARAMETERS / 2 + 1;
  const { tensors } = opened(
    safetensorsFile({
      'a.weight': { dtype: 'I8', shape: [rows, 1], bytes: new Uint8Array(rows) },
      'a.weight_scale': { dtype: 'F16', shape: [rows, 1], bytes: new Uint8Array(2 * rows) },
      'b.weight': { dtype: 'I8', shape: [2, 2], bytes: new Uint8Array(4) },
      'b.weight_scale': floats([2, 1]),
    }),
  );
  const scales = tensors.map(({ quantization }) => quantization?.scale.length ?? null);
  expect(scales).toEqual([rows, null, 2, null]);
  expect(tensors[0]!.quantization!.zeroPoint).toEqual([]);
});

test('where the limit falls between scales and their zero points neither is read, and both are said to be unread', () => {
  const rows = MAX_PARAMETERS / 2 + 1;
  const { tensors } = opened(
    safetensorsFile({
      'a.weight': { dtype: 'I8', shape: [rows, 1], bytes: new Uint8Array(rows) },
      'a.weight_scale': { dtype: 'F16', shape: [rows, 1], bytes: new Uint8Array(2 * rows) },
      'a.weight_zero_point': { dtype: 'I8', shape: [rows, 1], bytes: new Uint8Array(rows).fill(3) },
      'b.weight': { dtype: 'I8', shape: [2, 2], bytes: new Uint8Array(4) },
      'b.weight_scale': floats([2, 1]),
      'b.weight_zero_point': { dtype: 'I8', shape: [2, 1], bytes: new Uint8Array(2).fill(3) },
    }),
  );
  const [a, b] = ['a.weight', 'b.weight'].map(
    (name) => tensors.find((tensor) => tensor.name === name)!.quantization!,
  );
  expect(a).toEqual({ scale: [], zeroPoint: [], axis: 0, blockSize: null, unread: rows });
  expect(b!.zeroPoint).toEqual([3, 3]);
  expect(b).not.toHaveProperty('unread');
});

test('names are in the order of the numbers in them', () => {
  const names = ['a.10', 'a.9', 'a', 'a.2.b', 'a.02', 'b', 'a.2', 'A', 'a.', '10', '9', 'é', ''];
  expect(names.sort(compareNames)).toEqual([
    ...['', '9', '10', 'A', 'a', 'a.', 'a.02', 'a.2', 'a.2.b', 'a.9', 'a.10', 'b', 'é'],
  ]);
  expect(compareNames(`x${'9'.repeat(16)}`, `x1${'0'.repeat(16)}`)).toBeGreaterThan(0);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { readNumbers } from '../../../electron/engine/tensor-bytes.ts';
import { handlesInto } from '../../helpers/handles.ts';
import { floats, model, node } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const bytes = floats([1, 2, 3, 4]);
writeFile(folder, Buffer.concat([new Uint8Array(8), bytes]), 'weights.bin');
writeFile(folder, bytes, 'file..name.bin');
fs.mkdirSync(path.join(folder, 'sub'));
writeFile(path.join(folder, 'sub'), bytes, 'weights.bin');
fs.symlinkSync(path.join(folder, 'file..name.bin'), path.join(folder, 'link.bin'));
const elsewhere = temporaryFolder();
writeFile(elsewhere, bytes, 'x.bin');
fs.symlinkSync(path.join(elsewhere, 'x.bin'), path.join(folder, 'out.bin'));
fs.symlinkSync(elsewhere, path.join(folder, 'outside'));
fs.symlinkSync(path.join(folder, 'sub'), path.join(folder, 'linked'));
writeFile(folder, bytes, 'first.bin');
fs.linkSync(path.join(folder, 'first.bin'), path.join(folder, 'second.bin'));

type Entries = readonly (readonly [string, string])[];

function modelWith(entries: Entries): string {
  const externalData = entries.map(([key, value]) => ({ key, value }));
  const tensor = { name: 'w', dims: [2, 2], dataType: 1, dataLocation: 1, externalData };
  return writeFile(
    folder,
    model({ initializer: [tensor], node: [node('MatMul', ['x', 'w'], ['y'])] }),
    'model.onnx',
  );
}

describe('external data is refused', () => {
  const located = (location: string): Entries => [['location', location]];
  test.each<[string, Entries, RegExp]>([
    ['above the folder', located('../x'), /location.*not allowed.*found \.\.\/x/],
    ['above it by a detour', located('a/../../x'), /not allowed/],
    ['at an absolute path', located('/etc/passwd'), /not allowed/],
    ['on a drive', located('C:\\x'), /not allowed/],
    ['on a drive without a slash', located('C:x'), /not allowed/],
    ['on another machine', located('\\\\host\\share'), /not allowed/],
    ['behind backslashes', located('a\\b'), /not allowed/],
    ['without a location', [], /not allowed.*found nothing/],
    ['at .', located('.'), /not allowed/],
    ['with NUL in its name', located('a\u0000b'), /not allowed.*a\\u0000b/],
    ['at a link out of the folder', located('out.bin'), /is a link that leads out.*out\.bin/],
    ['below a linked folder outside', located('outside/x.bin'), /is a link that leads out/],
    ['at a folder that is not there', located('nowhere/../weights.bin'), /missing/],
    ['at a folder', located('sub'), /is not a regular file.*found sub/],
    ['when the file is missing', located('nowhere.bin'), /missing.*nowhere\.bin/],
    [
      'at a name that no file can have',
      located('x'.repeat(70_000)),
      /w: .*cannot be opened \(found a name that is too long/,
    ],
    ['in the model file itself', located('model.onnx'), /is the model file itself/],
    [
      'with a negative offset',
      [
        ['location', 'weights.bin'],
        ['offset', '-8'],
      ],
      /offset.*no whole number.*found -8/,
    ],
    [
      'with an offset that is no number',
      [
        ['location', 'weights.bin'],
        ['offset', 'x'],
      ],
      /no whole number/,
    ],
    [
      'with an offset in exponents',
      [
        ['location', 'weights.bin'],
        ['offset', '1e3'],
      ],
      /no whole number.*1e3/,
    ],
    [
      'with a huge length',
      [
        ['location', 'weights.bin'],
        ['length', '99999999999999999999'],
      ],
      /no whole number/,
    ],
    [
      'past the end of its file',
      [
        ['location', 'weights.bin'],
        ['offset', '9'],
      ],
      /past the end.*within 24 bytes/,
    ],
    [
      'with an offset near 2^53',
      [
        ['location', 'weights.bin'],
        ['offset', '9007199254740991'],
      ],
      /past the end/,
    ],
    [
      'with a length that is not its shape',
      [
        ['location', 'weights.bin'],
        ['length', '8'],
      ],
      /length.*shape.*found 8.*expected 16/,
    ],
    [
      'with an unknown key',
      [
        ['location', 'weights.bin'],
        ['color', 'red'],
      ],
      /unknown key.*color/,
    ],
    [
      'with a key twice',
      [
        ['location', 'weights.bin'],
        ['location', 'weights.bin'],
      ],
      /key twice/,
    ],
  ])('%s', (_, entries, pattern) => {
    const file = modelWith(entries);
    try {
      openModel(file).close();
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      expect(error).toMatchObject({ code: 'EXTERNAL_DATA', details: { file, field: 'w' } });
      expect((error as AppError).message).toMatch(pattern);
      return;
    }
    throw new Error('it was accepted');
  });
});

describe('external data is read', () => {
  test.each<[string, Entries]>([
    [
      'at an offset',
      [
        ['location', 'weights.bin'],
        ['offset', '8'],
        ['length', '16'],
      ],
    ],
    ['in a folder below', [['location', 'sub/weights.bin']]],
    ['behind a dot', [['location', './sub/./weights.bin']]],
    ['behind a slash twice', [['location', 'sub//weights.bin']]],
    ['by a way back', [['location', 'sub/../file..name.bin']]],
    ['by way of its own folder', [['location', `../${path.basename(folder)}/sub/weights.bin`]]],
    ['through a link in the folder', [['location', 'link.bin']]],
    ['through a linked folder in the folder', [['location', 'linked/weights.bin']]],
    ['at a hard link', [['location', 'second.bin']]],
    [
      'with places of prepacked weights, and a length of 0',
      [
        ['location', 'file..name.bin'],
        ['length', '0'],
        ['prepacked_0', 'MatMul+1|0;16;0'],
      ],
    ],
    ['from a name with two dots in it', [['location', 'file..name.bin']]],
    [
      'with a checksum, which is not checked',
      [
        ['location', 'file..name.bin'],
        ['checksum', 'abc'],
      ],
    ],
  ])('%s', (_, entries) => {
    const opened = openModel(modelWith(entries));
    const [w] = opened.model.tensors;
    expect(w).toMatchObject({ storage: 'external', bytes: 16 });
    expect(readNumbers(opened.files, w!)).toEqual([1, 2, 3, 4]);
    expect(opened.model.files).toHaveLength(2);
    opened.close();
  });
});

test('one file under several names is one file', () => {
  const tensor = (name: string, location: string) => ({
    ...{ name, dims: [2, 2], dataType: 1, dataLocation: 1 },
    externalData: [{ key: 'location', value: location }],
  });
  const names = ['file..name.bin', './file..name.bin', 'sub/../link.bin'];
  const file = writeFile(
    folder,
    model({ initializer: names.map((at, id) => tensor(`w${id}`, at)) }),
  );
  const opened = openModel(file);
  opened.close();
  expect(opened.model.files).toHaveLength(2);
  expect(opened.model.tensors.map(({ data }) => data.ranges[0]!.file)).toEqual([1, 1, 1]);
});

describe('in the cache of huggingface_hub', () => {
  const repository = path.join(folder, 'models--me--tiny');
  const blobs = path.join(repository, 'blobs');
  const snapshot = path.join(repository, 'snapshots', '9'.repeat(40), 'onnx');
  fs.mkdirSync(snapshot, { recursive: true });
  fs.mkdirSync(blobs);
  const hash = 'a1'.repeat(32);
  writeFile(blobs, bytes, hash);
  const tensor = { name: 'w', dims: [2, 2], dataType: 1, dataLocation: 1 };
  const externalData = [{ key: 'location', value: 'model.onnx_data' }];
  const graph = { initializer: [{ ...tensor, externalData }] };
  writeFile(blobs, model(graph), 'b2'.repeat(32));
  fs.symlinkSync(`../../../blobs/${'b2'.repeat(32)}`, path.join(snapshot, 'model.onnx'));
  writeFile(snapshot, model(graph), 'copied.onnx');
  const link = (target: string): void => {
    fs.rmSync(path.join(snapshot, 'model.onnx_data'), { force: true });
    fs.symlinkSync(target, path.join(snapshot, 'model.onnx_data'));
  };

  test.each(['model.onnx', 'copied.onnx'])('%s has its data in a blob', (name) => {
    link(`../../../blobs/${hash}`);
    const opened = openModel(path.join(snapshot, name));
    expect(readNumbers(opened.files, opened.model.tensors[0]!)).toEqual([1, 2, 3, 4]);
    opened.close();
  });

  test('a link that leads elsewhere is refused', () => {
    const other = path.join(folder, 'models--me--other', 'blobs');
    fs.mkdirSync(other, { recursive: true });
    writeFile(other, bytes, hash);
    writeFile(repository, bytes, hash);
    for (const target of [path.join(other, hash), `../../../${hash}`]) {
      link(target);
      for (const name of ['model.onnx', 'copied.onnx'])
        expect(() => openModel(path.join(snapshot, name))).toThrow(/is a link that leads out/);
    }
  });
});

test('a model with 3,000 files of external data opens in linear time with few descriptors', () => {
  const where = path.join(folder, 'many');
  fs.mkdirSync(where);
  const initializer = Array.from({ length: 3000 }, (_, at) => {
    writeFile(where, bytes, `${at}.bin`);
    const externalData = [{ key: 'location', value: `${at}.bin` }];
    return { name: `w${at}`, dims: [2, 2], dataType: 1, dataLocation: 1, externalData };
  });
  const file = writeFile(where, model({ initializer }), 'many.onnx');
  const opened = openModel(file);
  expect(handlesInto(where)).toBeLessThanOrEqual(64);
  expect(opened.model.files).toHaveLength(3001);
  for (const tensor of opened.model.tensors)
    expect(readNumbers(opened.files, tensor)).toEqual([1, 2, 3, 4]);
  fs.writeFileSync(path.join(where, '0.bin'), floats([5, 6, 7, 8]));
  expect(() => readNumbers(opened.files, opened.model.tensors[0]!)).toThrow(/changed since/);
  opened.close();
  expect(handlesInto(where)).toBe(0);
});

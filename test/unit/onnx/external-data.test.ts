import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { readNumbers } from '../../../electron/engine/tensor-bytes.ts';
import { floats, model, node } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const bytes = floats([1, 2, 3, 4]);
writeFile(folder, Buffer.concat([new Uint8Array(8), bytes]), 'weights.bin');
writeFile(folder, bytes, 'file..name.bin');
fs.mkdirSync(path.join(folder, 'sub'));
writeFile(path.join(folder, 'sub'), bytes, 'weights.bin');
fs.symlinkSync(path.join(folder, 'weights.bin'), path.join(folder, 'link.bin'));
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
    ['at a symbolic link', located('link.bin'), /is a link.*symbolic link/],
    ['below a linked folder', located('linked/weights.bin'), /is a link/],
    ['at a hard link', located('second.bin'), /is a link.*2 hard links/],
    ['when the file is missing', located('nowhere.bin'), /missing.*nowhere\.bin/],
    [
      'at a name that no file can have',
      located('x'.repeat(70_000)),
      /w: .*cannot be opened \(found a name that is too long/,
    ],
    ['in the model file itself', located('model.onnx'), /in the model file itself/],
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

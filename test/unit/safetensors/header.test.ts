import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { floats, rawFile, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
let count = 0;

function open(bytes: Uint8Array, name = `model-${count++}.safetensors`) {
  const opened = openModel(writeFile(folder, bytes, name));
  opened.close();
  return opened.model;
}

function refusal(bytes: Uint8Array, name?: string): { code: string; message: string } {
  try {
    open(bytes, name);
  } catch (error) {
    if (error instanceof AppError && error.details.file !== undefined)
      return {
        code: error.code,
        message: error.message.slice(error.details.file.length).replace(/^, /, ''),
      };
    throw error;
  }
  throw new Error('it opened');
}

/** Eight bytes of data behind a header. */
const eight = new Uint8Array(8);
const tensor = (json: string): Uint8Array => rawFile(`{"w":${json}}`, eight);

describe('a file is refused with its exact error', () => {
  test.each<[string, Uint8Array, string]>([
    [
      'under 8 bytes',
      new Uint8Array([1, 2, 3]),
      'header length, at byte 0: is too short for a safetensors file: the file ends early: at least 8 bytes expected, 3 bytes found; copy or download it again (found 3 bytes, expected at least 8)',
    ],
    [
      'a header of no length',
      new Uint8Array(16),
      'header length, at byte 0: there is no header (found 0 bytes, expected a JSON object)',
    ],
    [
      'a header past the end',
      rawFile('{}').fill(9, 0, 1),
      'header length, at byte 0: the header would end past the file: the file ends early: at least 17 bytes expected, 10 bytes found; copy or download it again (found 9 bytes, expected at most 2)',
    ],
    [
      'a header of 2^64 - 1 bytes',
      rawFile('{}').fill(255, 0, 8),
      'header length, at byte 0: the header would end past the file (found 18446744073709551615 bytes, expected at most 2)',
    ],
    [
      'a header that is no object',
      rawFile('[]', eight),
      "header, at byte 8: the header does not begin as it must (found 0x5b, expected '{')",
    ],
    [
      'a header that is not UTF-8',
      rawFile('{"w":1}').fill(0xff, 10, 11),
      'header, at byte 8: the header is not text (found bytes that are not UTF-8, expected UTF-8)',
    ],
    [
      'bad JSON',
      rawFile('{"w" 1}'),
      "header, at byte 13: is not the JSON that it should be (found 1}, expected ':')",
    ],
    [
      'a header without an end',
      rawFile('{"__metadata__":{}'),
      "header, at byte 26: is not the JSON that it should be (found the end, expected ',' or '}')",
    ],
    [
      'text behind the header',
      rawFile('{} x'),
      'header, at byte 11: is not the JSON that it should be (found x, expected nothing more)',
    ],
    [
      'a comma too many',
      rawFile('{"w":{"dtype":"F32",}}'),
      'w, at byte 28: is not the JSON that it should be (found }}, expected a key)',
    ],
    [
      'deep JSON',
      rawFile(`{"w":{"x":${'['.repeat(100)}${']'.repeat(100)}}}`),
      `w.x.${'0.'.repeat(61)}0, at byte 80: is nested too deep (found over 64 levels, expected at most 64)`,
    ],
    [
      'a tensor twice',
      rawFile('{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"w":{}}'),
      'header, at byte 61: a key stands twice (found w, expected each key once)',
    ],
    [
      'a field twice',
      tensor('{"dtype":"U8","dtype":"I8"}'),
      'w, at byte 27: a key stands twice (found dtype, expected each key once)',
    ],
    [
      'a tensor twice under an escape',
      rawFile('{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\\u0077":{}}'),
      'header, at byte 61: a key stands twice (found w, expected each key once)',
    ],
    [
      'half a surrogate pair',
      rawFile('{"\\ud800":{}}'),
      'header, at byte 9: half of a surrogate pair (found \\ud800, expected Unicode text)',
    ],
    [
      'metadata that is no object',
      rawFile('{"__metadata__":[]}'),
      '__metadata__, at byte 24: is not the JSON that it should be (found []}, expected an object)',
    ],
    [
      'metadata that is no string',
      rawFile('{"__metadata__":{"step":7}}'),
      '__metadata__.step, at byte 32: is not the JSON that it should be (found 7}}, expected a string)',
    ],
    [
      'no dtype',
      tensor('{"shape":[2],"data_offsets":[0,8]}'),
      'w.dtype: is missing (found nothing, expected an element type)',
    ],
    [
      'no shape',
      tensor('{"dtype":"F32","data_offsets":[0,8]}'),
      'w.shape: is missing (found nothing, expected an array of sizes)',
    ],
    [
      'no offsets',
      tensor('{"dtype":"F32","shape":[2]}'),
      'w.data_offsets: is missing or too short (found 0 numbers, expected 2)',
    ],
    [
      'one offset',
      tensor('{"dtype":"F32","shape":[2],"data_offsets":[0]}'),
      'w.data_offsets: is missing or too short (found 1 numbers, expected 2)',
    ],
    [
      'three offsets',
      tensor('{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}'),
      'w.data_offsets.2, at byte 60: holds too many numbers (found over 2, expected at most 2)',
    ],
    [
      'an unknown dtype',
      tensor('{"dtype":"F31","shape":[2],"data_offsets":[0,8]}'),
      'w.dtype, at byte 22: is no element type (found F31, expected F64, F32, F16, BF16, F8_E4M3, F8_E4M3FNUZ, F8_E5M2, F8_E5M2FNUZ, F8_E8M0, F6_E2M3, F6_E3M2, F4, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, C64)',
    ],
    [
      'a dtype that is no string',
      tensor('{"dtype":1}'),
      'w.dtype, at byte 22: is not the JSON that it should be (found 1}}, expected a string)',
    ],
    [
      'a negative size',
      tensor('{"dtype":"F32","shape":[-2]}'),
      'w.shape.0, at byte 37: is no size (found -2, expected a whole number from 0, below 2^53)',
    ],
    [
      'a fraction',
      tensor('{"dtype":"F32","shape":[2.0]}'),
      'w.shape.0, at byte 37: is no size (found 2.0, expected a whole number from 0, below 2^53)',
    ],
    [
      'an exponent',
      tensor('{"dtype":"F32","shape":[2e0]}'),
      'w.shape.0, at byte 37: is no size (found 2e0, expected a whole number from 0, below 2^53)',
    ],
    [
      '2^53 + 1',
      tensor('{"dtype":"F32","shape":[2],"data_offsets":[0,9007199254740993]}'),
      'w.data_offsets.1, at byte 58: is no size (found 9007199254740993, expected a whole number from 0, below 2^53)',
    ],
    [
      'a size that is no number',
      tensor('{"dtype":"F32","shape":["2"]}'),
      'w.shape.0, at byte 37: is not the JSON that it should be (found "2"]}}, expected a whole number)',
    ],
    [
      'too many axes',
      tensor(`{"dtype":"F32","shape":[${'1,'.repeat(64)}1]}`),
      'w.shape.64, at byte 165: holds too many numbers (found over 64, expected at most 64)',
    ],
    [
      'a shape that overflows',
      tensor('{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}'),
      'w.shape: has too many elements (found 4294967296 x 4294967296, expected a product below 2^53)',
    ],
    [
      'offsets in the wrong order',
      tensor('{"dtype":"F32","shape":[2],"data_offsets":[8,0]}'),
      'w.data_offsets: begin after they end (found 8, 0, expected in order)',
    ],
    [
      'offsets past the file',
      tensor('{"dtype":"F32","shape":[3],"data_offsets":[0,12]}'),
      'w.data_offsets: the file ends early: 75 bytes expected, 71 bytes found; copy or download it again',
    ],
    [
      'a size that does not fit the shape',
      tensor('{"dtype":"F32","shape":[3],"data_offsets":[0,8]}'),
      'w.data_offsets: are not as long as the shape and dtype say (found 8 bytes, expected 12 for float32 of shape [3])',
    ],
    [
      'part of a byte',
      tensor('{"dtype":"F4","shape":[15],"data_offsets":[0,8]}'),
      'w.data_offsets: are not as long as the shape and dtype say (found 8 bytes, expected 7.5 for float4_e2m1fn of shape [15])',
    ],
    [
      'an overlap',
      rawFile(
        '{"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}',
        eight,
      ),
      'b.data_offsets: overlap with those of a (found 4, expected at least 6)',
    ],
    [
      'the same range twice',
      rawFile(
        '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
        eight,
      ),
      'b.data_offsets: overlap with those of a (found 0, expected at least 8)',
    ],
    [
      'a hole',
      rawFile(
        '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}',
        eight,
      ),
      'b.data_offsets: leave a hole behind a (found 4, expected 3)',
    ],
    [
      'a hole at the start',
      tensor('{"dtype":"U8","shape":[7],"data_offsets":[1,8]}'),
      'w.data_offsets: leave a hole behind the header (found 1, expected 0)',
    ],
    [
      'trailing bytes',
      tensor('{"dtype":"U8","shape":[7],"data_offsets":[0,7]}'),
      'data, at byte 68: has bytes that no tensor owns behind w (found 1 bytes more, expected the end of the file)',
    ],
  ])('%s', (_what, bytes, message) => {
    expect(refusal(bytes)).toEqual({ code: 'MALFORMED', message });
  });

  test('a header of more than 100 MB that is really there', () => {
    const file = path.join(folder, 'long.safetensors');
    fs.writeFileSync(file, rawFile('{}'));
    fs.truncateSync(file, 100_000_020);
    const fd = fs.openSync(file, 'r+');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(100_000_001n);
    fs.writeSync(fd, length, 0, 8, 0);
    fs.closeSync(fd);
    expect(() => openModel(file)).toThrow(
      /: the header is too long \(found 100000001 bytes, expected at most 100000000\)$/,
    );
    fs.rmSync(file);
  });

  test('a name outweighs what might be the first field of a protobuf', () => {
    // 0x12 and a length that fits: producer_name of an ONNX model.
    const bytes = Uint8Array.of(0x12, 2, 0x61, 0x62, 0, 0, 0, 0, 0);
    expect(refusal(bytes).message).toMatch(/^header length, at byte 0: the header would end past/);
  });

  test('a Git LFS pointer, a web page and an unknown name say what they are', () => {
    const text = (words: string): Uint8Array => Buffer.from(words);
    expect(refusal(text('version https://git-lfs.github.com/spec/v1\n')).message).toContain(
      'found a Git LFS pointer',
    );
    expect(refusal(text('<!DOCTYPE html><html>')).message).toContain('found a web page');
    expect(refusal(text('hello world'), 'x.bin').message).toContain(
      'is not a model of a known format',
    );
  });
});

describe('what the format allows is opened', () => {
  test('every element type, at its size', () => {
    const bits: Record<string, number> = {
      F64: 64,
      F32: 32,
      F16: 16,
      BF16: 16,
      F8_E4M3: 8,
      F8_E4M3FNUZ: 8,
      F8_E5M2: 8,
      F8_E5M2FNUZ: 8,
      F8_E8M0: 8,
      F6_E2M3: 6,
      F6_E3M2: 6,
      F4: 4,
      I64: 64,
      I32: 32,
      I16: 16,
      I8: 8,
      U64: 64,
      U32: 32,
      U16: 16,
      U8: 8,
      BOOL: 8,
      C64: 64,
    };
    const tensors = Object.fromEntries(
      Object.entries(bits).map(([dtype, width]) => [
        dtype,
        { dtype, shape: [2, 4], bytes: new Uint8Array(width) },
      ]),
    );
    const model = open(safetensorsFile(tensors));
    expect(model.tensors).toHaveLength(22);
    for (const ref of model.tensors)
      expect([ref.name, ref.bytes]).toEqual([ref.name, bits[ref.name]]);
  });

  test('scalars, tensors without elements, no tensors, and padding of any white space', () => {
    const empty = { dtype: 'F32', shape: [3, 0, 1 << 30], bytes: new Uint8Array(0) };
    const model = open(
      safetensorsFile({ before: empty, scalar: floats([]), after: empty, last: floats([2]) }),
    );
    expect(model.tensors.map(({ name, elements }) => [name, elements])).toEqual([
      ['after', 0],
      ['before', 0],
      ['last', 2],
      ['scalar', 1],
    ]);
    expect(open(rawFile('{}      ')).tensors).toEqual([]);
    expect(open(rawFile('{"__metadata__":null}')).tensors).toEqual([]);
    expect(open(rawFile('{ "__metadata__" : { } }\n\t\r ')).tensors).toEqual([]);
  });

  test('names that mean something elsewhere are names here', () => {
    const names = [
      '__proto__',
      'constructor',
      '<img src=x onerror=alert(1)>',
      'a\u202eb',
      'nul\0',
      'x'.repeat(1 << 20),
    ];
    const entries = names.map((name): [string, ReturnType<typeof floats>] => [name, floats([1])]);
    const model = open(safetensorsFile(Object.fromEntries(entries)));
    expect(model.tensors.map(({ name }) => name).sort()).toEqual([...names].sort());
  });

  test('members that the format does not know', () => {
    const model = open(
      tensor('{"dtype":"F32","note":{"a":[1,-2.5e3,true,null]},"shape":[2],"data_offsets":[0,8]}'),
    );
    expect(model.tensors.map(({ name }) => name)).toEqual(['w']);
  });

  test('a header whose length is the byte of a brace', () => {
    const header = JSON.stringify({ w: { dtype: 'U8', shape: [8], data_offsets: [0, 8] } });
    expect(open(rawFile(header.padEnd(0x7b), eight)).tensors).toHaveLength(1);
    expect(open(rawFile(header.padEnd(0x108), eight), 'x.onnx').format).toBe('safetensors');
  });
});

test('100,000 tensors open, and a tensor of 40 GB, for only the header is read', () => {
  const many = (count: number): Uint8Array => {
    const entries = Array.from({ length: count }, (_, index) => {
      const name = `model.layers.${index % 97}.block.${index}.weight`;
      return `"${name}":{"dtype":"F16","shape":[1,1],"data_offsets":[${index * 2},${index * 2 + 2}]}`;
    });
    return rawFile(`{${entries.join(',')}}`, new Uint8Array(count * 2));
  };
  expect(open(many(100_000)).tensors).toHaveLength(100_000);
  const file = path.join(folder, 'sparse.safetensors');
  const size = 40 * 2 ** 30;
  fs.writeFileSync(
    file,
    rawFile(`{"w":{"dtype":"U8","shape":[${size}],"data_offsets":[0,${size}]}}`),
  );
  // Forty gigabytes of holes: no reader of values would get through.
  fs.truncateSync(file, fs.statSync(file).size + size);
  const opened = openModel(file);
  opened.close();
  expect(opened.model.tensorBytes).toBe(size);
  fs.rmSync(file);
});

import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { readNumbers } from '../../../electron/engine/tensor-bytes.ts';
import { concat, integer, message, text, varint } from '../../helpers/protobuf.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function withTensor(...fields: readonly Uint8Array[]): string {
  return writeFile(
    folder,
    concat(integer(1, 8), message(7, text(2, 'g'), message(5, text(8, 'w'), ...fields))),
  );
}

function failure(...fields: readonly Uint8Array[]): AppError {
  const file = withTensor(...fields);
  try {
    openModel(file).close();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).details.file).toBe(file);
    return error as AppError;
  }
  throw new Error('the tensor was accepted');
}

const dims = (...sizes: (number | bigint)[]): Uint8Array =>
  concat(...sizes.map((size) => integer(1, size)));
const type = (dataType: number): Uint8Array => integer(2, dataType);
const raw = (count: number): Uint8Array => message(9, new Uint8Array(count));

describe('a tensor is refused', () => {
  test.each<[string, readonly Uint8Array[], RegExp]>([
    ['with a negative dimension', [dims(-1), type(1), raw(4)], /w.*negative dimension.*\[-1\]/],
    [
      'when its dimensions overflow',
      [dims(2 ** 40, 2 ** 40), type(1), raw(4)],
      /dimensions overflows/,
    ],
    ['with a dimension over 2^53', [dims(2n ** 60n), type(1), raw(4)], /out of range/],
    [
      'when raw_data is not dims x dtype',
      [dims(3), type(1), raw(8)],
      /size of raw_data.*8 bytes.*12 bytes/,
    ],
    [
      'with values in two fields',
      [dims(1), type(1), raw(4), message(4, new Uint8Array(4))],
      /values in two fields.*raw_data and float_data/,
    ],
    ['without values', [dims(1), type(1)], /without values.*0 bytes.*1 elements/],
    ['of data type 0', [dims(1), raw(4)], /undefined data type.*data_type 0/],
    ['of data type 99', [dims(1), type(99), raw(4)], /undefined data type.*data_type 99/],
    ['with strings in raw_data', [dims(1), type(8), raw(4)], /strings in raw_data/],
    [
      'with elements where its shape has none',
      [dims(0), type(1), raw(4)],
      /size of raw_data.*4 bytes.*0 bytes/,
    ],
    [
      'when packed floats are cut',
      [dims(1), type(1), message(4, new Uint8Array(5))],
      /cut inside a value.*5 bytes/,
    ],
    [
      'with floats where integers belong',
      [dims(1), type(6), message(4, new Uint8Array(4))],
      /int32 values in the wrong field.*float_data.*int32_data/,
    ],
    [
      'with too few floats',
      [dims(3), type(1), message(4, new Uint8Array(8))],
      /number of values in \w+ does not fit the shape.*2.*3/,
    ],
    [
      'with over 64 dimensions',
      [dims(...new Array<number>(65).fill(1)), type(1), raw(4)],
      /too many values of a dimension/,
    ],
  ])('%s', (_, fields, pattern) => {
    const error = failure(...fields);
    expect(error.message).toMatch(pattern);
    expect(['MALFORMED', 'LIMIT']).toContain(error.code);
  });

  test('when a varint field has fewer values than its shape, as soon as it is read', () => {
    const opened = openModel(withTensor(dims(4), type(10), message(5, varint(15360), varint(0))));
    expect(() => readNumbers(opened.files, opened.model.tensors[0]!)).toThrow(
      /does not fit the shape.*4 bytes.*8 bytes/,
    );
    opened.close();
  });
});

describe('a tensor is read the same from every encoding', () => {
  const numbers = (...fields: readonly Uint8Array[]): number[] => {
    const opened = openModel(withTensor(...fields));
    const values = readNumbers(opened.files, opened.model.tensors[0]!);
    opened.close();
    return values;
  };
  const single = new Uint8Array(Float32Array.of(1.5, -2).buffer);

  test('float32 from raw_data, packed and unpacked float_data, and a field in two packed runs', () => {
    const unpacked = (at: number): Uint8Array => concat([4 * 8 + 5], single.subarray(at, at + 4));
    expect(numbers(dims(2), type(1), message(9, single))).toEqual([1.5, -2]);
    expect(numbers(dims(2), type(1), message(4, single))).toEqual([1.5, -2]);
    expect(numbers(dims(2), type(1), unpacked(0), unpacked(4))).toEqual([1.5, -2]);
    expect(
      numbers(dims(2), type(1), message(4, single.subarray(0, 4)), message(4, single.subarray(4))),
    ).toEqual([1.5, -2]);
  });

  test('float16, bfloat16, int8 and int4 from int32_data', () => {
    expect(numbers(dims(2), type(10), message(5, varint(0x3c00), varint(0xc000)))).toEqual([1, -2]);
    expect(numbers(dims(2), type(16), message(5, varint(0x3f80), varint(0xc000)))).toEqual([1, -2]);
    expect(numbers(dims(2), type(3), message(5, varint(-7), varint(100)))).toEqual([-7, 100]);
    expect(numbers(dims(3), type(22), message(5, varint(0x8f), varint(0x07)))).toEqual([-1, -8, 7]);
  });

  test('int64 from int64_data, float64 from double_data, uint32 from uint64_data', () => {
    expect(numbers(dims(2), type(7), message(7, varint(-1), varint(2n ** 40n)))).toEqual([
      -1,
      2 ** 40,
    ]);
    expect(
      numbers(dims(1), type(11), message(10, new Uint8Array(Float64Array.of(0.1).buffer))),
    ).toEqual([0.1]);
    expect(numbers(dims(1), type(12), message(11, varint(4294967295)))).toEqual([4294967295]);
  });

  test('scalars and tensors without elements are tensors', () => {
    expect(numbers(type(1), message(9, single.subarray(0, 4)))).toEqual([1.5]);
    expect(numbers(dims(0, 5), type(1))).toEqual([]);
    expect(numbers(dims(0), type(1), raw(0))).toEqual([]);
  });
});

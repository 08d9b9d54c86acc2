import { describe, expect, test } from 'vitest';
import type { DtypeName } from '../../../shared/dtypes.ts';
import type { ByteRange } from '../../../shared/model.ts';
import { tensorPasses } from '../../../electron/engine/kernels/tensor-passes.ts';
import { WINDOW_BYTES, windowBytesFor } from '../../../electron/engine/kernels/kernels.ts';
import { groupingOf } from '../../../electron/engine/quantize/layout.ts';
import { FileSource } from '../../../electron/engine/source.ts';
import { concat, varint } from '../../helpers/protobuf.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { normalValues } from '../../helpers/random.ts';
import { buildKernels } from './kernels.ts';

const folder = temporaryFolder();
const kernels = buildKernels(WINDOW_BYTES);
const never = (): void => undefined;

function bytesOf(values: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function open(name: string, bytes: Uint8Array): FileSource {
  return FileSource.open(writeFile(folder, bytes, name));
}

function stored(
  elements: number,
  ranges: readonly ByteRange[],
  dtype: DtypeName = 'float32',
  encoding: 'raw' | 'varint' = 'raw',
) {
  return { name: 'w', dtype, elements, data: { encoding, ranges } };
}

/** Ranges of these lengths, one after the other, a gap of `gap` bytes before each. */
function rangesOf(lengths: readonly number[], gap: number): ByteRange[] {
  let offset = 0;
  return lengths.map((length) => {
    const range = { file: 0, offset: offset + gap, length };
    offset += gap + length;
    return range;
  });
}

function spread(bytes: Uint8Array, ranges: readonly ByteRange[]): Uint8Array {
  const file = new Uint8Array(ranges.at(-1)!.offset + ranges.at(-1)!.length + 1).fill(0xff);
  let done = 0;
  for (const { offset, length } of ranges) {
    file.set(bytes.subarray(done, done + length), offset);
    done += length;
  }
  return file;
}

describe("a tensor's values in a file", () => {
  test('are the same in however many ranges they lie, at any offset', () => {
    const values = normalValues(50_000, 4);
    const lengths = [3, 0, 99_998, 1, 0, 99_990, 8, 0];
    const ranges = rangesOf(lengths, 5);
    const file = open('ranges.bin', spread(bytesOf(values), ranges));
    const passes = tensorPasses(kernels, [file], stored(50_000, ranges), never);
    const { sums, ranges: found } = passes.firstPass(groupingOf([50_000], null, 'tensor'));
    expect(sums).toMatchObject({ finite: 50_000, nans: 0, firstNonFinite: null });
    expect(found.min[0]).toBe(Math.min(...values));
    expect(found.max[0]).toBe(Math.max(...values));
    expect(passes.firstValues(64)).toEqual([...values.subarray(0, 64)]);
    file.close();
  });

  test('are read in windows where they are more than a window holds', () => {
    const elements = WINDOW_BYTES / 4 + 70_000;
    const values = new Float32Array(elements);
    values[WINDOW_BYTES / 4] = -2;
    values[elements - 1] = 3;
    const file = open('large.bin', bytesOf(values));
    const range = { file: 0, offset: 0, length: elements * 4 };
    const passes = tensorPasses(kernels, [file], stored(elements, [range]), never);
    for (let time = 0; time < 2; time++) {
      const { sums, ranges } = passes.firstPass(groupingOf([elements], null, 'tensor'));
      expect(sums).toMatchObject({ zeros: elements - 2, sum: 1 });
      expect([ranges.min[0], ranges.max[0]]).toEqual([-2, 3]);
    }
    file.close();
  });

  test('can be varints, as ONNX stores float16 in int32_data', () => {
    const words = Uint16Array.from({ length: 3000 }, (_, index) => (index * 37) & 0x7bff);
    const bytes = concat(...Array.from(words, (word) => varint(word)));
    const file = open('varints.bin', bytes);
    const range = { file: 0, offset: 0, length: bytes.length };
    const tensor = stored(3000, [range], 'float16', 'varint');
    const raw = open('words.bin', bytesOf(words));
    const plain = stored(3000, [{ file: 0, offset: 0, length: 6000 }], 'float16');
    const grouping = groupingOf([3000], null, 'tensor');
    expect(tensorPasses(kernels, [file], tensor, never).firstPass(grouping)).toEqual(
      tensorPasses(kernels, [raw], plain, never).firstPass(grouping),
    );
    file.close();
    raw.close();
  });

  test('of float64 keep what float32 cannot hold', () => {
    const values = Float64Array.of(1e300, -2, 0.1);
    const file = open('double.bin', new Uint8Array(values.buffer));
    const range = { file: 0, offset: 0, length: 24 };
    const passes = tensorPasses(kernels, [file], stored(3, [range], 'float64'), never);
    const { ranges } = passes.firstPass(groupingOf([3], null, 'tensor'));
    expect([ranges.min[0], ranges.max[0]]).toEqual([-2, 1e300]);
    file.close();
  });
});

describe('refusals name what is wrong', () => {
  const file = open('small.bin', new Uint8Array(40));
  const grouping = groupingOf([10], null, 'tensor');

  test('fewer bytes than the shape says', () => {
    const tensor = stored(10, [{ file: 0, offset: 0, length: 36 }]);
    expect(() => tensorPasses(kernels, [file], tensor, never)).toThrow(
      /w: the number of stored bytes does not fit the shape \(found 36 bytes, expected 40 bytes/,
    );
  });

  test('fewer varints than the shape says', () => {
    const tensor = stored(41, [{ file: 0, offset: 0, length: 40 }], 'float16', 'varint');
    const passes = tensorPasses(kernels, [file], tensor, never);
    expect(() => passes.firstPass(grouping)).toThrow(/does not fit the shape/);
  });

  test('a range past the end of the file', () => {
    const tensor = stored(10, [{ file: 0, offset: 8, length: 40 }]);
    const passes = tensorPasses(kernels, [file], tensor, never);
    expect(() => passes.firstPass(grouping)).toThrow(/a read past the end of the file/);
  });

  test('a tensor of integers', () => {
    const tensor = stored(10, [{ file: 0, offset: 0, length: 40 }], 'int32');
    expect(() => tensorPasses(kernels, [file], tensor, never)).toThrow(
      'w: holds no float values (found int32)',
    );
  });

  test('a cancelled job stops before the next piece, and the tensor can be read again', () => {
    let isCancelled = true;
    const tensor = stored(10, [{ file: 0, offset: 0, length: 40 }]);
    const passes = tensorPasses(kernels, [file], tensor, () => {
      if (isCancelled) throw new Error('cancelled');
    });
    expect(() => passes.firstPass(grouping)).toThrow('cancelled');
    isCancelled = false;
    expect(passes.firstPass(grouping).sums.zeros).toBe(10);
  });
});

test('the windows of many workers together stay within what a few have', () => {
  expect(windowBytesFor(1)).toBe(WINDOW_BYTES);
  expect(windowBytesFor(4)).toBe(WINDOW_BYTES);
  expect(windowBytesFor(12) * 12).toBeLessThanOrEqual(4 * WINDOW_BYTES);
  expect(windowBytesFor(12) % 65536).toBe(0);
  expect(windowBytesFor(256)).toBe(4 << 20);
});

import { isSourceDtype } from '../../../shared/dtypes.ts';
import { AppError } from '../../../shared/errors.ts';
import type { ByteRange } from '../../../shared/model.ts';
import { decodeValues } from '../quantize/chunks.ts';
import type { EncodeJob, Passes } from '../quantize/passes.ts';
import type { ValueSource } from '../quantize/values.ts';
import type { FileSource } from '../source.ts';
import { forEachRun, type StoredBytes } from '../tensor-bytes.ts';
import { widthOf, type ByteSource } from './blocks.ts';
import type { Kernels } from './kernels.ts';
import { plainPasses } from './reference/plain-passes.ts';
import { simdPasses } from './simd-passes.ts';

/**
 * The passes over a stored tensor's values, which are read straight from the file into the kernels'
 * memory. One tensor at a time for the same kernels.
 *
 * @param check called between blocks; throws to cancel
 * @throws AppError UNSUPPORTED for a tensor that holds no floats; while passes run, MALFORMED when
 * the number of stored bytes does not fit the shape, and what reading a file throws.
 */
export function tensorPasses(
  kernels: Kernels,
  files: readonly FileSource[],
  tensor: StoredBytes,
  check: () => void,
): Passes {
  const fast = simdPasses(kernels, { ...byteSource(files, tensor, check), check });
  const plain = plainPasses(tensorValues(files, tensor, check));
  // Kernels know the nearest codes only.
  const passesFor = ({ codes }: EncodeJob): Passes => (codes === undefined ? fast : plain);
  return {
    ...fast,
    encode: (job) => passesFor(job).encode(job),
    inspect: (job, ...given) => passesFor(job).inspect(job, ...given),
    errorCounts: (job, bins) => passesFor(job).errorCounts(job, bins),
  };
}

/** Values of a chunk of tensorValues. */
const CHUNK = 1 << 16;

/** A stored tensor's values in runs, for what has no kernel. Parameters and errors are those of tensorPasses. */
export function tensorValues(
  files: readonly FileSource[],
  tensor: StoredBytes,
  check: () => void,
): ValueSource {
  const source = byteSource(files, tensor, check);
  const { elements, dtype } = source;
  const width = widthOf(dtype);
  return {
    elements,
    dtype,
    forEachChunk(visit) {
      for (let start = 0; start < elements; start += CHUNK) {
        check();
        const bytes = new Uint8Array(Math.min(CHUNK, elements - start) * width);
        source.read(bytes, start * width);
        visit(decodeValues(bytes, dtype), start);
      }
    },
  };
}

function byteSource(
  files: readonly FileSource[],
  tensor: StoredBytes,
  check: () => void,
): ByteSource {
  const { dtype, name, elements } = tensor;
  if (!isSourceDtype(dtype))
    throw new AppError('UNSUPPORTED', 'holds no float values', { field: name, found: dtype });
  const read =
    tensor.data.encoding === 'raw'
      ? rangeReader(files, tensor, elements * widthOf(dtype))
      : varintReader(files, tensor, check);
  return { elements, dtype, read };
}

/** Reads from ranges of files as if they were one. */
function rangeReader(
  files: readonly FileSource[],
  { name, data: { ranges } }: StoredBytes,
  expected: number,
): ByteSource['read'] {
  const starts: number[] = [];
  let total = 0;
  for (const { length } of ranges) {
    starts.push(total);
    total += length;
  }
  if (total !== expected)
    throw new AppError('MALFORMED', 'the number of stored bytes does not fit the shape', {
      file: files[0]?.path,
      field: name,
      found: `${total} bytes`,
      expected: `${expected} bytes`,
    });
  return (target, offset) => {
    let index = rangeAt(starts, offset);
    for (let done = 0; done < target.length; index++) {
      const inside = offset + done - starts[index]!;
      const length = Math.min(ranges[index]!.length - inside, target.length - done);
      readRange(files, ranges[index]!, inside, target.subarray(done, done + length));
      done += length;
    }
  };
}

/** The last range that begins at or before an offset; empty ranges share their start with the next. */
function rangeAt(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle;
  }
  return low;
}

function readRange(
  files: readonly FileSource[],
  { file, offset }: ByteRange,
  inside: number,
  target: Uint8Array,
): void {
  const source = files[file];
  if (source === undefined) throw new RangeError(`the model has no file ${file}`);
  source.readInto(target, offset + inside);
}

/** Varints have no fixed width: each read decodes all of them and keeps what was asked for. */
function varintReader(
  files: readonly FileSource[],
  tensor: StoredBytes,
  check: () => void,
): ByteSource['read'] {
  return (target, offset) => {
    forEachRun(files, tensor, (bytes, firstByte) => {
      check();
      const from = Math.max(offset, firstByte);
      const to = Math.min(offset + target.length, firstByte + bytes.length);
      if (from < to) target.set(bytes.subarray(from - firstByte, to - firstByte), from - offset);
    });
  };
}

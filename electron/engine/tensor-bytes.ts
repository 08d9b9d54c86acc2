import { AppError } from '../../shared/errors.ts';
import { dtypeOf, packedBytes, type DtypeName } from '../../shared/dtypes.ts';
import type { TensorRef } from '../../shared/model.ts';
import { bfloat16Value } from '../../shared/bfloat16.ts';
import { float16Value } from '../../shared/float16.ts';
import type { FileSource } from './source.ts';

/** Bytes read from the file at a time: what bounds memory, whatever the tensor's size. */
export const CHUNK_BYTES = 4 << 20;

/** The part of a tensor that says where its bytes are. */
export type StoredBytes = Pick<TensorRef, 'name' | 'dtype' | 'elements' | 'data'>;

/**
 * Visit a tensor's values as little-endian bytes of its dtype, in runs of whole elements of at most
 * CHUNK_BYTES, first to last. The view is valid during the call only.
 * @throws AppError when the number of stored bytes does not fit the shape.
 */
export function forEachRun(
  files: readonly FileSource[],
  tensor: StoredBytes,
  visit: (bytes: Uint8Array, firstByte: number) => void,
): void {
  const expected = packedBytes(tensor.dtype, tensor.elements);
  const done =
    tensor.data.encoding === 'raw'
      ? rawRuns(files, tensor, visit)
      : varintRuns(files, tensor, expected, visit);
  if (done !== expected)
    throw new AppError('MALFORMED', 'the number of stored bytes does not fit the shape', {
      file: files[0]?.path,
      field: tensor.name,
      found: `${done} bytes`,
      expected: `${expected} bytes`,
    });
}

function fileOf(files: readonly FileSource[], number: number): FileSource {
  const file = files[number];
  if (file === undefined) throw new RangeError(`the model has no file ${number}`);
  return file;
}

/** Ranges are gathered into runs, so that a tensor in a million pieces is not a million visits. */
function rawRuns(
  files: readonly FileSource[],
  tensor: StoredBytes,
  visit: (bytes: Uint8Array, firstByte: number) => void,
): number {
  const total = tensor.data.ranges.reduce((sum, range) => sum + range.length, 0);
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, total));
  let [filled, done] = [0, 0];
  for (const range of tensor.data.ranges) {
    const file = fileOf(files, range.file);
    for (let at = 0; at < range.length;) {
      const count = Math.min(range.length - at, buffer.length - filled);
      file.readInto(buffer.subarray(filled, filled + count), range.offset + at);
      filled += count;
      at += count;
      if (filled < buffer.length && done + filled < total) continue;
      visit(buffer.subarray(0, filled), done);
      done += filled;
      filled = 0;
    }
  }
  return done;
}

/** Varints of at most this many bytes are looked at together; a varint may span two such pieces. */
const VARINT_PIECE = 1 << 20;

function varintRuns(
  files: readonly FileSource[],
  tensor: StoredBytes,
  expected: number,
  visit: (bytes: Uint8Array, firstByte: number) => void,
): number {
  const width = Math.max(1, dtypeOf(tensor.dtype).bits / 8);
  const decoder = new VarintDecoder(width, Math.min(CHUNK_BYTES, expected), visit);
  for (const range of tensor.data.ranges) {
    const file = fileOf(files, range.file);
    for (let at = 0; at < range.length; at += VARINT_PIECE)
      decoder.push(file.read(range.offset + at, Math.min(VARINT_PIECE, range.length - at)));
  }
  return decoder.finish();
}

/** Turns protobuf varints into little-endian values of a fixed width, keeping the low bits. */
class VarintDecoder {
  private readonly width: number;
  private readonly buffer: Uint8Array;
  private readonly view: DataView;
  private readonly visit: (bytes: Uint8Array, firstByte: number) => void;
  private filled = 0;
  private done = 0;
  private low = 0;
  private high = 0;
  private shift = 0;

  constructor(
    width: number,
    capacity: number,
    visit: (bytes: Uint8Array, firstByte: number) => void,
  ) {
    this.width = width;
    this.buffer = new Uint8Array(Math.max(width, capacity));
    this.view = new DataView(this.buffer.buffer);
    this.visit = visit;
  }

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const bits = byte & 0x7f;
      if (this.shift < 28) this.low |= bits << this.shift;
      else if (this.shift === 28) {
        this.low |= bits << 28;
        this.high |= bits >>> 4;
      } else this.high |= bits << (this.shift - 32);
      this.shift += 7;
      if (byte < 0x80) this.emit();
    }
  }

  finish(): number {
    this.flush();
    return this.done;
  }

  private emit(): void {
    if (this.width === 1) this.view.setUint8(this.filled, this.low & 0xff);
    else if (this.width === 2) this.view.setUint16(this.filled, this.low & 0xffff, true);
    else this.view.setUint32(this.filled, this.low >>> 0, true);
    if (this.width === 8) this.view.setUint32(this.filled + 4, this.high >>> 0, true);
    this.filled += this.width;
    this.low = this.high = this.shift = 0;
    if (this.filled + this.width > this.buffer.length) this.flush();
  }

  private flush(): void {
    if (this.filled === 0) return;
    this.visit(this.buffer.subarray(0, this.filled), this.done);
    this.done += this.filled;
    this.filled = 0;
  }
}

/** The values of a small tensor of a float or integer type, as numbers (64-bit integers rounded to float64). */
export function readNumbers(files: readonly FileSource[], tensor: StoredBytes): number[] {
  const numbers: number[] = [];
  forEachRun(files, tensor, (bytes) => {
    for (const value of decodeNumbers(bytes, tensor.dtype)) numbers.push(value);
  });
  return numbers.slice(0, tensor.elements);
}

function* decodeNumbers(bytes: Uint8Array, dtype: DtypeName): Generator<number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[dtype];
  const { bits, kind } = dtypeOf(dtype);
  if (bits === 4 && kind !== 'float') {
    for (const byte of bytes)
      for (const nibble of [byte & 15, byte >>> 4])
        yield kind === 'int' ? (nibble << 28) >> 28 : nibble;
    return;
  }
  if (read === undefined) return;
  for (let at = 0; at + bits / 8 <= bytes.length; at += bits / 8) yield read(view, at);
}

const READERS: Partial<Record<DtypeName, (view: DataView, at: number) => number>> = {
  float64: (view, at) => view.getFloat64(at, true),
  float32: (view, at) => view.getFloat32(at, true),
  float16: (view, at) => float16Value(view.getUint16(at, true)),
  bfloat16: (view, at) => bfloat16Value(view.getUint16(at, true)),
  int64: (view, at) => Number(view.getBigInt64(at, true)),
  uint64: (view, at) => Number(view.getBigUint64(at, true)),
  int32: (view, at) => view.getInt32(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  int16: (view, at) => view.getInt16(at, true),
  uint16: (view, at) => view.getUint16(at, true),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  bool: (view, at) => view.getUint8(at),
};

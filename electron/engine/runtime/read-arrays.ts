import * as fs from 'node:fs';
import * as path from 'node:path';
import { Unzip, UnzipInflate } from 'fflate';
import { onnx } from 'onnx-proto';
import { Reader } from 'protobufjs/minimal.js';
import { packedBytes, type DtypeName } from '../../../shared/dtypes.ts';
import { AppError, ioError } from '../../../shared/errors.ts';
import { tensorType } from '../formats/onnx/read/tensor-types.ts';
import type { ArrayData, ArrayValue } from './inputs.ts';
import type { InputFacts } from './dimensions.ts';

/** Sample files are read whole; larger ones are no sample. */
const MAX_FILE_BYTES = 1 << 30;
/** A file may be larger than the values of its input by a header: NumPy pads its own to 64 bytes. */
const MAX_HEADER_BYTES = 1 << 16;
/** Archives are unpacked in steps, so that one that grows past its limit is noticed early (1:1032 at most). */
const UNZIP_STEP_BYTES = 1 << 14;
/** NumPy stops at 64 axes. */
const MAX_RANK = 64;
/** Values as varints take ten times their bytes in memory when they are decoded; raw_data has no such limit. */
const MAX_VARINT_BYTES = 16 << 20;
/** Unpacked values come one record each. */
const MAX_RECORDS = 1 << 20;

type Sample = Readonly<Record<string, ArrayValue>>;

/**
 * Samples for a model's inputs from a folder: each .npz is a sample with arrays by input name; each
 * subfolder is one, of .npy files by input name or of input_0.pb, input_1.pb ... in the order of the
 * inputs (as in ONNX's own test data); .npy and .pb files in the folder itself make one sample.
 * @throws AppError naming the file when one cannot be read or an input is missing.
 */
export function readSamples(folder: string, inputs: readonly InputFacts[]): Sample[] {
  const entries = list(folder);
  const samples: Sample[] = [];
  for (const name of entries) {
    const file = path.join(folder, name);
    if (name.endsWith('.npz')) samples.push(readNpz(file, inputs));
    else if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
      const sample = readFiles(file, list(file), inputs);
      if (sample !== null) samples.push(sample);
    }
  }
  const own = readFiles(folder, entries, inputs);
  if (own !== null) samples.push(own);
  if (samples.length === 0)
    throw new AppError('BAD_USAGE', 'contains no samples', {
      file: folder,
      field: 'samples',
      found: `${entries.length} entries`,
      expected: '.npz files, or .npy or input_N.pb files',
    });
  return samples.map((sample) => forModel(folder, sample, inputs));
}

/** A sample's arrays by the model's names. The one array of a model with one input may have any name. */
function forModel(folder: string, sample: Sample, inputs: readonly InputFacts[]): Sample {
  const arrays = Object.entries(sample);
  const named =
    inputs.length === 1 && arrays.length === 1
      ? Object.fromEntries([[inputs[0]!.name, arrays[0]![1]]])
      : sample;
  const missing = inputs.find(({ name }) => !Object.hasOwn(named, name));
  if (missing !== undefined)
    throw new AppError('BAD_USAGE', 'a sample has no array for the input', {
      file: folder,
      field: missing.name,
      found: arrays
        .map(([name, { type, dims }]) => described({ name, type, shape: dims }))
        .join(', '),
      expected: inputs.map(described).join(', '),
    });
  for (const input of inputs) {
    const { type, dims } = named[input.name]!;
    const fits =
      type === input.type &&
      // onnxruntime reports an unknown rank as an empty shape.
      (input.shape.length === 0 ||
        (dims.length === input.shape.length &&
          input.shape.every((dim, axis) => typeof dim === 'string' || dim === dims[axis])));
    if (!fits)
      throw new AppError('BAD_USAGE', 'a sample is not for this model', {
        file: folder,
        field: input.name,
        found: described({ name: input.name, type, shape: dims }),
        expected: described(input),
      });
  }
  return named;
}

/** An array or input with its type and shape: x (float32, 1 x seq x 64). */
export function described({ name, type, shape }: InputFacts): string {
  const dims = shape.map((dim) => (dim === '' ? '?' : dim)).join(' x ');
  return `${name} (${type}, ${dims === '' ? 'a scalar' : dims})`;
}

/** The most bytes that an array for these inputs has: their own size where it is fixed, and a named limit otherwise. */
function mostBytes(inputs: readonly InputFacts[]): number {
  const sizes = inputs.map(({ shape }) =>
    shape.length > 0 && shape.every((dim) => typeof dim === 'number')
      ? // No element is wider than eight bytes; as varints, ten.
        shape.reduce<number>((product, dim) => product * Number(dim), 10) + MAX_HEADER_BYTES
      : MAX_FILE_BYTES,
  );
  return sizes.reduce((most, size) => Math.min(MAX_FILE_BYTES, Math.max(most, size)), 0);
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch (error) {
    throw ioError('cannot be read for samples', folder, error);
  }
}

function readFiles(
  folder: string,
  names: readonly string[],
  inputs: readonly InputFacts[],
): Sample | null {
  const most = mostBytes(inputs);
  const sample = new Map<string, ArrayValue>();
  for (const name of names) {
    const file = path.join(folder, name);
    if (name.endsWith('.npy'))
      sample.set(path.basename(name, '.npy'), parseNpy(readWhole(file, most), file));
    const numbered = /^input_(\d+)\.pb$/.exec(name);
    if (numbered === null) continue;
    const tensor = readTensorProto(file, most);
    const names = inputs.map(({ name }) => name);
    const input = names.includes(tensor.name) ? tensor.name : names[Number(numbered[1])];
    if (input !== undefined) sample.set(input, tensor.value);
  }
  return sample.size === 0 ? null : Object.fromEntries(sample);
}

/** A regular file of bounded size; a pipe, a device or a link to one never blocks or ends. */
function readWhole(file: string, most: number): Uint8Array {
  let fd: number | null = null;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0));
    const status = fs.fstatSync(fd);
    if (!status.isFile())
      throw new AppError('NOT_A_FILE', 'cannot be read as a sample', {
        file,
        found: 'a folder, pipe or device',
        expected: 'a regular file',
      });
    if (status.size > most) throw tooLarge(file, 'size', `${status.size} bytes`, most);
    const bytes = new Uint8Array(status.size);
    for (let done = 0; done < bytes.length;) {
      const read = fs.readSync(fd, bytes, done, bytes.length - done, done);
      if (read === 0) throw new AppError('CHANGED', 'became shorter while it was read', { file });
      done += read;
    }
    return bytes;
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw ioError('cannot be read', file, error);
  } finally {
    if (fd !== null) fs.closeSync(fd);
  }
}

function tooLarge(file: string, field: string, found: string, most: number): AppError {
  return new AppError('LIMIT', "is too large for the model's inputs", {
    file,
    field,
    found,
    expected: `at most ${most} bytes`,
  });
}

function readNpz(file: string, inputs: readonly InputFacts[]): Sample {
  const each = mostBytes(inputs);
  const most = Math.min(MAX_FILE_BYTES, each * Math.max(1, inputs.length));
  const bytes = readWhole(file, most);
  const arrays = new Map<string, Uint8Array>();
  try {
    unpack(bytes, (name, size) => {
      if (size > each) throw tooLarge(file, name, `over ${each} bytes unpacked`, each);
    }).forEach((unpacked, name) => arrays.set(name, unpacked));
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw notAnArchive(file, String(error), error);
  }
  if (arrays.size === 0) throw notAnArchive(file, 'no .npy file in it');
  return Object.fromEntries(
    [...arrays].map(([name, values]) => [name.slice(0, -'.npy'.length), parseNpy(values, file)]),
  );
}

function notAnArchive(file: string, found: string, cause?: unknown): AppError {
  const details = { file, field: 'archive', found, expected: 'a zip of .npy files' };
  return new AppError('MALFORMED', 'is not a .npz archive', details, cause);
}

/**
 * The .npy files of a zip. What an entry claims of its size is not believed: what comes out is counted.
 * @param check throws when an entry of that name has become too large
 */
function unpack(
  bytes: Uint8Array,
  check: (name: string, size: number) => void,
): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const unzip = new Unzip((entry) => {
    if (!entry.name.endsWith('.npy')) return;
    const chunks: Uint8Array[] = [];
    let size = 0;
    entry.ondata = (error, chunk, final) => {
      if (error !== null) throw error;
      size += chunk.length;
      check(entry.name, size);
      chunks.push(chunk);
      if (final) files.set(entry.name, Buffer.concat(chunks));
    };
    entry.start();
  });
  unzip.register(UnzipInflate);
  for (let at = 0; at < bytes.length; at += UNZIP_STEP_BYTES)
    unzip.push(bytes.subarray(at, at + UNZIP_STEP_BYTES), at + UNZIP_STEP_BYTES >= bytes.length);
  return files;
}

/** Element types by what a header's descr says. */
const NPY_TYPES: ReadonlyMap<string, DtypeName> = new Map([
  ['<f4', 'float32'],
  ['<f8', 'float64'],
  ['<f2', 'float16'],
  ['<i8', 'int64'],
  ['<i4', 'int32'],
  ['<i2', 'int16'],
  ['|i1', 'int8'],
  ['<u8', 'uint64'],
  ['<u4', 'uint32'],
  ['<u2', 'uint16'],
  ['|u1', 'uint8'],
  ['|b1', 'bool'],
]);

/** NumPy's .npy format, versions 1 to 3 (numpy.lib.format): little-endian, C order. */
function parseNpy(bytes: Uint8Array, file: string): ArrayValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bad = (field: string, found: string, expected: string): AppError =>
    new AppError('MALFORMED', 'is not an array that can be read', { file, field, found, expected });
  if (bytes.length < 12 || Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== '\u0093NUMPY')
    throw bad('magic', `${bytes.length} bytes without its magic`, 'a .npy file');
  const isLong = bytes[6]! >= 2;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  if (start + length > bytes.length)
    throw bad('header', `${length} bytes`, `at most ${bytes.length - start}`);
  const header = Buffer.from(bytes.subarray(start, start + length)).toString('latin1');
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? '';
  const dtype = NPY_TYPES.get(descr);
  if (dtype === undefined) throw bad('descr', `type ${descr}`, [...NPY_TYPES.keys()].join(' '));
  if (!/'fortran_order':\s*False/.test(header))
    throw bad('fortran_order', 'Fortran order', 'C order');
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (shape === undefined)
    throw bad('shape', /'shape':\s*\(?([^)]*)/.exec(header)?.[1] ?? 'none', 'sizes');
  const dims = shape
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const values = bytes.subarray(start + length);
  return { type: dtype, dims, data: typedArray(dtype, values, dims, { file, field: 'shape' }) };
}

/** Where values come from, for messages. */
interface Place {
  readonly file: string;
  readonly field: string;
}

function countOf(dims: readonly number[], place: Place): number {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (Number.isSafeInteger(count) && dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
    return count;
  throw new AppError('MALFORMED', 'has an invalid shape', {
    ...place,
    found: dims.join(' x '),
    expected: 'sizes from 0, below 2^53 values',
  });
}

function typedArray(
  dtype: DtypeName,
  bytes: Uint8Array,
  dims: readonly number[],
  place: Place,
): ArrayData {
  const expected = packedBytes(dtype, countOf(dims, place));
  if (bytes.length !== expected)
    throw new AppError('MALFORMED', 'does not have as many values as its shape says', {
      ...place,
      found: `${bytes.length} bytes`,
      expected: `${expected} bytes for ${dims.join(' x ')}`,
    });
  const Array = ARRAY_OF[dtype];
  if (Array === undefined) throw noInput(place, dtype);
  // A copy: typed arrays want their alignment.
  return new Array(new Uint8Array(bytes).buffer);
}

function noInput(place: Place, found: string): AppError {
  return new AppError('UNSUPPORTED', 'has values of a type that is not a model input', {
    ...place,
    found,
    expected: Object.keys(ARRAY_OF).join(', '),
  });
}

const ARRAY_OF: Partial<Record<DtypeName, new (buffer: ArrayBuffer) => ArrayData>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

function readTensorProto(file: string, most: number): { name: string; value: ArrayValue } {
  const bytes = readWhole(file, most);
  let tensor: onnx.TensorProto;
  try {
    checkRecords(bytes, file);
    tensor = onnx.TensorProto.decode(bytes);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(
      'MALFORMED',
      'is not a TensorProto',
      { file, field: 'TensorProto', found: String(error), expected: 'a .pb tensor' },
      error,
    );
  }
  const dtype = tensorType(tensor.dataType)?.dtype;
  if (dtype === undefined || dtype === 'string')
    throw noInput({ file, field: 'data_type' }, dtype ?? `data_type ${tensor.dataType}`);
  const dims = tensor.dims.map(Number);
  const data =
    tensor.rawData.length > 0
      ? typedArray(dtype, tensor.rawData, dims, { file, field: 'raw_data' })
      : typedValues(tensor, dtype, dims, file);
  return { name: tensor.name, value: { type: dtype, dims, data } };
}

/** Values in the field that onnx.proto has for their type. */
function typedValues(
  tensor: onnx.TensorProto,
  dtype: DtypeName,
  dims: readonly number[],
  file: string,
): ArrayData {
  const count = countOf(dims, { file, field: 'dims' });
  const field = TYPED_FIELDS[dtype] ?? 'int32Data';
  const place = { file, field: field.replace('Data', '_data') };
  const Array = ARRAY_OF[dtype];
  if (Array === undefined) throw noInput(place, dtype);
  const values = tensor[field];
  if (values.length !== count)
    throw new AppError('MALFORMED', 'does not have as many values as its shape says', {
      ...place,
      found: `${values.length} values`,
      expected: `${count} values for ${dims.join(' x ')}`,
    });
  if (field === 'int64Data' || field === 'uint64Data') return wholeNumbers(dtype, values);
  const data = new Array(new ArrayBuffer(packedBytes(dtype, count)));
  (data as Float64Array).set(values as number[]);
  return data;
}

/** Fields of TensorProto by the type of their values; every other type has int32_data (onnx.proto, TensorProto). */
const TYPED_FIELDS: Partial<
  Record<DtypeName, 'floatData' | 'doubleData' | 'int64Data' | 'uint64Data'>
> = {
  float32: 'floatData',
  float64: 'doubleData',
  int64: 'int64Data',
  uint64: 'uint64Data',
  uint32: 'uint64Data',
};

/** 64-bit values, which the decoder gives as numbers or as objects that print as them. */
function wholeNumbers(dtype: DtypeName, values: readonly unknown[]): ArrayData {
  const integers = values.map((value) => BigInt(String(value)));
  if (dtype === 'int64') return BigInt64Array.from(integers);
  return dtype === 'uint64' ? BigUint64Array.from(integers) : Uint32Array.from(integers, Number);
}

/**
 * Counts the records of a TensorProto before it is decoded: dimensions and varints take far more memory
 * than bytes. @throws AppError LIMIT; what is malformed is left to the decoder.
 */
function checkRecords(bytes: Uint8Array, file: string): void {
  const reader = Reader.create(bytes);
  let [rank, records] = [0, 0];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [field, wireType] = [tag >>> 3, tag & 7];
    const start = reader.pos;
    reader.skipType(wireType);
    const size = reader.pos - start;
    records++;
    // A packed dimension takes a byte or more.
    if (field === 1) rank += wireType === 2 ? size - 1 : 1;
    const isVarints = field === 5 || field === 7 || field === 11;
    if (rank > MAX_RANK * 10 || records > MAX_RECORDS || (isVarints && size > MAX_VARINT_BYTES))
      throw new AppError('LIMIT', 'takes too much memory to decode', {
        file,
        field: field === 1 ? 'dims' : 'values',
        found: field === 1 ? `over ${MAX_RANK} dimensions` : `${records} records, ${size} bytes`,
        expected: `at most ${MAX_RANK} dimensions, ${MAX_RECORDS} records, ${MAX_VARINT_BYTES} bytes of varints`,
      });
  }
}

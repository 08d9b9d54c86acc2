import * as fs from 'node:fs';
import * as path from 'node:path';
import { unzipSync } from 'fflate';
import { onnx } from 'onnx-proto';
import { packedBytes, type DtypeName } from '../../../shared/dtypes.ts';
import { AppError } from '../../../shared/errors.ts';
import { tensorType } from '../formats/onnx/tensor-types.ts';
import { ioError } from '../source.ts';
import type { ArrayData, ArrayValue } from './inputs.ts';

/** Sample files are read whole; larger ones are no sample. */
const MAX_FILE_BYTES = 1 << 30;

type Sample = Readonly<Record<string, ArrayValue>>;

/**
 * Samples for a model's inputs from a folder: each .npz is a sample with arrays by input name; each
 * subfolder is one, of .npy files by input name or of input_0.pb, input_1.pb ... in the order of the
 * inputs (as in ONNX's own test data); .npy and .pb files in the folder itself make one sample.
 * @throws AppError naming the file when one cannot be read or an input is missing.
 */
export function readSamples(folder: string, inputs: readonly string[]): Sample[] {
  const entries = list(folder);
  const samples: Sample[] = [];
  for (const name of entries) {
    const file = path.join(folder, name);
    if (name.endsWith('.npz')) samples.push(readNpz(file));
    else if (fs.statSync(file).isDirectory()) {
      const sample = readFiles(file, list(file), inputs);
      if (sample !== null) samples.push(sample);
    }
  }
  const own = readFiles(folder, entries, inputs);
  if (own !== null) samples.push(own);
  if (samples.length === 0)
    throw new AppError('BAD_USAGE', 'holds no samples', {
      file: folder,
      field: 'samples',
      found: `${entries.length} entries`,
      expected: '.npz files, or .npy or input_N.pb files',
    });
  for (const sample of samples)
    for (const input of inputs)
      if (!Object.hasOwn(sample, input))
        throw new AppError('BAD_USAGE', 'a sample lacks an input of the model', {
          file: folder,
          field: input,
          found: Object.keys(sample).join(', '),
          expected: inputs.join(', '),
        });
  return samples;
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
  inputs: readonly string[],
): Sample | null {
  const sample = new Map<string, ArrayValue>();
  for (const name of names) {
    const file = path.join(folder, name);
    if (name.endsWith('.npy'))
      sample.set(path.basename(name, '.npy'), parseNpy(readWhole(file), file));
    const numbered = /^input_(\d+)\.pb$/.exec(name);
    if (numbered === null) continue;
    const tensor = readTensorProto(file);
    const input = inputs.includes(tensor.name) ? tensor.name : inputs[Number(numbered[1])];
    if (input !== undefined) sample.set(input, tensor.value);
  }
  return sample.size === 0 ? null : Object.fromEntries(sample);
}

function readWhole(file: string): Uint8Array {
  try {
    const { size } = fs.statSync(file);
    if (size > MAX_FILE_BYTES)
      throw new AppError('LIMIT', 'is too large for a sample', {
        file,
        field: 'size',
        found: `${size} bytes`,
        expected: `at most ${MAX_FILE_BYTES}`,
      });
    return fs.readFileSync(file);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw ioError('cannot be read', file, error);
  }
}

function readNpz(file: string): Sample {
  let total = 0;
  let unpacked: Record<string, Uint8Array>;
  try {
    unpacked = unzipSync(readWhole(file), {
      filter: ({ name, originalSize }) => {
        total += originalSize;
        if (total > MAX_FILE_BYTES)
          throw new AppError('LIMIT', 'unpacks to too much', {
            file,
            field: name,
            found: `over ${MAX_FILE_BYTES} bytes`,
            expected: 'a sample',
          });
        return name.endsWith('.npy');
      },
    });
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(
      'MALFORMED',
      'is no .npz archive',
      { file, field: 'archive', found: String(error), expected: 'a zip of .npy files' },
      error,
    );
  }
  return Object.fromEntries(
    Object.entries(unpacked).map(([name, bytes]) => [
      name.slice(0, -'.npy'.length),
      parseNpy(bytes, file),
    ]),
  );
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
    new AppError('MALFORMED', 'is no array that can be read', { file, field, found, expected });
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
  throw new AppError('MALFORMED', 'has a shape that is none', {
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
    throw new AppError('MALFORMED', 'holds not as many values as its shape says', {
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
  return new AppError('UNSUPPORTED', 'holds values that are no model input', {
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

function readTensorProto(file: string): { name: string; value: ArrayValue } {
  const bytes = readWhole(file);
  let tensor: onnx.TensorProto;
  try {
    tensor = onnx.TensorProto.decode(bytes);
  } catch (error) {
    throw new AppError(
      'MALFORMED',
      'is no TensorProto',
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
    throw new AppError('MALFORMED', 'holds not as many values as its shape says', {
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

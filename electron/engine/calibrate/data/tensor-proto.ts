import { onnx } from 'onnx-proto';
import { Reader } from 'protobufjs/minimal.js';
import { packedBytes, type DtypeName } from '../../../../shared/dtypes.ts';
import { AppError } from '../../../../shared/errors.ts';
import { tensorType } from '../../formats/onnx/read/tensor-types.ts';
import type { ArrayData, ArrayValue } from '../../runtime/inputs.ts';
import { ARRAY_OF, countOf, noInput, typedArray } from './array-data.ts';
import { readWhole } from './sample-file.ts';

/** NumPy stops at 64 axes. */
const MAX_RANK = 64;
/** Values as varints take ten times their bytes in memory when they are decoded; raw_data has no such limit. */
const MAX_VARINT_BYTES = 16 << 20;
/** Unpacked values come one record each. */
const MAX_RECORDS = 1 << 20;

/** A tensor of ONNX test data (.pb) of at most so many bytes. @throws AppError naming the file. */
export function readTensorProto(file: string, most: number): { name: string; value: ArrayValue } {
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

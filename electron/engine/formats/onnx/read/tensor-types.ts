import type { DtypeName } from '../../../../../shared/dtypes.ts';

/** The field of TensorProto that may hold a type's values when raw_data does not (onnx.proto, TensorProto). */
export type TypedField =
  | 'float_data'
  | 'int32_data'
  | 'int64_data'
  | 'double_data'
  | 'uint64_data'
  | 'string_data';

export interface TensorType {
  readonly dtype: DtypeName;
  readonly typedField: TypedField;
}

/** TensorProto.DataType by number (onnx 1.23; 0 is UNDEFINED). */
const types: Readonly<Record<number, TensorType>> = {
  1: { dtype: 'float32', typedField: 'float_data' },
  2: { dtype: 'uint8', typedField: 'int32_data' },
  3: { dtype: 'int8', typedField: 'int32_data' },
  4: { dtype: 'uint16', typedField: 'int32_data' },
  5: { dtype: 'int16', typedField: 'int32_data' },
  6: { dtype: 'int32', typedField: 'int32_data' },
  7: { dtype: 'int64', typedField: 'int64_data' },
  8: { dtype: 'string', typedField: 'string_data' },
  9: { dtype: 'bool', typedField: 'int32_data' },
  10: { dtype: 'float16', typedField: 'int32_data' },
  11: { dtype: 'float64', typedField: 'double_data' },
  12: { dtype: 'uint32', typedField: 'uint64_data' },
  13: { dtype: 'uint64', typedField: 'uint64_data' },
  14: { dtype: 'complex64', typedField: 'float_data' },
  15: { dtype: 'complex128', typedField: 'double_data' },
  16: { dtype: 'bfloat16', typedField: 'int32_data' },
  17: { dtype: 'float8_e4m3fn', typedField: 'int32_data' },
  18: { dtype: 'float8_e4m3fnuz', typedField: 'int32_data' },
  19: { dtype: 'float8_e5m2', typedField: 'int32_data' },
  20: { dtype: 'float8_e5m2fnuz', typedField: 'int32_data' },
  21: { dtype: 'uint4', typedField: 'int32_data' },
  22: { dtype: 'int4', typedField: 'int32_data' },
  23: { dtype: 'float4_e2m1fn', typedField: 'int32_data' },
  24: { dtype: 'float8_e8m0fnu', typedField: 'int32_data' },
  25: { dtype: 'uint2', typedField: 'int32_data' },
  26: { dtype: 'int2', typedField: 'int32_data' },
};

export function tensorType(dataType: number): TensorType | undefined {
  return types[dataType];
}

const numbers: ReadonlyMap<DtypeName, number> = new Map(
  Object.entries(types).map(([number, { dtype }]) => [dtype, Number(number)]),
);

/** ONNX's number for a dtype. @throws RangeError when ONNX has no such type */
export function onnxDataType(dtype: DtypeName): number {
  const number = numbers.get(dtype);
  if (number === undefined) throw new RangeError(`ONNX has no ${dtype}`);
  return number;
}

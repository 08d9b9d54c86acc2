import type { DtypeName } from '../../../../../shared/dtypes.ts';
import { TENSOR_TYPES } from './schema.ts';

const DTYPES: Readonly<Record<string, DtypeName>> = {
  FLOAT64: 'float64',
  FLOAT32: 'float32',
  FLOAT16: 'float16',
  BFLOAT16: 'bfloat16',
  INT64: 'int64',
  INT32: 'int32',
  INT16: 'int16',
  INT8: 'int8',
  INT4: 'int4',
  INT2: 'int2',
  UINT64: 'uint64',
  UINT32: 'uint32',
  UINT16: 'uint16',
  UINT8: 'uint8',
  UINT4: 'uint4',
  BOOL: 'bool',
  COMPLEX64: 'complex64',
  COMPLEX128: 'complex128',
  STRING: 'string',
};

/** TensorType's number of float32. */
export const FLOAT32 = TENSOR_TYPES.indexOf('FLOAT32');

/** A TensorType's number as a dtype; null for handles, which have no values, and for types of newer schemas. */
export function dtypeOfType(type: number): DtypeName | null {
  return DTYPES[typeName(type)] ?? null;
}

export function typeName(type: number): string {
  return TENSOR_TYPES[type] ?? `type ${type}`;
}

/** TensorType's number of a dtype, or null where the schema has none. */
export function typeOfDtype(dtype: DtypeName): number | null {
  const type = TENSOR_TYPES.findIndex((name) => DTYPES[name] === dtype);
  return type < 0 ? null : type;
}

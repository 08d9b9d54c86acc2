import type { DtypeName } from '../../../../../shared/dtypes.ts';

/** Element types by the names that safetensors headers give them (safetensors 0.8, enum Dtype). */
export const ELEMENT_TYPES: ReadonlyMap<string, DtypeName> = new Map<string, DtypeName>([
  ['F64', 'float64'],
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F8_E4M3', 'float8_e4m3fn'],
  ['F8_E4M3FNUZ', 'float8_e4m3fnuz'],
  ['F8_E5M2', 'float8_e5m2'],
  ['F8_E5M2FNUZ', 'float8_e5m2fnuz'],
  ['F8_E8M0', 'float8_e8m0fnu'],
  ['F6_E2M3', 'float6_e2m3fn'],
  ['F6_E3M2', 'float6_e3m2fn'],
  ['F4', 'float4_e2m1fn'],
  ['I64', 'int64'],
  ['I32', 'int32'],
  ['I16', 'int16'],
  ['I8', 'int8'],
  ['U64', 'uint64'],
  ['U32', 'uint32'],
  ['U16', 'uint16'],
  ['U8', 'uint8'],
  ['BOOL', 'bool'],
  ['C64', 'complex64'],
]);

const byDtype: ReadonlyMap<DtypeName, string> = new Map(
  [...ELEMENT_TYPES].map(([name, dtype]) => [dtype, name]),
);

/** The header's name of an element type. @throws RangeError for one that safetensors lacks, such as int4 */
export function elementTypeName(dtype: DtypeName): string {
  const name = byDtype.get(dtype);
  if (name === undefined) throw new RangeError(`safetensors has no ${dtype}`);
  return name;
}

/** Every element type that a model file of a supported format can hold, in PyTorch's and ONNX's words. */
export type DtypeName =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float8_e4m3fn'
  | 'float8_e4m3fnuz'
  | 'float8_e5m2'
  | 'float8_e5m2fnuz'
  | 'float8_e8m0fnu'
  | 'float6_e2m3fn'
  | 'float6_e3m2fn'
  | 'float4_e2m1fn'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'int4'
  | 'int2'
  | 'uint64'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'uint4'
  | 'uint2'
  | 'bool'
  | 'complex64'
  | 'complex128'
  | 'string';

export interface Dtype {
  readonly name: DtypeName;
  readonly kind: 'float' | 'int' | 'uint' | 'other';
  /** Bits of one element as stored packed; 0 for strings. */
  readonly bits: number;
}

const table: readonly Dtype[] = [
  { name: 'float64', kind: 'float', bits: 64 },
  { name: 'float32', kind: 'float', bits: 32 },
  { name: 'float16', kind: 'float', bits: 16 },
  { name: 'bfloat16', kind: 'float', bits: 16 },
  { name: 'float8_e4m3fn', kind: 'float', bits: 8 },
  { name: 'float8_e4m3fnuz', kind: 'float', bits: 8 },
  { name: 'float8_e5m2', kind: 'float', bits: 8 },
  { name: 'float8_e5m2fnuz', kind: 'float', bits: 8 },
  { name: 'float8_e8m0fnu', kind: 'float', bits: 8 },
  { name: 'float6_e2m3fn', kind: 'float', bits: 6 },
  { name: 'float6_e3m2fn', kind: 'float', bits: 6 },
  { name: 'float4_e2m1fn', kind: 'float', bits: 4 },
  { name: 'int64', kind: 'int', bits: 64 },
  { name: 'int32', kind: 'int', bits: 32 },
  { name: 'int16', kind: 'int', bits: 16 },
  { name: 'int8', kind: 'int', bits: 8 },
  { name: 'int4', kind: 'int', bits: 4 },
  { name: 'int2', kind: 'int', bits: 2 },
  { name: 'uint64', kind: 'uint', bits: 64 },
  { name: 'uint32', kind: 'uint', bits: 32 },
  { name: 'uint16', kind: 'uint', bits: 16 },
  { name: 'uint8', kind: 'uint', bits: 8 },
  { name: 'uint4', kind: 'uint', bits: 4 },
  { name: 'uint2', kind: 'uint', bits: 2 },
  { name: 'bool', kind: 'other', bits: 8 },
  { name: 'complex64', kind: 'other', bits: 64 },
  { name: 'complex128', kind: 'other', bits: 128 },
  { name: 'string', kind: 'other', bits: 0 },
];

const byName: ReadonlyMap<string, Dtype> = new Map(table.map((dtype) => [dtype.name, dtype]));

/** The facts of one dtype. */
export function dtypeOf(name: DtypeName): Dtype {
  const dtype = byName.get(name);
  if (dtype === undefined) throw new RangeError(`no dtype is called ${name}`);
  return dtype;
}

/** Bytes that `elements` values of a dtype take when packed without padding between them. */
export function packedBytes(name: DtypeName, elements: number): number {
  return Math.ceil((elements * dtypeOf(name).bits) / 8);
}

/** The float types whose weights can be quantized: those the kernels read. */
export type SourceDtype = 'float64' | 'float32' | 'float16' | 'bfloat16';

export function isSourceDtype(name: DtypeName): name is SourceDtype {
  return name === 'float64' || name === 'float32' || name === 'float16' || name === 'bfloat16';
}

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

/** CMSIS-DSP's fixed point: Qn is a two's complement integer with n fraction bits. */
export type FixedDtype = 'q7' | 'q15' | 'q31';

/** What a number format is called elsewhere; null where there is none. */
export interface FormatNames {
  /** torch's dtype. Of the 4-bit ones it has the names and no arithmetic. */
  readonly pytorch: string | null;
  /** TensorProto.DataType. */
  readonly onnx: string | null;
  /** TensorType of the schema. */
  readonly litert: string | null;
  /** ggml's type. Q4_0 and Q4_1 are blocks of 32 codes: one with a scale, one with a minimum besides. */
  readonly gguf: string | null;
  /** The C type of CMSIS-DSP, and for integers that of CMSIS-NN. */
  readonly cmsis: string | null;
}

/** The facts of one number format. */
export interface Dtype {
  readonly name: DtypeName | FixedDtype;
  readonly kind: 'float' | 'int' | 'uint' | 'fixed' | 'other';
  /** Bits of one element as stored packed; 0 for strings. */
  readonly bits: number;
  /** Floats only. */
  readonly exponentBits: number;
  /** Stored fraction bits of floats and fixed point; 0 for integers. */
  readonly fractionBits: number;
  /** The type that files store its values in: itself, or the plain integer of fixed point. */
  readonly stored: DtypeName;
  readonly names: FormatNames;
}

type Elsewhere = Partial<FormatNames>;

/** PyTorch's words are the names used here, but for fixed point, which it does not have. */
function row(name: DtypeName, facts: Partial<Dtype>, names: Elsewhere): Dtype {
  return {
    name,
    kind: 'other',
    bits: 0,
    exponentBits: 0,
    fractionBits: 0,
    stored: name,
    ...facts,
    names: { pytorch: name, onnx: null, litert: null, gguf: null, cmsis: null, ...names },
  };
}

function float(
  name: DtypeName,
  exponentBits: number,
  fractionBits: number,
  names: Elsewhere = {},
): Dtype {
  const bits = 1 + exponentBits + fractionBits;
  return row(name, { kind: 'float', bits, exponentBits, fractionBits }, names);
}

function integer(name: DtypeName, names: Elsewhere = {}): Dtype {
  const kind = name.startsWith('u') ? 'uint' : 'int';
  return row(name, { kind, bits: Number(/\d+/.exec(name)![0]) }, names);
}

function fixed(name: FixedDtype, stored: DtypeName, names: Elsewhere): Dtype {
  const fractionBits = Number(name.slice(1));
  const facts = { kind: 'fixed', bits: fractionBits + 1, fractionBits } as const;
  return { ...row(stored, facts, { ...names, pytorch: null }), name };
}

/** Every number format that a file may hold or a recipe may name. The one table: all others are derived from it. */
export const DTYPES: readonly Dtype[] = [
  float('float64', 11, 52, { onnx: 'DOUBLE', litert: 'FLOAT64', gguf: 'F64', cmsis: 'float64_t' }),
  float('float32', 8, 23, { onnx: 'FLOAT', litert: 'FLOAT32', gguf: 'F32', cmsis: 'float32_t' }),
  float('float16', 5, 10, { onnx: 'FLOAT16', litert: 'FLOAT16', gguf: 'F16', cmsis: 'float16_t' }),
  float('bfloat16', 8, 7, { onnx: 'BFLOAT16', litert: 'BFLOAT16', gguf: 'BF16' }),
  float('float8_e4m3fn', 4, 3, { onnx: 'FLOAT8E4M3FN' }),
  float('float8_e4m3fnuz', 4, 3, { onnx: 'FLOAT8E4M3FNUZ' }),
  float('float8_e5m2', 5, 2, { onnx: 'FLOAT8E5M2' }),
  float('float8_e5m2fnuz', 5, 2, { onnx: 'FLOAT8E5M2FNUZ' }),
  // An exponent alone, without a sign.
  row('float8_e8m0fnu', { kind: 'float', bits: 8, exponentBits: 8 }, { onnx: 'FLOAT8E8M0' }),
  float('float6_e2m3fn', 2, 3),
  float('float6_e3m2fn', 3, 2),
  float('float4_e2m1fn', 2, 1, { onnx: 'FLOAT4E2M1' }),
  integer('int64', { onnx: 'INT64', litert: 'INT64', gguf: 'I64', cmsis: 'int64_t' }),
  integer('int32', { onnx: 'INT32', litert: 'INT32', gguf: 'I32', cmsis: 'int32_t' }),
  integer('int16', { onnx: 'INT16', litert: 'INT16', gguf: 'I16', cmsis: 'int16_t' }),
  integer('int8', { onnx: 'INT8', litert: 'INT8', gguf: 'I8', cmsis: 'int8_t' }),
  integer('int4', { onnx: 'INT4', litert: 'INT4', gguf: 'Q4_0' }),
  integer('int2', { onnx: 'INT2' }),
  integer('uint64', { onnx: 'UINT64', litert: 'UINT64', cmsis: 'uint64_t' }),
  integer('uint32', { onnx: 'UINT32', litert: 'UINT32', cmsis: 'uint32_t' }),
  integer('uint16', { onnx: 'UINT16', litert: 'UINT16', cmsis: 'uint16_t' }),
  integer('uint8', { onnx: 'UINT8', litert: 'UINT8', cmsis: 'uint8_t' }),
  integer('uint4', { onnx: 'UINT4', litert: 'UINT4', gguf: 'Q4_1' }),
  integer('uint2', { onnx: 'UINT2' }),
  row('bool', { bits: 8 }, { onnx: 'BOOL', litert: 'BOOL' }),
  row('complex64', { bits: 64 }, { onnx: 'COMPLEX64', litert: 'COMPLEX64' }),
  row('complex128', { bits: 128 }, { onnx: 'COMPLEX128', litert: 'COMPLEX128' }),
  row('string', {}, { pytorch: null, onnx: 'STRING', litert: 'STRING' }),
  fixed('q7', 'int8', { cmsis: 'q7_t' }),
  fixed('q15', 'int16', { cmsis: 'q15_t' }),
  fixed('q31', 'int32', { cmsis: 'q31_t' }),
];

const byName: ReadonlyMap<string, Dtype> = new Map(DTYPES.map((dtype) => [dtype.name, dtype]));

/** The facts of one number format. @throws RangeError when there is none of that name */
export function dtypeOf(name: DtypeName | FixedDtype): Dtype {
  const dtype = byName.get(name);
  if (dtype === undefined) throw new RangeError(`no dtype is called ${name}`);
  return dtype;
}

/** Integers that codes may be. */
export interface CodeRange {
  readonly qmin: number;
  readonly qmax: number;
}

/** Every code of an integer or fixed-point format. @throws RangeError for floats */
export function codesOf(name: DtypeName | FixedDtype): CodeRange {
  const { kind, bits } = dtypeOf(name);
  if (kind === 'uint') return { qmin: 0, qmax: 2 ** bits - 1 };
  if (kind === 'int' || kind === 'fixed')
    return { qmin: -(2 ** (bits - 1)), qmax: 2 ** (bits - 1) - 1 };
  throw new RangeError(`${name} has no codes`);
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

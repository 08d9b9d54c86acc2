/**
 * A format's fields and limits as PyTorch's iinfo and finfo state them. Integers and Q formats are
 * two's complement; the Q formats, in [-1, 1 - 2^-n], are fixed point and so are spaced evenly.
 */
export interface NumberFormat {
  readonly name: string;
  readonly kind: 'unsigned' | 'signed' | 'float' | 'fixed';
  readonly bits: number;
  readonly signBits: 0 | 1;
  readonly exponentBits: number;
  /** Fraction bits of floats and Q formats, the magnitude bits of integers. */
  readonly fractionBits: number;
  /** Integers exactly, as 64 bits are beyond a double; the others in the fewest digits that read back. */
  readonly min: string;
  readonly max: string;
  /** The distance from 1 to the next float, or the even step of a Q format. */
  readonly eps: number | null;
  readonly smallestNormal: number | null;
  readonly smallestSubnormal: number | null;
  /** Decimal digits that always survive: torch's `resolution` is 10^-digits. */
  readonly digits: number | null;
  readonly names: FormatNames;
}

/** What a format is called elsewhere; null where there is none. */
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

const ELSEWHERE: Readonly<Record<string, Partial<FormatNames>>> = {
  uint4: { onnx: 'UINT4', litert: 'UINT4', gguf: 'Q4_1' },
  uint8: { onnx: 'UINT8', litert: 'UINT8', cmsis: 'uint8_t' },
  uint16: { onnx: 'UINT16', litert: 'UINT16', cmsis: 'uint16_t' },
  uint32: { onnx: 'UINT32', litert: 'UINT32', cmsis: 'uint32_t' },
  uint64: { onnx: 'UINT64', litert: 'UINT64', cmsis: 'uint64_t' },
  int4: { onnx: 'INT4', litert: 'INT4', gguf: 'Q4_0' },
  int8: { onnx: 'INT8', litert: 'INT8', gguf: 'I8', cmsis: 'int8_t' },
  int16: { onnx: 'INT16', litert: 'INT16', gguf: 'I16', cmsis: 'int16_t' },
  int32: { onnx: 'INT32', litert: 'INT32', gguf: 'I32', cmsis: 'int32_t' },
  int64: { onnx: 'INT64', litert: 'INT64', gguf: 'I64', cmsis: 'int64_t' },
  float64: { onnx: 'DOUBLE', litert: 'FLOAT64', gguf: 'F64', cmsis: 'float64_t' },
  float32: { onnx: 'FLOAT', litert: 'FLOAT32', gguf: 'F32', cmsis: 'float32_t' },
  float16: { onnx: 'FLOAT16', litert: 'FLOAT16', gguf: 'F16', cmsis: 'float16_t' },
  bfloat16: { onnx: 'BFLOAT16', litert: 'BFLOAT16', gguf: 'BF16' },
  float8_e4m3fn: { onnx: 'FLOAT8E4M3FN' },
  float8_e5m2: { onnx: 'FLOAT8E5M2' },
  q7: { pytorch: null, cmsis: 'q7_t' },
  q15: { pytorch: null, cmsis: 'q15_t' },
  q31: { pytorch: null, cmsis: 'q31_t' },
};

/** PyTorch's words are the names used here, but for fixed point, which it does not have. */
function namesOf(name: string): FormatNames {
  return { pytorch: name, onnx: null, litert: null, gguf: null, cmsis: null, ...ELSEWHERE[name] };
}

function integerFormat(kind: 'unsigned' | 'signed', bits: number): NumberFormat {
  const signBits = kind === 'signed' ? 1 : 0;
  const span = 1n << BigInt(bits - signBits);
  const name = `${kind === 'signed' ? 'int' : 'uint'}${bits}`;
  return {
    name,
    kind,
    bits,
    signBits,
    exponentBits: 0,
    fractionBits: bits - signBits,
    min: String(kind === 'signed' ? -span : 0n),
    max: String(span - 1n),
    eps: null,
    smallestNormal: null,
    smallestSubnormal: null,
    digits: null,
    names: namesOf(name),
  };
}

/** Without `max` the format follows IEEE 754: the greatest exponent is kept for infinity and NaN. */
function floatFormat(
  name: string,
  exponentBits: number,
  fractionBits: number,
  max?: number,
): NumberFormat {
  const bias = 2 ** (exponentBits - 1) - 1;
  const largest = max ?? (2 - 2 ** -fractionBits) * 2 ** bias;
  return {
    name,
    kind: 'float',
    bits: 1 + exponentBits + fractionBits,
    signBits: 1,
    exponentBits,
    fractionBits,
    min: String(-largest),
    max: String(largest),
    eps: 2 ** -fractionBits,
    smallestNormal: 2 ** (1 - bias),
    smallestSubnormal: 2 ** (1 - bias - fractionBits),
    digits: Math.floor(fractionBits * Math.log10(2)),
    names: namesOf(name),
  };
}

function fixedFormat(fractionBits: number): NumberFormat {
  const step = 2 ** -fractionBits;
  const name = `q${fractionBits}`;
  return {
    name,
    kind: 'fixed',
    bits: fractionBits + 1,
    signBits: 1,
    exponentBits: 0,
    fractionBits,
    min: '-1',
    max: String(1 - step),
    eps: step,
    smallestNormal: null,
    smallestSubnormal: null,
    digits: Math.floor(fractionBits * Math.log10(2)),
    names: namesOf(name),
  };
}

/** Every format of the lab, integers first. */
export const NUMBER_FORMATS: readonly NumberFormat[] = [
  ...[4, 8, 16, 32, 64].map((bits) => integerFormat('unsigned', bits)),
  ...[4, 8, 16, 32, 64].map((bits) => integerFormat('signed', bits)),
  floatFormat('float64', 11, 52),
  floatFormat('float32', 8, 23),
  floatFormat('float16', 5, 10),
  floatFormat('bfloat16', 8, 7),
  // No infinity: only the all-ones pattern is NaN, so the greatest exponent holds numbers too.
  floatFormat('float8_e4m3fn', 4, 3, 448),
  floatFormat('float8_e5m2', 5, 2),
  ...[7, 15, 31].map(fixedFormat),
];

/**
 * A binary floating-point format of at most 16 bits: sign, exponent and fraction as in IEEE 754,
 * subnormals included. Magnitude patterns above `largest` are not finite.
 */
export interface SmallFloat {
  readonly exponentBits: number;
  readonly fractionBits: number;
  /** The magnitude pattern of the largest finite number. */
  readonly largest: number;
  /** The magnitude pattern that overflow and infinity become. */
  readonly overflow: number;
  /** The pattern that every NaN becomes. */
  readonly nan: number;
}

/** IEEE 754 binary16. */
export const FLOAT16: SmallFloat = {
  exponentBits: 5,
  fractionBits: 10,
  largest: 0x7bff,
  overflow: 0x7c00,
  nan: 0x7e00,
};

export const BFLOAT16: SmallFloat = {
  exponentBits: 8,
  fractionBits: 7,
  largest: 0x7f7f,
  overflow: 0x7f80,
  nan: 0x7fc0,
};

/** ONNX FLOAT8E4M3FN with saturate = 1: no infinities, overflow becomes +-448. */
export const FLOAT8_E4M3FN: SmallFloat = {
  exponentBits: 4,
  fractionBits: 3,
  largest: 0x7e,
  overflow: 0x7e,
  nan: 0x7f,
};

/** ONNX FLOAT8E5M2 with saturate = 1: overflow, and infinity too, becomes +-57344. */
export const FLOAT8_E5M2: SmallFloat = {
  exponentBits: 5,
  fractionBits: 2,
  largest: 0x7b,
  overflow: 0x7b,
  nan: 0x7e,
};

const TWO_52 = 2 ** 52;
const scratch = new DataView(new ArrayBuffer(8));

/** The unbiased exponent of a positive double; -1023 for the subnormal ones. */
function exponentOf(magnitude: number): number {
  scratch.setFloat64(0, magnitude);
  return ((scratch.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

/** 2^exponent for exponents of normal doubles. */
function powerOfTwo(exponent: number): number {
  scratch.setUint32(0, (exponent + 1023) << 20);
  scratch.setUint32(4, 0);
  return scratch.getFloat64(0);
}

/**
 * The magnitude pattern that a positive number, or infinity, rounds to, half to even, as if
 * patterns went on beyond `largest`: a greater result means that the number overflows.
 * One rounding, from the double itself: going through float32 would round twice.
 */
function roundedMagnitude(magnitude: number, format: SmallFloat): number {
  const { exponentBits, fractionBits } = format;
  const bias = 2 ** (exponentBits - 1) - 1;
  const exponent = Math.max(exponentOf(magnitude), 1 - bias);
  if (exponent > bias + 1) return 2 ** (exponentBits + fractionBits);
  // An integer in [2^fractionBits, 2^(fractionBits + 1)], or below it for subnormals; adding 2^52
  // leaves no fraction bits in a double, so that the sum is rounded half to even.
  const scaled = magnitude * powerOfTwo(fractionBits - exponent);
  const significand = scaled + TWO_52 - TWO_52;
  return (exponent + bias - 1) * 2 ** fractionBits + significand;
}

/**
 * The bit pattern of a number: rounded once, half to even; subnormals kept; overflow and NaN as
 * the format says; the sign of zero kept.
 */
export function encodeSmallFloat(value: number, format: SmallFloat): number {
  if (Number.isNaN(value)) return format.nan;
  const negative = value < 0 || (value === 0 && 1 / value < 0);
  const sign = negative ? 2 ** (format.exponentBits + format.fractionBits) : 0;
  if (value === 0) return sign;
  const magnitude = roundedMagnitude(Math.abs(value), format);
  return sign + (magnitude > format.largest ? format.overflow : magnitude);
}

/** Whether a finite number rounds beyond the largest finite number of the format. */
export function overflows(value: number, format: SmallFloat): boolean {
  const magnitude = Math.abs(value);
  return (
    magnitude > 0 && magnitude < Infinity && roundedMagnitude(magnitude, format) > format.largest
  );
}

/** The number that a bit pattern stands for; exact. */
export function decodeSmallFloat(bits: number, format: SmallFloat): number {
  const { exponentBits, fractionBits, largest } = format;
  const bias = 2 ** (exponentBits - 1) - 1;
  const signBit = 2 ** (exponentBits + fractionBits);
  const magnitude = bits & (signBit - 1);
  const sign = (bits & signBit) === 0 ? 1 : -1;
  const infinity = (2 ** exponentBits - 1) * 2 ** fractionBits;
  if (magnitude > largest) return magnitude === infinity ? sign * Infinity : NaN;
  const exponent = magnitude >>> fractionBits;
  const fraction = magnitude & (2 ** fractionBits - 1);
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (2 ** fractionBits + fraction) * 2 ** (exponent - bias - fractionBits);
}

/** A binary floating-point format of at most 16 bits with IEEE 754's layout: sign, exponent, fraction. */
export interface SmallFloat {
  readonly exponentBits: number;
  readonly fractionBits: number;
}

export const FLOAT16: SmallFloat = { exponentBits: 5, fractionBits: 10 };
export const BFLOAT16: SmallFloat = { exponentBits: 8, fractionBits: 7 };

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

function isNegative(value: number): boolean {
  return value < 0 || (value === 0 && 1 / value < 0);
}

/**
 * The magnitude bits that a positive finite value rounds to, half to even, before any overflow
 * is decided: a result past the largest finite pattern means that the value overflows.
 * One rounding, from the double itself: going through float32 would round twice.
 */
export function roundedMagnitude(magnitude: number, format: SmallFloat): number {
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
 * The bit pattern of a number in an IEEE format with infinities: rounded once, half to even;
 * subnormals kept; overflow to infinity; NaN becomes the quiet NaN of the same sign.
 */
export function encodeSmallFloat(value: number, format: SmallFloat): number {
  const { exponentBits, fractionBits } = format;
  const sign = 2 ** (exponentBits + fractionBits);
  const infinity = sign - 2 ** fractionBits;
  if (Number.isNaN(value)) return infinity + 2 ** (fractionBits - 1);
  const bits = isNegative(value) ? sign : 0;
  if (value === 0) return bits;
  return bits + Math.min(roundedMagnitude(Math.abs(value), format), infinity);
}

/** The number that a bit pattern of an IEEE format stands for; exact. */
export function decodeSmallFloat(bits: number, format: SmallFloat): number {
  const { exponentBits, fractionBits } = format;
  const bias = 2 ** (exponentBits - 1) - 1;
  const exponent = (bits >>> fractionBits) & (2 ** exponentBits - 1);
  const fraction = bits & (2 ** fractionBits - 1);
  const sign = (bits >>> (exponentBits + fractionBits)) & 1 ? -1 : 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (2 ** fractionBits + fraction) * 2 ** (exponent - bias - fractionBits);
}

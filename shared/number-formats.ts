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
}

function integerFormat(kind: 'unsigned' | 'signed', bits: number): NumberFormat {
  const signBits = kind === 'signed' ? 1 : 0;
  const span = 1n << BigInt(bits - signBits);
  return {
    name: `${kind === 'signed' ? 'int' : 'uint'}${bits}`,
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
  };
}

function fixedFormat(fractionBits: number): NumberFormat {
  const step = 2 ** -fractionBits;
  return {
    name: `q${fractionBits}`,
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

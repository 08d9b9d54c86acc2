import { dtypeOf, type Dtype, type FormatNames } from './dtypes.ts';

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

function integerFormat({ name, kind, bits, names }: Dtype): NumberFormat {
  const signBits = kind === 'int' ? 1 : 0;
  const span = 1n << BigInt(bits - signBits);
  return {
    name,
    kind: kind === 'int' ? 'signed' : 'unsigned',
    bits,
    signBits,
    exponentBits: 0,
    fractionBits: bits - signBits,
    min: String(kind === 'int' ? -span : 0n),
    max: String(span - 1n),
    eps: null,
    smallestNormal: null,
    smallestSubnormal: null,
    digits: null,
    names,
  };
}

/** The largest number of formats without infinity: only the all-ones pattern is NaN, so the greatest exponent holds numbers too. */
const LARGEST: Readonly<Record<string, number>> = { float8_e4m3fn: 448 };

/** Other formats follow IEEE 754: the greatest exponent is kept for infinity and NaN. */
function floatFormat({ name, bits, exponentBits, fractionBits, names }: Dtype): NumberFormat {
  const bias = 2 ** (exponentBits - 1) - 1;
  const largest = LARGEST[name] ?? (2 - 2 ** -fractionBits) * 2 ** bias;
  return {
    name,
    kind: 'float',
    bits,
    signBits: 1,
    exponentBits,
    fractionBits,
    min: String(-largest),
    max: String(largest),
    eps: 2 ** -fractionBits,
    smallestNormal: 2 ** (1 - bias),
    smallestSubnormal: 2 ** (1 - bias - fractionBits),
    digits: Math.floor(fractionBits * Math.log10(2)),
    names,
  };
}

function fixedFormat({ name, bits, fractionBits, names }: Dtype): NumberFormat {
  const step = 2 ** -fractionBits;
  return {
    name,
    kind: 'fixed',
    bits,
    signBits: 1,
    exponentBits: 0,
    fractionBits,
    min: '-1',
    max: String(1 - step),
    eps: step,
    smallestNormal: null,
    smallestSubnormal: null,
    digits: Math.floor(fractionBits * Math.log10(2)),
    names,
  };
}

/** The formats of the lab, integers first, each from the fewest bits on. */
const LISTED = [
  ...(['uint4', 'uint8', 'uint16', 'uint32', 'uint64'] as const),
  ...(['int4', 'int8', 'int16', 'int32', 'int64'] as const),
  ...(['float64', 'float32', 'float16', 'bfloat16', 'float8_e4m3fn', 'float8_e5m2'] as const),
  ...(['q7', 'q15', 'q31'] as const),
];

/** Every format of the lab. */
export const NUMBER_FORMATS: readonly NumberFormat[] = LISTED.map((name) => {
  const dtype = dtypeOf(name);
  if (dtype.kind === 'fixed') return fixedFormat(dtype);
  return dtype.kind === 'float' ? floatFormat(dtype) : integerFormat(dtype);
});

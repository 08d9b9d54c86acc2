import { ratioOf, reduced, roundHalfEven, type Rational } from './number-in-formats.ts';

/** Qm.n: a sign, m integer bits and n fraction bits, in two's complement. Q7 is Q0.7. */
export interface FixedPointFormat {
  readonly integerBits: number;
  readonly fractionBits: number;
}

/** 'zero' cuts the fraction off, as CMSIS-DSP does unless it is built with ARM_MATH_ROUNDING. */
export type FixedPointRounding = 'even' | 'zero';

/** Every step from a real number to its code, and back. */
export interface FixedPointNumber {
  /** The value times 2^n, exactly. */
  readonly scaled: Rational;
  /** The whole number that it is rounded to. */
  readonly rounded: bigint;
  /** What is stored: the rounded number, held within [-2^(m+n), 2^(m+n) - 1]. */
  readonly code: bigint;
  readonly saturates: boolean;
  readonly bits: string;
  /** The value of the code: code / 2^n. */
  readonly stored: Rational;
  /** stored - value, to the nearest double, and in steps of 2^-n. */
  readonly error: number;
  readonly steps: number;
}

/** All bits of the widest format that is offered: 64, with the sign. */
export const MAX_FIXED_BITS = 64;

function width({ integerBits, fractionBits }: FixedPointFormat): number {
  return 1 + integerBits + fractionBits;
}

/** The least and the greatest code. */
export function codeEnds(format: FixedPointFormat): {
  readonly low: bigint;
  readonly high: bigint;
} {
  const half = 1n << BigInt(width(format) - 1);
  return { low: -half, high: half - 1n };
}

/** What a code stands for. */
export function codeValue({ fractionBits }: FixedPointFormat, code: bigint): Rational {
  return reduced(code, 1n << BigInt(fractionBits));
}

/** The code whose bits are a pattern. */
export function patternCode(format: FixedPointFormat, pattern: bigint): bigint {
  return BigInt.asIntN(width(format), pattern);
}

/** A real number in fixed point: scaled, rounded, saturated. */
export function toFixedPoint(
  value: Rational,
  format: FixedPointFormat,
  rounding: FixedPointRounding,
): FixedPointNumber {
  const scaled = reduced(value.n << BigInt(format.fractionBits), value.d);
  // A BigInt's division cuts towards zero.
  const rounded = rounding === 'zero' ? scaled.n / scaled.d : roundHalfEven(scaled.n, scaled.d);
  const { low, high } = codeEnds(format);
  const code = rounded < low ? low : rounded > high ? high : rounded;
  const stored = codeValue(format, code);
  const error = reduced(stored.n * value.d - value.n * stored.d, stored.d * value.d);
  return {
    scaled,
    rounded,
    code,
    saturates: code !== rounded,
    bits: BigInt.asUintN(width(format), code).toString(2).padStart(width(format), '0'),
    stored,
    error: ratioOf(error, { n: 1n, d: 1n }),
    steps: ratioOf(error, codeValue(format, 1n)),
  };
}

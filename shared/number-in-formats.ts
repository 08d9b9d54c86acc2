import { NUMBER_FORMATS, type NumberFormat } from './number-formats.ts';

/** An exact number: numerator over a denominator above zero. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

/** One value as one format stores it. */
export interface StoredNumber {
  readonly format: string;
  /** The whole pattern, most significant bit first: sign, exponent, fraction. */
  readonly bits: string;
  readonly hex: string;
  /** Exact to 60 decimals, as Python's format(x, '.60f'); or inf, -inf, nan. */
  readonly stored: string;
  /** null where what is stored is no finite number. */
  readonly value: Rational | null;
  /** stored - value, to the nearest double; the relative one is null where the value is 0. */
  readonly absoluteError: number | null;
  readonly relativeError: number | null;
  /** The error in steps of the format at what is stored. */
  readonly ulps: number | null;
  /** The step, from what is stored to the next value away from zero. */
  readonly step: Rational | null;
  /** The nearest values on each side, to 60 decimals; null past the ends of the format. */
  readonly below: string | null;
  readonly above: string | null;
  /** How far these are, in steps: 1, or 0.5 where the step halves towards zero. */
  readonly stepsBelow: number | null;
  readonly stepsAbove: number | null;
  /** The value was past the format's ends, and became an end or infinity. */
  readonly overflows: boolean;
}

/** What numberText writes of the smallest float64 fits; longer texts are no number of these formats. */
const MAX_TEXT = 800;
/** Past every format, whose exponents end at 10^308 and 2^-1074; keeps the arithmetic small. */
const MAX_EXPONENT = 1200;
export const DECIMALS = 60;

const NUMBER = /^([+-]?)(?:(0x[0-9a-f]+)|(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d{1,5}))?)$/i;

/**
 * A decimal (0.1, 1e-3), a fraction of two numbers (1/3) or a whole number in hex (0xff).
 * null where the text is none of these.
 */
export function parseNumber(text: string): Rational | null {
  const clean = text.trim().replaceAll('\u2212', '-');
  if (clean.length > MAX_TEXT) return null;
  const parts = clean.split('/').map((part) => parsePart(part.trim()));
  const [top, bottom] = parts;
  if (top === null || top === undefined || parts.length > 2) return null;
  if (bottom === undefined) return top;
  if (bottom === null || bottom.n === 0n) return null;
  const sign = bottom.n < 0n ? -1n : 1n;
  return reduced(sign * top.n * bottom.d, sign * bottom.n * top.d);
}

function parsePart(text: string): Rational | null {
  const match = NUMBER.exec(text);
  if (match === null) return null;
  const [, sign, hex, whole = '', decimals, onlyDecimals, power = '0'] = match;
  const exponent = Number(power);
  if (Math.abs(exponent) > MAX_EXPONENT) return null;
  const tail = decimals ?? onlyDecimals ?? '';
  const digits = BigInt(hex ?? `${whole}${tail}`) * (sign === '-' ? -1n : 1n);
  const scale = hex === undefined ? exponent - tail.length : 0;
  return scale < 0
    ? reduced(digits, 10n ** BigInt(-scale))
    : reduced(digits * 10n ** BigInt(scale), 1n);
}

/** A fraction in its lowest terms; d is above zero. */
export function reduced(n: bigint, d: bigint): Rational {
  let [a, b] = [n < 0n ? -n : n, d];
  while (b !== 0n) [a, b] = [b, a % b];
  return { n: n / a, d: d / a };
}

/** n / d to a whole number, half to even; d is above zero. */
export function roundHalfEven(n: bigint, d: bigint): bigint {
  if (n < 0n) return -roundHalfEven(-n, d);
  const quotient = n / d;
  const twice = (n % d) * 2n;
  return twice > d || (twice === d && (quotient & 1n) === 1n) ? quotient + 1n : quotient;
}

/** An exact number to so many decimals, half to even, as Python prints it. */
export function rationalDecimal({ n, d }: Rational, negativeZero = false): string {
  const scaled = roundHalfEven((n < 0n ? -n : n) * 10n ** BigInt(DECIMALS), d);
  const digits = scaled.toString().padStart(DECIMALS + 1, '0');
  const text = `${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`;
  return n < 0n || negativeZero ? `-${text}` : text;
}

/** n * 2^power, exactly. */
function scaledBy(n: bigint, power: number): Rational {
  return power >= 0 ? { n: n << BigInt(power), d: 1n } : reduced(n, 1n << BigInt(-power));
}

/** To the nearest double, from 64 significant bits: errors need no more than to be shown. */
export function toDouble({ n, d }: Rational): number {
  if (n === 0n) return 0;
  const size = n < 0n ? -n : n;
  const shift = 64 - (bitLength(size) - bitLength(d));
  const whole = shift >= 0 ? (size << BigInt(shift)) / d : size / (d << BigInt(-shift));
  // In two steps, as 2^-shift alone may be below the smallest double.
  const half = Math.trunc(shift / 2);
  return (n < 0n ? -1 : 1) * Number(whole) * 2 ** -half * 2 ** -(shift - half);
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

function minus(a: Rational, b: Rational): Rational {
  return reduced(a.n * b.d - b.n * a.d, a.d * b.d);
}

/** a / b to the nearest double; b is not 0. */
export function ratioOf(a: Rational, b: Rational): number {
  const sign = b.n < 0n ? -1n : 1n;
  return toDouble(reduced(sign * a.n * b.d, sign * a.d * b.n));
}

/** A finite double, exactly. */
export function fromDouble(value: number): Rational {
  let [whole, power] = [value, 0];
  // Doubling is exact, and what is no whole number is too small to overflow by it.
  for (; !Number.isInteger(whole); whole *= 2) power--;
  return scaledBy(BigInt(whole), power);
}

const bias = ({ exponentBits }: NumberFormat): number => 2 ** (exponentBits - 1) - 1;
/** All of IEEE 754 but e4m3fn, which keeps one pattern for NaN and none for infinity. */
const hasInfinity = ({ name }: NumberFormat): boolean => name !== 'float8_e4m3fn';
/** float8 saturates, as casts of weights do here; wider floats go to infinity, as IEEE 754 has it. */
const saturates = ({ kind, bits }: NumberFormat): boolean => kind !== 'float' || bits === 8;

/** The greatest finite pattern of a float, without its sign. */
function largestPattern(format: NumberFormat): bigint {
  const top = 1n << BigInt(format.bits - 1);
  return hasInfinity(format) ? top - (1n << BigInt(format.fractionBits)) - 1n : top - 2n;
}

/** What a pattern holds: null for infinity and NaN. */
export function patternValue(format: NumberFormat, pattern: bigint): Rational | null {
  if (format.kind !== 'float') {
    const code = format.kind === 'unsigned' ? pattern : BigInt.asIntN(format.bits, pattern);
    return format.kind === 'fixed' ? scaledBy(code, -format.fractionBits) : { n: code, d: 1n };
  }
  const magnitude = BigInt.asUintN(format.bits - 1, pattern);
  if (magnitude > largestPattern(format)) return null;
  const { significand, power } = magnitudeParts(format, magnitude);
  return scaledBy(isNegative(format, pattern) ? -significand : significand, power);
}

function isNegative({ bits }: NumberFormat, pattern: bigint): boolean {
  return pattern >> BigInt(bits - 1) === 1n;
}

function magnitudeParts(
  format: NumberFormat,
  magnitude: bigint,
): { significand: bigint; power: number } {
  const { fractionBits } = format;
  const field = Number(magnitude >> BigInt(fractionBits));
  const fraction = BigInt.asUintN(fractionBits, magnitude);
  return {
    significand: field === 0 ? fraction : fraction | (1n << BigInt(fractionBits)),
    power: Math.max(field, 1) - bias(format) - fractionBits,
  };
}

/** The pattern nearest to a value, half to even. */
function nearestPattern(
  format: NumberFormat,
  value: Rational,
): { pattern: bigint; overflows: boolean } {
  return format.kind === 'float' ? nearestFloat(format, value) : nearestCode(format, value);
}

function nearestCode(
  format: NumberFormat,
  { n, d }: Rational,
): { pattern: bigint; overflows: boolean } {
  const scale = format.kind === 'fixed' ? BigInt(format.fractionBits) : 0n;
  const code = roundHalfEven(n << scale, d);
  const span = 1n << BigInt(format.bits - format.signBits);
  const low = format.signBits === 1 ? -span : 0n;
  const held = code < low ? low : code >= span ? span - 1n : code;
  return { pattern: BigInt.asUintN(format.bits, held), overflows: held !== code };
}

function nearestFloat(
  format: NumberFormat,
  { n, d }: Rational,
): { pattern: bigint; overflows: boolean } {
  const { fractionBits, bits } = format;
  const size = n < 0n ? -n : n;
  const sign = n < 0n ? 1n << BigInt(bits - 1) : 0n;
  if (size === 0n) return { pattern: 0n, overflows: false };
  // floor(log2(value)): the difference of the lengths, or one less.
  let exponent = bitLength(size) - bitLength(d);
  const below = exponent >= 0 ? size < d << BigInt(exponent) : size << BigInt(-exponent) < d;
  if (below) exponent--;
  const lowest = 1 - bias(format);
  const power = Math.max(exponent, lowest) - fractionBits;
  const significand =
    power >= 0 ? roundHalfEven(size, d << BigInt(power)) : roundHalfEven(size << BigInt(-power), d);
  // A carry out of the fraction adds one to the exponent by itself; a subnormal has the field 0.
  const field = BigInt(Math.max(exponent, lowest) - lowest);
  const magnitude = (field << BigInt(fractionBits)) + significand;
  const largest = largestPattern(format);
  if (magnitude <= largest) return { pattern: sign | magnitude, overflows: false };
  return { pattern: sign | (saturates(format) ? largest : largest + 1n), overflows: true };
}

/** The pattern of the next value up or down; null past the ends. */
function neighbour(format: NumberFormat, pattern: bigint, up: boolean): bigint | null {
  const top = 1n << BigInt(format.bits - 1);
  if (format.kind !== 'float') {
    const value = format.kind === 'unsigned' ? pattern : BigInt.asIntN(format.bits, pattern);
    const next = value + (up ? 1n : -1n);
    const span = 1n << BigInt(format.bits - format.signBits);
    if (next >= span || next < (format.signBits === 1 ? -span : 0n)) return null;
    return BigInt.asUintN(format.bits, next);
  }
  const magnitude = BigInt.asUintN(format.bits - 1, pattern);
  // Floats of one sign are in the order of their patterns; both zeros are one place.
  const signed = (isNegative(format, pattern) ? -magnitude : magnitude) + (up ? 1n : -1n);
  const size = signed < 0n ? -signed : signed;
  if (size > largestPattern(format)) return null;
  return signed < 0n ? top | size : size;
}

function stepAt(format: NumberFormat, pattern: bigint): Rational {
  if (format.kind === 'fixed') return scaledBy(1n, -format.fractionBits);
  if (format.kind !== 'float') return { n: 1n, d: 1n };
  const magnitude = BigInt.asUintN(format.bits - 1, pattern);
  return scaledBy(1n, magnitudeParts(format, magnitude).power);
}

function textOf(format: NumberFormat, pattern: bigint): string {
  const value = patternValue(format, pattern);
  const negative = format.kind === 'float' && isNegative(format, pattern);
  if (value !== null) return rationalDecimal(value, negative);
  const infinite = hasInfinity(format) && BigInt.asUintN(format.fractionBits, pattern) === 0n;
  return infinite ? `${negative ? '-' : ''}inf` : 'nan';
}

/** What a format makes of a value. */
export function storeNumber(format: NumberFormat, value: Rational): StoredNumber {
  const { pattern, overflows } = nearestPattern(format, value);
  const stored = patternValue(format, pattern);
  const error = stored === null ? null : minus(stored, value);
  const step = stored === null ? null : stepAt(format, pattern);
  const below = stored === null ? null : neighbour(format, pattern, false);
  const above = stored === null ? null : neighbour(format, pattern, true);
  const distance = (to: bigint | null): number | null => {
    const next = to === null ? null : patternValue(format, to);
    if (next === null || stored === null || step === null) return null;
    return Math.abs(ratioOf(minus(next, stored), step));
  };
  return {
    format: format.name,
    bits: pattern.toString(2).padStart(format.bits, '0'),
    hex: pattern.toString(16).padStart(format.bits / 4, '0'),
    stored: textOf(format, pattern),
    value: stored,
    absoluteError: error === null ? null : toDouble(error),
    relativeError: error === null || value.n === 0n ? null : ratioOf(error, value),
    ulps: error === null || step === null ? null : ratioOf(error, step),
    step,
    below: below === null ? null : textOf(format, below),
    above: above === null ? null : textOf(format, above),
    stepsBelow: distance(below),
    stepsAbove: distance(above),
    overflows,
  };
}

/** A value in every format of the lab. */
export function storeEverywhere(value: Rational): StoredNumber[] {
  return NUMBER_FORMATS.map((format) => storeNumber(format, value));
}

/** The value of a pattern with one bit turned over, counted from the most significant; null for inf and NaN. */
export function flipBit(format: NumberFormat, bits: string, index: number): Rational | null {
  return patternValue(format, BigInt(`0b${bits}`) ^ (1n << BigInt(format.bits - 1 - index)));
}

/** A value as parseNumber reads it again: a finite decimal where there is one, else a fraction. */
export function numberText({ n, d }: Rational): string {
  // A power of two of the denominator is as many decimals.
  const places = bitLength(d) - 1;
  if (d !== 1n << BigInt(places) || places > DECIMALS) return d === 1n ? String(n) : `${n}/${d}`;
  const digits = ((n < 0n ? -n : n) * 5n ** BigInt(places)).toString().padStart(places + 1, '0');
  const sign = n < 0n ? '-' : '';
  if (places === 0) return `${sign}${digits}`;
  return `${sign}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

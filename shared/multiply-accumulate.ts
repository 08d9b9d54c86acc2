/** The fixed-point formats of CMSIS-DSP: Qn is two's complement with n fraction bits. */
export type FixedFormat = 'q7' | 'q15' | 'q31';

const WIDTH: Readonly<Record<FixedFormat, number>> = { q7: 8, q15: 16, q31: 32 };

/** One number of the sum: an integer, and its bits in two's complement at the width it has there. */
export interface Step {
  readonly value: bigint;
  readonly bits: string;
}

/** The same operands read as integers, where overflow wraps, and as Qn, where it saturates. */
export interface MultiplyAccumulate {
  readonly a: Step;
  readonly b: Step;
  /** Twice the width of the operands, as the product and both sums are. */
  readonly accumulator: Step;
  /** Exact: it has 2n fraction bits when the operands are Qn. */
  readonly product: Step;
  /** The product shifted right by n, rounded towards minus infinity: n fraction bits again. */
  readonly shifted: Step;
  /** accumulator + product, wrapped. */
  readonly integerSum: Step;
  readonly integerWraps: boolean;
  /** accumulator + shifted, saturated. */
  readonly fixedSum: Step;
  readonly fixedSaturates: boolean;
  /** The integer sum cut to the width of the operands. */
  readonly narrowedInteger: Step;
  readonly narrowedWraps: boolean;
  /** The fixed-point sum held within the width of the operands. */
  readonly narrowedFixed: Step;
  readonly narrowedSaturates: boolean;
}

/** The range of two's complement: [-2^(width - 1), 2^(width - 1) - 1]. */
export function signedRange(width: number): { low: bigint; high: bigint } {
  const half = 1n << BigInt(width - 1);
  return { low: -half, high: half - 1n };
}

/** A whole number that fits, as `width` bits of two's complement. */
function step(value: bigint, width: number): Step {
  return { value, bits: BigInt.asUintN(width, value).toString(2).padStart(width, '0') };
}

function saturate(value: bigint, width: number): bigint {
  const { low, high } = signedRange(width);
  if (value < low) return low;
  return value > high ? high : value;
}

function within(name: string, value: bigint, width: number): Step {
  const { low, high } = signedRange(width);
  if (value < low || value > high)
    throw new RangeError(`${name} is from ${low} to ${high}, not ${value}`);
  return step(value, width);
}

/**
 * One multiply-accumulate, each step in bits. The operands are the integers behind the format (-50
 * is -0.390625 in Q7) and the accumulator has twice their width, with n fraction bits when read as
 * Qn, as in CMSIS-DSP.
 * @throws RangeError where a number does not fit
 */
export function multiplyAccumulate(
  format: FixedFormat,
  operands: { readonly a: bigint; readonly b: bigint; readonly accumulator: bigint },
): MultiplyAccumulate {
  const width = WIDTH[format];
  const wide = 2 * width;
  const a = within('A', operands.a, width);
  const b = within('B', operands.b, width);
  const accumulator = within('the accumulator', operands.accumulator, wide);
  const product = a.value * b.value;
  // A BigInt's >> is an arithmetic shift: it rounds towards minus infinity.
  const shifted = product >> BigInt(width - 1);
  const integer = BigInt.asIntN(wide, accumulator.value + product);
  const fixed = saturate(accumulator.value + shifted, wide);
  const narrowedInteger = BigInt.asIntN(width, integer);
  const narrowedFixed = saturate(fixed, width);
  return {
    a,
    b,
    accumulator,
    product: step(product, wide),
    shifted: step(shifted, wide),
    integerSum: step(integer, wide),
    integerWraps: integer !== accumulator.value + product,
    fixedSum: step(fixed, wide),
    fixedSaturates: fixed !== accumulator.value + shifted,
    narrowedInteger: step(narrowedInteger, width),
    narrowedWraps: narrowedInteger !== integer,
    narrowedFixed: step(narrowedFixed, width),
    narrowedSaturates: narrowedFixed !== fixed,
  };
}

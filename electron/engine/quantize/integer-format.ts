import {
  AFFINE_BITS,
  fullRange,
  scaleRange,
  type CodeRange,
  type CodeRounding,
} from '../../../shared/affine.ts';
import { FRACTION_BITS, isCast, isFixedPoint, type KernelScheme } from './scheme.ts';

/** The integers that a scheme stores. */
export interface IntegerFormat {
  readonly bits: number;
  /** Codes are clipped to these. */
  readonly clip: CodeRange;
  /** The scale spreads a range of values over these. */
  readonly span: CodeRange;
  readonly rounding: CodeRounding;
}

/** The integers of an affine or fixed-point scheme. */
export function integerFormatOf(scheme: KernelScheme): IntegerFormat {
  const { dtype, symmetric } = scheme;
  if (isCast(dtype)) throw new RangeError(`${dtype} is a float cast`);
  if (isFixedPoint(dtype)) {
    const qmax = 2 ** FRACTION_BITS[dtype] - 1;
    const range = { qmin: -qmax - 1, qmax };
    return {
      bits: FRACTION_BITS[dtype] + 1,
      clip: range,
      span: range,
      rounding: scheme.rounding ?? 'even',
    };
  }
  const clip = clipRange(fullRange(dtype), scheme);
  const span = scaleRange(dtype, symmetric);
  return {
    bits: AFFINE_BITS[dtype],
    clip,
    span: { qmin: Math.max(clip.qmin, span.qmin), qmax: span.qmax },
    rounding: scheme.operator === 'MatMulNBits' ? 'reciprocal' : 'even',
  };
}

/** Whether a scheme has LiteRT's narrow range, which leaves the lowest code out: -128 of int8, -8 of int4. */
export function isNarrow({ dtype, narrowRange }: KernelScheme): boolean {
  return narrowRange === true && (dtype === 'int8' || dtype === 'int4');
}

function clipRange(full: CodeRange, scheme: KernelScheme): CodeRange {
  return isNarrow(scheme) ? { ...full, qmin: full.qmin + 1 } : full;
}

import type { ScaleZeroPoint } from '../../../shared/affine.ts';
import type { IntegerFormat } from './integer-format.ts';
import { roundHalfEven } from '../../../shared/rounding.ts';
import { dtypeOf, type FixedDtype } from '../../../shared/dtypes.ts';

/** What one step of a CMSIS-DSP format is worth: Qn has n fraction bits, in [-1, 1 - 2^-n]. */
export function fixedPointScale(dtype: FixedDtype): number {
  return 2 ** -dtypeOf(dtype).fractionBits;
}

/**
 * The least power-of-two scale at which neither end of a range saturates, after rounding as the
 * format rounds: scale = 2^(shift - n), the shift negative where values are small. A range of
 * zeros keeps shift 0. The scale stays a normal float32.
 */
export function shiftedScale(
  low: number,
  high: number,
  dtype: FixedDtype,
  { clip, rounding }: IntegerFormat,
): ScaleZeroPoint {
  const magnitude = Math.max(-low, high, 0);
  if (magnitude === 0) return { scale: fixedPointScale(dtype), zeroPoint: 0 };
  const round = rounding === 'zero' ? Math.trunc : roundHalfEven;
  // One below the shift at which the magnitude is under 1: -1 alone may be held by less.
  let exponent = Math.floor(Math.log2(magnitude)) - dtypeOf(dtype).fractionBits;
  exponent = Math.max(exponent, -126);
  const fits = (scale: number): boolean =>
    round(Math.fround(high / scale)) <= clip.qmax && round(Math.fround(low / scale)) >= clip.qmin;
  while (!fits(2 ** exponent)) exponent++;
  return { scale: 2 ** exponent, zeroPoint: 0 };
}

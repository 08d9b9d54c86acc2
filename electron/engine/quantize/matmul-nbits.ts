import type { ScaleZeroPoint } from '../../../shared/affine.ts';
import { roundHalfAway } from '../../../shared/rounding.ts';

/**
 * Scale and zero point of a block as onnxruntime 1.30 makes them for com.microsoft.MatMulNBits
 * (MLAS BlockwiseQuantizer, behind quantize_matmul_4bits and _8bits), all in float32; codes are
 * unsigned. Symmetric: the value of greatest magnitude, sign included, becomes code 0, so that the
 * scale may be negative, and the zero point is 2^(bits - 1). Asymmetric: [low, high] extended to
 * hold 0, over all codes. A block of zeros has scale 0.
 */
export function matMulNBitsScale(
  low: number,
  high: number,
  bits: number,
  symmetric: boolean,
): ScaleZeroPoint {
  const min = Math.min(Math.fround(low), 0);
  const max = Math.max(Math.fround(high), 0);
  const middle = 2 ** (bits - 1);
  if (symmetric) {
    const extreme = max > -min ? max : min;
    return { scale: Math.fround(extreme / -middle), zeroPoint: middle };
  }
  const last = 2 * middle - 1;
  // Where the width overflows float32 the reference has an infinite scale.
  const rounded = Math.fround(max - min);
  const scale = Math.fround((Number.isFinite(rounded) ? rounded : max - min) / last);
  const zeroPoint = scale === 0 ? min : Math.fround(0 - Math.fround(min / scale));
  return { scale, zeroPoint: Math.min(last, Math.max(0, roundHalfAway(zeroPoint))) + 0 };
}

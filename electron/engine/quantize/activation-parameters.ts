import { computeScaleZeroPoint, scaleRange, type ScaleZeroPoint } from '../../../shared/affine.ts';
import type { ActivationScheme } from '../../../shared/recipe.ts';
import type { ChosenRange } from '../../../shared/ranges.ts';

/** Scale and zero point of a value's codes: onnxruntime's compute_scale_zp, in float32. */
export function activationParameters(
  { dtype, symmetric }: ActivationScheme,
  { low, high }: ChosenRange,
): ScaleZeroPoint {
  return computeScaleZeroPoint(low, high, scaleRange(dtype, symmetric), symmetric);
}

/**
 * Parameters whose codes stand for nothing outside of the limits, so that a Clip to those limits changes
 * no code and the runtime leaves it out: where the scale's rounding to float32 puts the last code beyond a
 * limit, the next smaller scale is taken. Null where the zero point does not fall on the lower limit.
 */
export function clippedParameters(
  scheme: ActivationScheme,
  range: ChosenRange,
  limits: ChosenRange,
): ScaleZeroPoint | null {
  const { qmin, qmax } = scaleRange(scheme.dtype, scheme.symmetric);
  const { scale: asked, zeroPoint } = activationParameters(scheme, range);
  let scale = asked;
  const standsFor = (code: number): number => Math.fround(Math.fround(code - zeroPoint) * scale);
  for (let tries = 0; tries < 4; tries++) {
    if (standsFor(qmin) >= limits.low && standsFor(qmax) <= limits.high)
      return { scale, zeroPoint };
    scale = nextBelow(scale);
  }
  return null;
}

const bits = new DataView(new ArrayBuffer(4));

/** The largest float32 under a positive one. */
function nextBelow(value: number): number {
  bits.setFloat32(0, value);
  bits.setUint32(0, bits.getUint32(0) - 1);
  return bits.getFloat32(0);
}

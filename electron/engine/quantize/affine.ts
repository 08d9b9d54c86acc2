import type { SourceDtype } from '../../../shared/dtypes.ts';
import { roundHalfEven } from './rounding.ts';
import { float16Bits, float16Value } from './float16.ts';
import { bfloat16Bits, bfloat16Value } from './bfloat16.ts';

/** Codes that an integer scheme may use. */
export interface CodeRange {
  readonly qmin: number;
  readonly qmax: number;
}

/** The integer types of affine schemes, and the bits of each. */
export const AFFINE_BITS = {
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int4: 4,
  uint4: 4,
  int32: 32,
} as const;
export type AffineDtype = keyof typeof AFFINE_BITS;

export function isAffine(dtype: string): dtype is AffineDtype {
  return Object.hasOwn(AFFINE_BITS, dtype);
}

/** Every code of the type; codes are clipped to this (onnxruntime's quantize_nparray). */
export function fullRange(dtype: AffineDtype): CodeRange {
  const levels = 2 ** AFFINE_BITS[dtype];
  return dtype.startsWith('u')
    ? { qmin: 0, qmax: levels - 1 }
    : { qmin: -levels / 2, qmax: levels / 2 - 1 };
}

/**
 * The codes that scale and zero point are computed from: int8 and int16 leave their lowest code
 * out when symmetric, int4 does not (onnxruntime's ONNX_INT_TYPE_SYMMETRIC_RANGE). int32, which
 * that quantizer has for biases only, goes with int8 and int16.
 */
export function scaleRange(dtype: AffineDtype, symmetric: boolean): CodeRange {
  const { qmin, qmax } = fullRange(dtype);
  const withoutLowest = dtype === 'int8' || dtype === 'int16' || dtype === 'int32';
  return symmetric && withoutLowest ? { qmin: qmin + 1, qmax } : { qmin, qmax };
}

interface Rounding {
  readonly round: (value: number) => number;
  /** The smallest normal number. */
  readonly tiny: number;
}

const ROUNDINGS: Readonly<Record<SourceDtype, Rounding>> = {
  float64: { round: (value) => value, tiny: 2 ** -1022 },
  float32: { round: Math.fround, tiny: 2 ** -126 },
  float16: { round: (value) => float16Value(float16Bits(value)), tiny: 2 ** -14 },
  bfloat16: { round: (value) => bfloat16Value(bfloat16Bits(value)), tiny: 2 ** -126 },
};

export interface ScaleZeroPoint {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * Scale and zero point of a range of real values, as onnxruntime 1.30's compute_scale_zp:
 * r = scale * (q - zeroPoint). The range is extended to hold 0, and to +-absmax when symmetric.
 * The range's width is rounded to `dtype`, divided in float64, and the scale rounded to `dtype`;
 * a scale below the type's smallest normal number gives scale 1 and zero point 0.
 *
 * One difference: where the width overflows `dtype`, onnxruntime stores an infinite scale; here
 * the width is then taken in float64, which gives the finite scale that was meant.
 */
export function computeScaleZeroPoint(
  rmin: number,
  rmax: number,
  { qmin, qmax }: CodeRange,
  symmetric: boolean,
  dtype: SourceDtype = 'float32',
): ScaleZeroPoint {
  const { round, tiny } = ROUNDINGS[dtype];
  let low = Math.min(round(rmin), 0);
  let high = Math.max(round(rmax), 0);
  if (symmetric) {
    high = Math.max(-low, high);
    low = -high;
  }
  const rounded = round(high - low);
  const width = Number.isFinite(rounded) ? rounded : high - low;
  const scale = width / (qmax - qmin);
  if (scale < tiny) return { scale: 1, zeroPoint: 0 };
  const zeroPoint = symmetric
    ? roundHalfEven((qmin + qmax) / 2)
    : roundHalfEven(qmin - low / scale);
  // -0 is what numpy would cast to an integer 0.
  return { scale: round(scale), zeroPoint: zeroPoint + 0 };
}

/**
 * Scale and zero point of a block, as onnxruntime 1.30's compute_scale_zp_blocked for float32
 * weights (opset 21 DequantizeLinear). Like computeScaleZeroPoint, but the zero point is found from
 * the scale that is stored, and a symmetric block too narrow for a scale keeps its zero point.
 */
export function computeBlockScaleZeroPoint(
  rmin: number,
  rmax: number,
  { qmin, qmax }: CodeRange,
  symmetric: boolean,
): ScaleZeroPoint {
  const { round, tiny } = ROUNDINGS.float32;
  let low = Math.min(round(rmin), 0);
  let high = Math.max(round(rmax), 0);
  if (symmetric) {
    high = Math.max(-low, high);
    low = -high;
  }
  const rounded = round(high - low);
  const width = Number.isFinite(rounded) ? rounded : high - low;
  const exact = round(width / (qmax - qmin));
  const scale = exact < tiny ? 1 : exact;
  if (symmetric) return { scale, zeroPoint: roundHalfEven((qmin + qmax) / 2) + 0 };
  if (exact < tiny) return { scale, zeroPoint: 0 };
  const zeroPoint = roundHalfEven(qmin - low / scale);
  return { scale, zeroPoint: Math.min(qmax, Math.max(qmin, zeroPoint)) + 0 };
}

/** The least magnitude that LiteRT's converter gives a scale to. */
const LITERT_LEAST_MAGNITUDE = 5e-7;

/**
 * Scale of a symmetric range without the lowest code, as LiteRT's converter makes it for weights:
 * absmax / qmax (127 of int8, 7 of int4) in float32, and never as if absmax were under 5e-7, so that
 * a channel of zeros has a scale as well.
 */
export function narrowScale(rmin: number, rmax: number, qmax: number): ScaleZeroPoint {
  const magnitude = Math.max(-Math.fround(rmin), Math.fround(rmax), LITERT_LEAST_MAGNITUDE);
  return { scale: Math.fround(magnitude / qmax), zeroPoint: 0 };
}

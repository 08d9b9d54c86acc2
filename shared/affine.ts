import { codesOf, type CodeRange, type SourceDtype } from './dtypes.ts';
import { roundHalfEven } from './rounding.ts';
import { float16Bits, float16Value } from './float16.ts';
import { bfloat16Bits, bfloat16Value } from './bfloat16.ts';

/** The integer types of affine schemes. */
export const AFFINE_DTYPES = [
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int4',
  'uint4',
  'int32',
] as const;
export type AffineDtype = (typeof AFFINE_DTYPES)[number];

/**
 * The codes that scale and zero point are computed from: int8 and int16 leave their lowest code
 * out when symmetric, int4 does not (onnxruntime's ONNX_INT_TYPE_SYMMETRIC_RANGE). int32, which
 * that quantizer has for biases only, goes with int8 and int16.
 */
export function scaleRange(dtype: AffineDtype, symmetric: boolean): CodeRange {
  const { qmin, qmax } = codesOf(dtype);
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

/** How scale and zero point come about, step by step. */
export interface ScaleSteps extends ScaleZeroPoint {
  /** The range that is quantized: it holds 0, and is +-absmax when symmetric. */
  readonly low: number;
  readonly high: number;
  /** high - low, rounded to the type of the values. */
  readonly width: number;
  /** The width over the number of steps between the codes, before it is rounded to that type. */
  readonly exactScale: number;
  /** qmin - low / scale, before it is rounded to a code; the middle of the codes when symmetric. */
  readonly exactZeroPoint: number;
  /** The width is too small for a scale of the type: 1 stands in for it. */
  readonly isTooNarrow: boolean;
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
export function scaleSteps(
  rmin: number,
  rmax: number,
  { qmin, qmax }: CodeRange,
  symmetric: boolean,
  dtype: SourceDtype = 'float32',
): ScaleSteps {
  const { round, tiny } = ROUNDINGS[dtype];
  let low = Math.min(round(rmin), 0);
  let high = Math.max(round(rmax), 0);
  if (symmetric) {
    high = Math.max(-low, high);
    low = -high;
  }
  const rounded = round(high - low);
  const width = Number.isFinite(rounded) ? rounded : high - low;
  const exactScale = width / (qmax - qmin);
  const exactZeroPoint = symmetric ? (qmin + qmax) / 2 : qmin - low / exactScale;
  const isTooNarrow = exactScale < tiny;
  return {
    low,
    high,
    width,
    exactScale,
    exactZeroPoint,
    isTooNarrow,
    scale: isTooNarrow ? 1 : round(exactScale),
    // -0 is what numpy would cast to an integer 0.
    zeroPoint: isTooNarrow ? 0 : roundHalfEven(exactZeroPoint) + 0,
  };
}

/** Scale and zero point alone, by the rule of scaleSteps. */
export function computeScaleZeroPoint(
  rmin: number,
  rmax: number,
  codes: CodeRange,
  symmetric: boolean,
  dtype: SourceDtype = 'float32',
): ScaleZeroPoint {
  const { scale, zeroPoint } = scaleSteps(rmin, rmax, codes, symmetric, dtype);
  return { scale, zeroPoint };
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

/**
 * Scale and zero point of a symmetric block whose scale may be negative: the value furthest from 0 becomes the lowest
 * code, as in onnxruntime's MatMulNBits quantizer and ggml's q4_0. A range as wide below 0 as above has the scale of
 * computeBlockScaleZeroPoint, for which the width is spread over all codes.
 */
export function computeSignedScaleZeroPoint(
  rmin: number,
  rmax: number,
  codes: CodeRange,
): ScaleZeroPoint {
  const { round, tiny } = ROUNDINGS.float32;
  const low = Math.min(round(rmin), 0);
  const high = Math.max(round(rmax), 0);
  const plain = computeBlockScaleZeroPoint(rmin, rmax, codes, true);
  if (low === -high) return plain;
  const furthest = -low > high ? low : high;
  const scale = round(furthest / (codes.qmin - plain.zeroPoint));
  return { scale: Math.abs(scale) < tiny ? 1 : scale, zeroPoint: plain.zeroPoint };
}

const FLOAT16_TINY = 2 ** -14;
const FLOAT16_STEP = 2 ** -24;

/**
 * A scale as float16 stores it: the nearest, and below float16's normal numbers, where the steps between
 * them grow coarse, the next one up, so that no value is clipped and no scale but 0 becomes 0. onnxruntime's
 * quantizer takes scale 1 there, which makes every code 0. Infinite above 65504.
 */
export function float16Scale(scale: number): number {
  const magnitude = Math.abs(scale);
  const nearest = float16Value(float16Bits(magnitude));
  const isCut = magnitude < FLOAT16_TINY && nearest < magnitude;
  return Math.sign(scale) * (isCut ? nearest + FLOAT16_STEP : nearest);
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

/** How a value in units of its scale, a float32 division, becomes an integer: nearest, half to even; or cut toward zero. */
export type CodeRounding = 'even' | 'zero';

/** The integer that a value rounds to, before any clipping. All float32 but the last addition. */
export function unclippedCode(
  value: number,
  scale: number,
  zeroPoint: number,
  rounding: CodeRounding,
): number {
  const units = Math.fround(Math.fround(value) / scale);
  return (rounding === 'even' ? roundHalfEven(units) : Math.trunc(units)) + zeroPoint;
}

/** The float32 that a code stands for, as DequantizeLinear computes it. */
export function restoredValue(code: number, scale: number, zeroPoint: number): number {
  return Math.fround(Math.fround(code - zeroPoint) * scale);
}

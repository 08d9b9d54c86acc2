/** Every type that the kernels can quantize to. q7, q15 and q31 are CMSIS-DSP fixed point. */
export const KERNEL_DTYPES = [
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int4',
  'uint4',
  'int32',
  'float16',
  'bfloat16',
  'float8_e4m3fn',
  'float8_e5m2',
  'q7',
  'q15',
  'q31',
] as const;
export type KernelDtype = (typeof KERNEL_DTYPES)[number];

/** A scheme as the kernels take it; every Scheme of a recipe is one. */
export interface KernelScheme {
  readonly dtype: KernelDtype;
  readonly symmetric: boolean;
  readonly granularity: 'tensor' | 'channel' | { readonly block: number };
  readonly range: 'minmax' | { readonly percentile: number } | 'mse' | 'entropy';
  /** LiteRT's narrow range: signed types leave their lowest code out of clipping and scale. */
  readonly narrowRange?: boolean | undefined;
  /** Fixed point only: a scale of 2^shift on top of the format's, so that nothing saturates. */
  readonly powerOfTwo?: boolean | undefined;
  /** Fixed point only: 'zero' truncates, as CMSIS-DSP does unless built with rounding. */
  readonly rounding?: 'even' | 'zero' | undefined;
  /** uint4 and uint8 in blocks only: the formulas of onnxruntime's MatMulNBits quantizer. */
  readonly operator?: 'MatMulNBits' | undefined;
}

const CASTS = ['float16', 'bfloat16', 'float8_e4m3fn', 'float8_e5m2'] as const;
export type CastDtype = (typeof CASTS)[number];

/** Whether a dtype is a float cast: no scale, and none of a scheme's other fields counts. */
export function isCast(dtype: KernelDtype): dtype is CastDtype {
  return CASTS.some((cast) => cast === dtype);
}

/** Fraction bits of the CMSIS-DSP formats. */
export const FRACTION_BITS = { q7: 7, q15: 15, q31: 31 } as const;
export type FixedDtype = keyof typeof FRACTION_BITS;

export function isFixedPoint(dtype: KernelDtype): dtype is FixedDtype {
  return Object.hasOwn(FRACTION_BITS, dtype);
}

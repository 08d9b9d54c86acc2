import type { ScaleDtype, TensorPlan } from '../../../shared/plan.ts';
import {
  isFixedPoint,
  isFloatCast,
  SCHEME_DTYPES,
  type FloatCast,
  type Scheme,
  type SchemeDtype,
} from '../../../shared/recipe.ts';

/** Every type that the kernels can quantize to: those that a recipe may name. */
export const KERNEL_DTYPES = SCHEME_DTYPES;
export type KernelDtype = SchemeDtype;
export type CastDtype = FloatCast;
export { isFixedPoint, isFloatCast as isCast };

/** A scheme as the kernels take it; every Scheme of a recipe is one. */
export interface KernelScheme extends Scheme {
  /** uint4 and uint8 in blocks only: the formulas of onnxruntime's MatMulNBits quantizer. */
  readonly operator?: 'MatMulNBits' | undefined;
  /** The type that scales are stored in, to which they are rounded before codes are made; float32 by default. */
  readonly scaleDtype?: ScaleDtype | undefined;
}

/** A planned tensor's scheme for the kernels; null where the tensor is kept. */
export function kernelScheme({
  scheme,
  scaleDtype,
}: Pick<TensorPlan, 'scheme' | 'scaleDtype'>): KernelScheme | null {
  return scheme === null || scaleDtype === undefined ? scheme : { ...scheme, scaleDtype };
}

/** Fraction bits of the CMSIS-DSP formats. */
export const FRACTION_BITS = { q7: 7, q15: 15, q31: 31 } as const;
export type FixedDtype = keyof typeof FRACTION_BITS;

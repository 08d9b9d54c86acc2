import type { ScaleDtype, TensorPlan } from '../../../shared/plan.ts';
import type { Scheme } from '../../../shared/recipe.ts';

/** A scheme as the kernels take it; every Scheme of a recipe is one. */
export interface KernelScheme extends Scheme {
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

import type { FixedParameters, ScaleDtype, TensorPlan } from '../../../shared/plan.ts';
import type { Scheme } from '../../../shared/scheme.ts';

/** A scheme as the kernels take it; every Scheme is one. */
export type KernelScheme = Scheme & {
  /** The type that scales are stored in, to which they are rounded before codes are made; float32 by default. */
  readonly scaleDtype?: ScaleDtype | undefined;
  /** Taken as they are, in place of those that the values give. */
  readonly parameters?: FixedParameters | undefined;
  /** The codes of all elements, in place of the nearest ones. */
  readonly codes?: Int32Array | undefined;
  /** The file that solution-file.ts reads scales, zero points and codes from. */
  readonly solved?: string | undefined;
};

/** A planned tensor's scheme for the kernels; null where the tensor is kept. */
export function kernelScheme({
  scheme,
  scaleDtype,
  parameters,
  codes,
  solved,
}: Pick<
  TensorPlan,
  'scheme' | 'scaleDtype' | 'parameters' | 'codes' | 'solved'
>): KernelScheme | null {
  if (scheme === null) return null;
  return {
    ...scheme,
    ...(scaleDtype === undefined ? {} : { scaleDtype }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(codes === undefined ? {} : { codes }),
    ...(solved === undefined ? {} : { solved }),
  };
}

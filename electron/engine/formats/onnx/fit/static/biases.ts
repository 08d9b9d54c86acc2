import { roundHalfEven } from '../../../../../../shared/rounding.ts';
import type { BiasPlan } from '../../../../../../shared/plan.ts';

/** What the codes of an operator's bias are made from. */
export interface BiasFacts {
  readonly operator: number;
  readonly weight: number;
  readonly bias: number;
  readonly inputScale: number;
  /** One for the weight, or one for each of its output channels. */
  readonly weightScales: readonly number[];
  /** One for each output channel. */
  readonly values: readonly number[];
}

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

/** Leaves room for the rounding of the scale to float32 (onnxruntime's _adjust_weight_scale_for_int32_bias). */
const ROOM = 1.0001;

/**
 * The scales of a weight, widened where a bias that is stored in units of input scale times weight scale would
 * not fit in int32: by the ratio that makes it fit, in float64. Null where none is.
 * @param uses all operators that take the weight and have a stored bias
 */
export function widenedScales(uses: readonly BiasFacts[]): readonly number[] | null {
  const scales = [...uses[0]!.weightScales];
  let isWidened = false;
  for (const { inputScale, values } of uses)
    for (const [channel, value] of perScale(values, scales.length)) {
      const smallest = (ROOM * (2 * value)) / (INT32_MAX - (INT32_MIN + 1));
      const product = inputScale * scales[channel]!;
      if (product <= 0 || product >= smallest) continue;
      scales[channel] = Math.fround(scales[channel]! * (smallest / product));
      isWidened = true;
    }
  return isWidened ? scales : null;
}

/** The largest magnitude of the values that share each scale. */
function perScale(values: readonly number[], scales: number): [number, number][] {
  if (scales > 1) return values.map((value, channel) => [channel, Math.abs(value)]);
  return [[0, values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)]];
}

/** A bias in units of input scale times weight scale: divided in float64, rounded half to even, clipped to int32. */
export function planBias(
  { bias, inputScale, values }: BiasFacts,
  weightScales: readonly number[],
): BiasPlan {
  const scale = weightScales.map((each) => Math.fround(inputScale * each));
  const codes = Int32Array.from(values, (value, channel) => {
    const code = roundHalfEven(value / scale[scale.length === 1 ? 0 : channel]!);
    return Math.min(INT32_MAX, Math.max(INT32_MIN, code));
  });
  return { tensor: bias, scale, codes };
}

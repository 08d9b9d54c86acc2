import type { DtypeName } from '../../../../shared/dtypes.ts';
import { roundHalfEven } from '../../../../shared/rounding.ts';
import type { BiasPlan, OperatorPlan, TensorPlan } from '../../../../shared/plan.ts';
import { schemeOf } from '../../../../shared/scheme.ts';
import type { WeightParameters } from '../format.ts';
import type { TensorRef } from '../../../../shared/model.ts';

/** A stored tensor, whatever the format. */
interface StoredTensor {
  readonly ref: TensorRef;
}

/** What the codes of an operator's bias are made from. */
export interface BiasFacts {
  readonly operator: number;
  /** The weight by its number; null where an operator computes it. */
  readonly weight: number | null;
  readonly bias: number;
  readonly inputScale: number;
  /** One scale and zero point for the weight, or one for each of its output channels. */
  readonly parameters: WeightParameters;
  /** What the operator adds: the values of the bias, times beta in a Gemm. */
  readonly values: readonly number[];
  /** What the operator's results have too much on average because of its weight's codes; null leaves the bias as it is. */
  readonly excess: readonly number[] | null;
  /** Whether the values are multiplied with a beta that is not 1, which the operator then must not do again. */
  readonly takesBeta?: true;
}

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

/** Leaves room for the rounding of the scale to float32 (onnxruntime's _adjust_weight_scale_for_int32_bias). */
const ROOM = 1.0001;
/** Per channel that is computed in float32 there. */
const ROOM_PER_CHANNEL = Math.fround(ROOM);

/**
 * Why a bias cannot have a scale for each of so many channels; null where it can. DequantizeLinear counts channels along
 * one axis, so that a bias of other values than one for each channel has none.
 */
export function whyNoBias(
  { ref }: StoredTensor,
  scales: number,
  dtypes: readonly DtypeName[] = ['float32'],
): string | null {
  if (!dtypes.includes(ref.dtype)) return `its bias is ${ref.dtype}, and not float32`;
  if (ref.elements === 0) return 'its bias has no elements';
  const isVector = ref.elements === (ref.shape.at(-1) ?? 1);
  return scales === 1 || (isVector && ref.elements === scales)
    ? null
    : `its bias has ${ref.elements} values, and its weight ${scales} scales`;
}

/**
 * The scales of a weight, widened where a bias that is stored in units of input scale times weight scale would
 * not fit in int32: by the ratio that makes it fit, in float64. Null where none is.
 * @param uses all operators that take the weight and have a stored bias
 */
export function widenedScales(uses: readonly BiasFacts[]): readonly number[] | null {
  const scales = [...uses[0]!.parameters.scale];
  let isWidened = false;
  for (const { inputScale, values } of uses)
    for (const [channel, value] of perScale(values, scales.length)) {
      const wanted =
        scales.length > 1 ? Math.fround(ROOM_PER_CHANNEL * 2 * value) : ROOM * 2 * value;
      const smallest = wanted / (INT32_MAX - (INT32_MIN + 1));
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
  { bias, inputScale, values, takesBeta }: BiasFacts,
  weightScales: readonly number[],
): BiasPlan {
  const scale = weightScales.map((each) => Math.fround(inputScale * each));
  const codes = Int32Array.from(values, (value, channel) => {
    const code = roundHalfEven(value / scale[scale.length === 1 ? 0 : channel]!);
    return Math.min(INT32_MAX, Math.max(INT32_MIN, code));
  });
  return { tensor: bias, scale, codes, ...(takesBeta === undefined ? {} : { takesBeta }) };
}

/** Put the biases of operators, and the scales of weights that are widened for them, into a plan that is being made. */
export function placeBiases(
  uses: readonly BiasFacts[],
  weights: TensorPlan[],
  operators: OperatorPlan[],
  tensors: readonly StoredTensor[],
): void {
  for (const weight of new Set(uses.map((use) => use.weight))) {
    const own = uses.filter((use) => use.weight === weight);
    const scale = weight === null ? null : widenedScales(own);
    if (weight === null || scale === null) continue;
    const { zeroPoint } = own[0]!.parameters;
    weights[weight] = {
      ...weights[weight]!,
      parameters: { scale, zeroPoint, axis: axisOf(scale, tensors[weight]!.ref.axis) },
      reason: 'a wider scale, so that the bias fits in int32',
    };
  }
  for (const use of uses) {
    const widened = use.weight === null ? undefined : weights[use.weight]!.parameters?.scale;
    // The excess is that of codes under the scales that the weight has by itself.
    const excess = widened === undefined ? use.excess : null;
    const corrected = excess !== null && use.values.length === excess.length;
    const values = corrected ? use.values.map((value, at) => value - excess[at]!) : use.values;
    const bias = planBias({ ...use, values }, widened ?? use.parameters.scale);
    operators[use.operator] = { ...operators[use.operator]!, bias };
    const { scale, codes } = bias;
    const granularity = scale.length === 1 ? 'tensor' : 'channel';
    weights[use.bias] = {
      ...weights[use.bias]!,
      scheme: schemeOf({ dtype: 'int32', granularity }),
      reason: reasonOf(corrected, use.takesBeta === true),
      parameters: { scale, zeroPoint: scale.map(() => 0), axis: axisOf(scale, 0) },
      codes,
    };
  }
}

function reasonOf(isCorrected: boolean, takesBeta: boolean): string {
  const scales = 'int32 with the scales of the input times those of the weight';
  const beta = takesBeta ? ", times the Gemm's beta" : '';
  return `${scales}${beta}${isCorrected ? ', less what the rounded weight adds on average' : ''}`;
}

function axisOf(scales: readonly number[], axis: number | null): number | null {
  return scales.length === 1 ? null : axis;
}

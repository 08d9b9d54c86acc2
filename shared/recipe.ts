import type { CalibrationSettings } from './calibration-settings.ts';
import { schemeOf, type RangeMethod, type Scheme, type SchemeFields } from './scheme.ts';

/** Types that the values between operators can be quantized to. */
export const ACTIVATION_DTYPES = ['uint8', 'int8', 'uint16', 'int16'] as const;
export type ActivationDtype = (typeof ACTIVATION_DTYPES)[number];

/** How the values between operators are quantized, in modes that do that. One scale for a whole value. */
export interface ActivationScheme {
  readonly dtype: ActivationDtype;
  readonly symmetric: boolean;
  /** How a range is chosen of what calibration observed. */
  readonly range: RangeMethod;
  /**
   * Whether calibration exports by each range method and takes the one that loses least of the model's outputs; `range`
   * stands where that was not measured. Of a recipe's activations, not of rules, which name a range of their own.
   */
  readonly rangeByOutputs?: boolean | undefined;
  /** Whether biases make up for what rounded weights add on average; not where operators are named. */
  readonly biasCorrection?: boolean | undefined;
  /**
   * Types of operators whose inputs and outputs are quantized by the rules of onnxruntime's quantize_static; where it is
   * left out, those are planned that integer kernels gain from.
   */
  readonly operators?: readonly string[] | undefined;
  /** LiteRT: the type of a full integer model's inputs and outputs; float32 where it is left out. */
  readonly io?: BorderType | undefined;
}

/** Types that the inputs and outputs of a full integer model can have. */
export const BORDER_TYPES = ['float32', 'int8', 'uint8'] as const;
export type BorderType = (typeof BORDER_TYPES)[number];

export interface Rule {
  /** All that are given must match. `name` and `layer` are regular expressions on the names of the tensor and of its layer. */
  readonly match: {
    readonly name?: string | undefined;
    readonly layer?: string | undefined;
    readonly op?: string | undefined;
    readonly role?: string | undefined;
  };
  /** What is left out is taken from the recipe's default; null keeps the tensor as it is; without it weights are not meant. */
  readonly scheme?: Partial<SchemeFields> | null | undefined;
  /** The same for the values that a matched operator makes; null keeps the operator in float. */
  readonly activations?: Partial<ActivationScheme> | null | undefined;
}

/** What the user wants; the file that the app saves and opens. */
export interface Recipe {
  readonly version: 1;
  readonly name: string;
  readonly default: SchemeFields | null;
  /** How calibration data becomes inputs; guessed where it is left out. */
  readonly calibration?: CalibrationSettings | undefined;
  /** How values between operators are quantized in modes that do that; without it as BASE_ACTIVATIONS says. */
  readonly activations?: ActivationScheme | null | undefined;
  /** Tensors with fewer elements are left as they are, unless a rule names a scheme for them. */
  readonly minElements: number;
  /** What MatMulNBits nodes of an export in mode nbits compute in; 0, unset, where it is left out. */
  readonly accuracyLevel?: AccuracyLevel | undefined;
  /**
   * Whether mode static moves factors of channels between weights before it quantizes them, where float results stay as they
   * are to the bit (cross-layer equalization, and smoothing by what norms multiply with). 'byOutputs': where exports then lose
   * less of the outputs, beyond chance.
   */
  readonly equalize?: boolean | 'byOutputs' | undefined;
  /** Whether an ONNX export leaves out what exporters note of nodes, values and tensors. */
  readonly dropMetadata?: boolean | undefined;
  /**
   * ONNX: whether constants are computed in advance and normalizations are fused into weights before anything is
   * quantized, as mode static does in any case.
   */
  readonly prepare?: boolean | undefined;
  readonly rules: readonly Rule[];
}

/**
 * The accuracy_level of MatMulNBits (com.microsoft): the least accurate type that its inputs may be
 * quantized to. 1 computes in float32, 4 in int8; at 0 the runtime chooses, which is float32 on the CPU.
 */
export const ACCURACY_LEVELS = [0, 1, 4] as const;
export type AccuracyLevel = (typeof ACCURACY_LEVELS)[number];

/** The scheme of tensors that no rule matches; null keeps them. */
export function defaultOf({ default: fields }: Pick<Recipe, 'default'>): Scheme | null {
  return fields === null ? null : schemeOf(fields);
}

/** What the rules of a recipe say of activations, without what they say of weights. */
export function activationRules({ rules }: Pick<Recipe, 'rules'>): readonly Rule[] {
  return rules.flatMap(({ match, activations }) =>
    activations === undefined ? [] : [{ match, activations }],
  );
}

/** Whether a recipe has codes chosen on samples of a model's inputs, of any tensor. */
export function choosesCodes({
  default: fields,
  rules,
}: Pick<Recipe, 'default' | 'rules'>): boolean {
  return [fields, ...rules.map(({ scheme }) => scheme)].some(
    (each) => (each?.algorithm ?? 'nearest') !== 'nearest',
  );
}

/** Whether a recipe has the range method of activations chosen by the model's outputs. */
export function choosesRange({ activations }: Pick<Recipe, 'activations'>): boolean {
  return activations?.rangeByOutputs === true;
}

/** Whether a recipe asks for equalized weights, at least where exports lose less with them. */
export function wantsEqualized({ equalize }: Pick<Recipe, 'equalize'>): boolean {
  return equalize === true || equalize === 'byOutputs';
}

/** A recipe with a range method named, and with nearest codes of weights where rules do not name an algorithm. */
export function withRange(recipe: Recipe, range: RangeMethod, isNearest: boolean): Recipe {
  const { activations, default: fields } = recipe;
  if (activations === null || activations === undefined) return recipe;
  const nearest =
    isNearest && fields !== null ? { ...fields, algorithm: 'nearest' as const } : fields;
  return {
    ...recipe,
    default: nearest,
    activations: { ...activations, range, rangeByOutputs: false },
  };
}

/**
 * Activations where a recipe says nothing of them: the type that onnxruntime's kernels on x86 take best, and the range
 * that loses least on real models (docs/accuracy.md).
 */
export const BASE_ACTIVATIONS: ActivationScheme = {
  dtype: 'uint8',
  symmetric: false,
  range: { percentile: 99.99 },
  biasCorrection: true,
};

/** The type of inputs and outputs that a recipe asks of a full integer model. */
export function borderOf({ activations }: Pick<Recipe, 'activations'>): BorderType {
  return activations?.io ?? 'float32';
}

/** The recipe with another one; a recipe that keeps activations in float has none. */
export function withBorder(recipe: Recipe, io: BorderType): Recipe {
  const { activations = BASE_ACTIVATIONS } = recipe;
  if (activations === null || io === borderOf(recipe)) return recipe;
  return { ...recipe, activations: { ...activations, io } };
}

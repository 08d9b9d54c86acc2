import { dtypeOf, packedBytes, type DtypeName } from './dtypes.ts';
import type { Equalization } from './equalization.ts';
import { isQuantizable, type TensorRef } from './model.ts';
import type { ActivationScheme, Recipe, Rule } from './recipe.ts';
import {
  granularityOf,
  isCentred,
  schemeOf,
  storageDtype,
  withFields,
  type Scheme,
} from './scheme.ts';
import type { BestRange, ChosenRange } from './ranges.ts';
import { compileRules, type SearchTime } from './rule-matcher.ts';

/** Scales and zero points, one for the tensor or one for each channel of an axis. */
export interface FixedParameters {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number | null;
}

/** What is done to one tensor, and why nothing is where scheme is null. */
export interface TensorPlan {
  readonly tensor: number;
  readonly scheme: Scheme | null;
  /** Why the tensor is left alone or its scheme differs from what was asked; null when it is just as asked. */
  readonly reason: string | null;
  /** Whether a rule (an override) decided. */
  readonly byRule: boolean;
  /** The type of the scales where the tensor is stored; float32 where it is not named. */
  readonly scaleDtype?: ScaleDtype;
  /**
   * Bytes of the codes, scales and zero points as the export stores them; schemeBytes where it is missing. Operators on
   * integers want zero points that are all 0, and MatMulNBits whole blocks.
   */
  readonly storedBytes?: number;
  /** The type that codes are stored in where it is wider than that of the scheme. */
  readonly codesDtype?: 'int64';
  /** Scales and zero points that the plan fixes, in place of those that the values give. */
  readonly parameters?: FixedParameters;
  /** Codes that the plan chooses for all elements, in place of the nearest ones; only beside parameters. */
  readonly codes?: Int32Array;
  /** The file of scales, zero points and codes that an algorithm has chosen, in place of the nearest codes. */
  readonly solved?: string;
  /** Whether finite values beyond a cast's type become infinite; without it a tensor that has any is kept. */
  readonly mayOverflow?: true;
}

/** The types that scales are stored in. */
export type ScaleDtype = 'float32' | 'float16';

export type WeightPlans = readonly TensorPlan[];

/** An input of an operator. */
export interface ValueTaker {
  /** OperatorRef.id */
  readonly operator: number;
  readonly input: number;
}

/** What is done to one value between operators. */
export interface ValuePlan {
  /** ValueRef.id */
  readonly value: number;
  readonly scheme: ActivationScheme | null;
  /** One scale and zero point for the whole value; of no meaning where scheme is null. */
  readonly scale: number;
  readonly zeroPoint: number;
  /** Whether all that take the value take it as its codes say, or only these inputs of operators. */
  readonly takers: 'all' | readonly ValueTaker[];
  /** The part of the observed range that makes a difference to what takes the value, where that is not all of it. */
  readonly effective?: ChosenRange;
  /** Why the value stays in float, or where its parameters come from if not from its own range; null otherwise. */
  readonly reason: string | null;
}

/** A bias as an operator on integers takes it: int32 codes of zero point 0. */
export interface BiasPlan {
  readonly tensor: number;
  /** The scale of the operator's input times each of its weight's scales, in float32. */
  readonly scale: readonly number[];
  readonly codes: Int32Array;
  /** Whether a Gemm's beta is multiplied into the codes, and is 1 from then on. */
  readonly takesBeta?: true;
}

/** Whether an operator computes on integers. */
export interface OperatorPlan {
  /** OperatorRef.id */
  readonly operator: number;
  readonly isInteger: boolean;
  /** Its stored bias as integers, which are added to the sums of products. */
  readonly bias?: BiasPlan;
  /** Whether its bias, which is computed, is added by an operator behind it: integer kernels take stored ones only. */
  readonly addsBias?: true;
  /** The operator before it that clips its results as this one does: it is not run by itself then. */
  readonly fusedInto?: number;
  /** ValueRef.id of a value that it takes or makes, where it stays in float because that has no range. */
  readonly missing?: number;
  /** Why it stays in float; null where it does not. */
  readonly reason: string | null;
}

/** What is done to a model for one format and mode. What it says is measured, shown and written. */
export interface Plan {
  /** In the order of the model's tensors. */
  readonly weights: WeightPlans;
  /** Of the values that operators on integers take and make; empty in modes that leave activations in float. */
  readonly activations: readonly ValuePlan[];
  /** In modes that quantize activations: what becomes of each operator. */
  readonly operators: readonly OperatorPlan[];
  /** The type of the model's inputs and outputs that are quantized, where it is not float. */
  readonly io?: 'int8' | 'uint8' | 'int16';
  /** The range method of activations, where the recipe has it chosen by the model's outputs. */
  readonly bestRange?: BestRange;
  /** Mode static: what became of the recipe's wish for equalized weights. */
  readonly equalization?: Equalization;
}

/** A plan that leaves activations in float. */
export function weightsOnly(weights: WeightPlans): Plan {
  return { weights, activations: [], operators: [] };
}

/** The part of a tensor that planning looks at; what the page has is enough. */
export type PlannedTensor = Pick<
  TensorRef,
  | 'id'
  | 'name'
  | 'dtype'
  | 'shape'
  | 'elements'
  | 'bytes'
  | 'layer'
  | 'op'
  | 'role'
  | 'axis'
  | 'quantization'
  | 'fixed'
>;

/**
 * What a recipe asks for, one entry per tensor in the order given, before a format and a mode fit it
 * (Session.plan). Pure: the same recipe on the same tensors gives the same entries.
 * @param time that regular expressions may take; two seconds where it is left out
 * @throws AppError LIMIT when they take longer
 */
export function planWeights(
  tensors: readonly PlannedTensor[],
  recipe: Recipe,
  sizes: Sizes = 'smaller',
  time?: SearchTime,
): WeightPlans {
  const rules = recipe.rules.filter(({ scheme }) => scheme !== undefined);
  const lastMatch = compileRules(rules, time);
  return tensors.map((tensor) => planTensor(tensor, recipe, lastMatch(tensor), sizes));
}

/** Whether tensors that a scheme makes no smaller are kept. */
type Sizes = 'smaller' | 'any';

function planTensor(
  tensor: PlannedTensor,
  recipe: Recipe,
  rule: Rule | undefined,
  sizes: Sizes,
): TensorPlan {
  const byRule = rule !== undefined;
  const kept = (reason: string): TensorPlan => ({
    tensor: tensor.id,
    scheme: null,
    reason,
    byRule,
  });
  if (!isQuantizable(tensor)) return kept(whyNotQuantizable(tensor));
  if (rule !== undefined && rule.scheme === null) return kept('kept by a rule');
  if (rule === undefined && recipe.default === null)
    return kept(
      recipe.rules.length === 0
        ? 'the recipe keeps every tensor'
        : 'the recipe keeps every tensor that none of its rules matches',
    );
  const own = ownScheme(tensor);
  const asked = own ?? schemeOf({ ...recipe.default, ...rule?.scheme });
  if (!byRule && tensor.elements < recipe.minElements)
    return kept(`under ${recipe.minElements} elements, the minimum size of the recipe`);
  if (asked.kind === 'cast' && dtypeOf(tensor.dtype).bits <= dtypeOf(asked.dtype).bits)
    return kept(`stored in ${tensor.dtype} already`);
  const { scheme, reason } =
    own === null ? fitGranularity(tensor, asked) : { scheme: own, reason: OWN_CODES };
  const larger = sizes === 'any' ? null : whyNotSmaller(scheme, tensor);
  return larger === null ? { tensor: tensor.id, scheme, reason, byRule } : kept(larger);
}

/** Why a tensor under a scheme is no smaller than it is; null where it is. */
export function whyNotSmaller(
  scheme: Scheme,
  tensor: Pick<TensorRef, 'shape' | 'axis' | 'elements' | 'bytes' | 'quantization'>,
): string | null {
  const bytes = schemeBytes(scheme, tensor);
  // Types of 32 bits never save anything: whoever asks for one wants to see its error.
  if (bytes < tensor.bytes || dtypeOf(storageDtype(scheme.dtype)).bits >= 32) return null;
  return `${scheme.dtype} with its scales needs ${bytes} bytes, and the tensor has ${tensor.bytes}`;
}

const OWN_CODES = "stored as the codes that the model's own QuantizeLinear makes of it";

/**
 * The scheme by which the model itself quantizes a float tensor, as after quantization-aware training.
 * Storing those codes changes no result, so that no recipe chooses another one; null elsewhere.
 */
function ownScheme({ quantization }: PlannedTensor): Scheme | null {
  if (quantization?.pending === undefined) return null;
  const { pending, scale, zeroPoint, blockSize } = quantization;
  const granularity =
    blockSize !== null ? { block: blockSize } : scale.length > 1 ? 'channel' : 'tensor';
  const symmetric = zeroPoint.every((code) => code === 0);
  return schemeOf({ dtype: pending, symmetric, granularity });
}

function whyNotQuantizable(tensor: PlannedTensor): string {
  if (tensor.fixed !== undefined) return tensor.fixed;
  if (tensor.quantization !== null) return `quantized already, ${tensor.dtype}`;
  if (tensor.elements === 0) return 'has no elements';
  if (dtypeOf(tensor.dtype).kind !== 'float') return `${tensor.dtype}, not a float tensor`;
  switch (tensor.role) {
    case 'bias':
      return 'a bias, added at full precision';
    case 'norm':
      return 'a normalization parameter';
    case 'constant':
      return 'a constant, not a weight';
    case 'other':
      return 'not known to be a weight';
    case 'weight':
    case 'embedding':
      return `${tensor.dtype} weights are not read for quantization`;
  }
}

function fitGranularity(
  tensor: PlannedTensor,
  scheme: Scheme,
): { scheme: Scheme; reason: string | null } {
  if (granularityOf(scheme) === 'tensor') return { scheme, reason: null };
  if (tensor.axis === null || tensor.shape.length === 0)
    return {
      scheme: withFields(scheme, { granularity: 'tensor' }),
      reason: `per tensor: ${tensor.op} defines no channel axis here`,
    };
  return { scheme, reason: null };
}

/** How many scales a scheme gives a tensor. */
export function scaleCount(
  scheme: Scheme,
  tensor: Pick<TensorRef, 'shape' | 'axis' | 'elements'>,
): number {
  if (scheme.kind === 'cast') return 0;
  const granularity = granularityOf(scheme);
  if (granularity === 'tensor' || tensor.axis === null) return 1;
  if (granularity === 'channel') return tensor.shape[tensor.axis] ?? 1;
  const length = tensor.shape[blockAxisOf(tensor.shape, tensor.axis)] ?? 1;
  if (length === 0) return 0;
  return (tensor.elements / length) * Math.ceil(length / granularity.block);
}

/**
 * The axis that blocks run along: that of the products which are summed, beside the channel axis,
 * so that a block shares its scale where MatMulNBits and blocked DequantizeLinear want it. 0 for a
 * MatMul's [K, N] with channels on 1; 1 for a Linear's or a Conv's [out, in, ...] with channels on 0;
 * 2 for a stack [directions or experts, out, in] with channels on 1, whose axis 0 is no longer than its
 * axis 2 (com.microsoft.QMoE, block_size).
 */
export function blockAxisOf(shape: readonly number[], axis: number): number {
  const after = shape[axis + 1];
  if (axis === 0) return after === undefined ? 0 : 1;
  return after !== undefined && shape[axis - 1]! <= after ? axis + 1 : axis - 1;
}

/** Bytes of a tensor under a scheme: packed codes, scales, and zero points where asymmetric or unsigned; or what the export stores. */
export function schemeBytes(
  scheme: Scheme,
  tensor: Pick<TensorRef, 'shape' | 'axis' | 'elements' | 'quantization'>,
  plan: Pick<TensorPlan, 'scaleDtype' | 'codesDtype' | 'parameters' | 'storedBytes'> = {},
): number {
  if (plan.storedBytes !== undefined) return plan.storedBytes;
  const stored: DtypeName = plan.codesDtype ?? storageDtype(scheme.dtype);
  const codes = packedBytes(stored, tensor.elements);
  // The model has the parameters of codes that it makes itself.
  if (scheme.kind === 'cast' || tensor.quantization?.pending !== undefined) return codes;
  const scales = plan.parameters?.scale.length ?? scaleCount(scheme, tensor);
  const scaleBytes = packedBytes(plan.scaleDtype ?? 'float32', scales);
  return codes + scaleBytes + (isCentred(scheme) ? 0 : packedBytes(stored, scales));
}

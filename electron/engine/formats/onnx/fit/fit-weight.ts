import type { DtypeName } from '../../../../../shared/dtypes.ts';
import type { PendingDtype } from '../../../../../shared/model.ts';
import { scaleCount, schemeBytes, type ScaleDtype } from '../../../../../shared/plan.ts';
import { isCentred, storageDtype, type Scheme } from '../../../../../shared/scheme.ts';
import type { NBitsShape } from '../../../export/nbits-layout.ts';
import { noGain } from '../../no-gain.ts';
import type { OnnxTensor } from '../read/stored.ts';
import {
  CAST_OPSETS,
  constantOpset,
  restoreOperator,
  scaleDtypeOf,
  type Restore,
  type WhyBelow,
} from './dequantize.ts';
import type { HalfPlan } from './half-plan.ts';
import { whyNotHalf } from './half-rules.ts';
import type { IntegerUse } from './integer-uses.ts';
import type { OnnxExport } from './request.ts';
import { isNeeded, usesInside, usesTakenOver } from './taken-uses.ts';
import { whyRestored } from './why-restored.ts';

/** A weight and the scheme that is planned for it. */
export interface FittedWeight {
  readonly tensor: OnnxTensor;
  readonly scheme: Scheme;
}

/** The opset in force where a weight sits, and why it is no higher. */
export interface Place {
  readonly opset: number;
  readonly whyBelow: WhyBelow;
}

/** How a weight is stored, and what takes it. */
export interface WeightFit {
  /** The uses that an operator on codes takes over. */
  readonly uses: readonly IntegerUse[];
  /** How the weight is restored to float; null where nothing takes that any more. */
  readonly restore: Restore | null;
  /** Whether it is restored under its old name; else only in the graphs whose operators take it. */
  readonly isRestored: boolean;
  /** How it is stored for MatMulNBits; null stores it as the tensor is. */
  readonly nbits: NBitsShape | null;
  /** The type that scales are stored in, which is what DequantizeLinear gives. */
  readonly scaleDtype: ScaleDtype;
  /** Whether the zero points are stored: an operator that has none takes them as 0. */
  readonly needsZeroPoint: boolean;
  /** The shape of per-channel scales where the operator that takes them wants another than [channels]. */
  readonly channelDims?: readonly number[];
  /** Why it is restored to float in a mode that runs operators on codes. */
  readonly reason: string | null;
}

/** Bytes that the messages around an external tensor take in the model, and padding in its side file, at most. */
const EXTERNAL_BYTES = 6000;

/**
 * How an export stores a weight under a scheme: the model's own codes, or a fit; or why it keeps the weight.
 * One refusal is the layout's: that the weight's messages and nodes, with their names, would make the file larger.
 * @param half the plan of float16 arithmetic, in the mode that has one
 */
export function fitWeight(
  request: OnnxExport,
  weight: FittedWeight,
  place: Place,
  half: HalfPlan | null,
): WeightFit | { readonly pending: PendingDtype } | { readonly refused: string } {
  const { tensor, scheme } = weight;
  const refused = whyNotStored(request, weight, half);
  if (refused !== null) return { refused };
  const pending = tensor.ref.quantization?.pending;
  if (pending !== undefined) return { pending };
  const { opset, whyBelow } = place;
  const uses = usesTakenOver(request, { tensor, scheme }, opset);
  const taken = uses.length + usesInside(request, tensor).length;
  const isRestored =
    half?.isRestored(tensor.stored) ?? (taken < tensor.stored.uses.length || isNeeded(tensor));
  const nbits = uses[0]?.nbits ?? null;
  const scaleDtype = scaleDtypeOf(scheme, tensor.ref, { opset, isNbits: nbits !== null });
  const restore = taken > uses.length || isRestored ? restoreOf(weight, place, scaleDtype) : null;
  if (restore !== null && 'refused' in restore) return restore;
  const needsZeroPoint =
    uses.some((use) => use.hasZeroPoint) ||
    (restore !== null && (!isCentred(scheme) || request.mode === 'static'));
  const fit = { uses, restore, isRestored, nbits, scaleDtype, needsZeroPoint };
  const barred =
    tensor.stored.graph.kind === 'function' ? barredConstant(scheme, fit, place) : null;
  if (barred !== null) return { refused: barred };
  const { shape } = tensor.ref;
  const isConv = uses.some((use) => use.form === 'ConvInteger');
  return {
    ...fit,
    ...(isConv ? { channelDims: [1, shape[0]!, ...shape.slice(2).map(() => 1)] } : {}),
    reason: whyRestored(request.mode, { tensor, scheme, opset, whyBelow }, uses),
  };
}

/** Why a mode stores a weight under no such scheme; null where it does. */
function whyNotStored(
  request: OnnxExport,
  { tensor, scheme }: FittedWeight,
  half: HalfPlan | null,
): string | null {
  if (request.mode === 'float' && scheme.kind !== 'cast')
    return `the float mode stores float types only, not ${scheme.dtype}`;
  if (half !== null && scheme.dtype !== 'float16')
    return `the float16 mode stores float16 only, not ${scheme.dtype}`;
  const overflow = half === null ? null : whyNotHalf(request, tensor);
  if (overflow !== null) return overflow;
  if (tensor.ref.storage !== 'external' || request.mode === 'static') return null;
  const bytes = schemeBytes(scheme, tensor.ref) + EXTERNAL_BYTES;
  return bytes >= tensor.ref.bytes ? noGain(tensor.ref.bytes, bytes) : null;
}

function restoreOf(
  { tensor: { ref }, scheme }: FittedWeight,
  { opset, whyBelow }: Place,
  scaleDtype: ScaleDtype,
): Restore | { readonly refused: string } {
  const restore = restoreOperator(scheme, scaleCount(scheme, ref), opset, whyBelow);
  if ('refused' in restore || ref.dtype === scaleDtype || opset >= CAST_OPSETS.float16)
    return restore;
  return {
    refused: `Cast restores ${ref.dtype} from opset ${CAST_OPSETS.float16} on, and ${whyBelow(CAST_OPSETS.float16)}`,
  };
}

/** Why the parts cannot be Constants of a function, or null where they can; blocks take integer Constants. */
function barredConstant(
  scheme: Scheme,
  { nbits, restore, scaleDtype, needsZeroPoint }: Omit<WeightFit, 'reason'>,
  { opset, whyBelow }: Place,
): string | null {
  const stored = nbits === null ? storageDtype(scheme.dtype) : 'uint8';
  const isCast = scheme.kind === 'cast';
  const dtypes: readonly DtypeName[] = [
    stored,
    ...(isCast ? [] : [scaleDtype]),
    ...(!isCast && needsZeroPoint ? [stored] : []),
    ...(restore?.opType === 'Blocks' ? (['int64'] as const) : []),
  ];
  const dtype = dtypes.find((candidate) => constantOpset(candidate) > opset);
  if (dtype === undefined) return null;
  return `a Constant in a function may be ${dtype} from opset ${constantOpset(dtype)} on, and ${whyBelow(constantOpset(dtype))}`;
}

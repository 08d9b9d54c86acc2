import { packedBytes, type DtypeName } from '../../../../../shared/dtypes.ts';
import { scaleCount, type WeightPlans, type TensorPlan } from '../../../../../shared/plan.ts';
import {
  isCentred,
  isInBlocks,
  isNarrow,
  storageDtype,
  withFields,
  type Scheme,
} from '../../../../../shared/scheme.ts';
import type { ExportMode } from '../../../../../shared/exports.ts';
import { OVERFLOW_REASON, withHalfBiases, type LitertModel } from './fit-biases.ts';
import { overflowsFloat16 } from './overflow.ts';
import { typeOfDtype } from '../read/tensor-types.ts';
import type { LitertTensor } from '../read/tensors.ts';
import { noGain } from '../../no-gain.ts';
import { whyUntouchable } from './untouchable.ts';

/** A scheme as LiteRT stores it, with the reason where it is not the one asked for; or why it stores none. */
export type Fit =
  | { readonly scheme: Scheme; readonly reason: string | null }
  | { readonly refused: string };

/** How a stored type becomes float32 again. */
interface Restorer {
  /** DEQUANTIZE where none is named. */
  readonly op?: 'CAST';
  /** The operator's version that takes one scale a tensor. */
  readonly tensor: number;
  /** The version that takes one scale a channel; null where none does. */
  readonly channel: number | null;
}

/**
 * The types that DEQUANTIZE takes in tf.lite 2.21, per tensor and per channel (test/reference/check_litert.py); of
 * bfloat16 CAST makes float32. It fails on uint4, uint16 and int32 whatever the version ("dequantize.cc:65"), and on
 * int16 per channel ("Type 7 not supported for per-channel"); CAST takes all of them, but scales nothing.
 */
export const RESTORED: Readonly<Partial<Record<DtypeName, Restorer>>> = {
  float16: { tensor: 3, channel: null },
  bfloat16: { op: 'CAST', tensor: 7, channel: null },
  int8: { tensor: 2, channel: 5 },
  uint8: { tensor: 1, channel: 5 },
  int16: { tensor: 3, channel: null },
  int4: { tensor: 6, channel: 6 },
};

/** Bytes that a tensor's quantization takes beside its scales. */
const PARAMETER_BYTES = 40;

/**
 * The plan as an export in this mode writes it: every scheme as LiteRT stores it, null with the reason where it
 * cannot, and float16 for the biases of float16 weights. Pure, and changes nothing in a plan that it made itself.
 *
 * @param plan of all the model's tensors, in their order
 */
export function fitLitertPlan(
  model: LitertModel,
  plan: WeightPlans,
  mode: ExportMode,
): WeightPlans {
  const fitted = plan.map((entry) => fitEntry(model, entry, mode));
  return withHalfBiases(model, fitted);
}

function fitEntry(model: LitertModel, entry: TensorPlan, mode: ExportMode): TensorPlan {
  if (entry.scheme === null) return entry;
  const tensor = model.tensors[entry.tensor]!;
  const fit = fitLitert(tensor, entry.scheme, mode);
  if ('refused' in fit) return { ...entry, scheme: null, reason: fit.refused };
  if (fit.scheme.dtype === 'float16' && overflowsFloat16(model.source, tensor))
    return { ...entry, scheme: null, reason: OVERFLOW_REASON };
  const reasons = [entry.reason, fit.reason].filter((reason) => reason !== null);
  return { ...entry, scheme: fit.scheme, reason: reasons.length === 0 ? null : reasons.join('; ') };
}

/** How LiteRT stores a scheme for a tensor in an export mode. */
export function fitLitert(tensor: LitertTensor, asked: Scheme, mode: ExportMode): Fit {
  const why = whyUntouchable(tensor) ?? whyNotStored(asked, mode);
  if (why !== null) return { refused: why };
  const restored = RESTORED[storageDtype(asked.dtype)]!;
  let scheme = asked;
  const reasons: string[] = [];
  if (restored.channel === null && scaleCount(scheme, tensor.ref) > 1) {
    scheme = withFields(scheme, { granularity: 'tensor' });
    reasons.push(`per tensor: LiteRT's DEQUANTIZE takes ${scheme.dtype} per tensor only`);
  }
  // Hybrid kernels add products of pairs in 16 bits, which -128 times -128 would overflow.
  if (mode === 'dynamic' && mayRun(scheme) && !isNarrow(scheme)) {
    scheme = withFields(scheme, { narrowRange: true });
    const end = scheme.dtype === 'int8' ? 127 : 7;
    reasons.push(`codes from -${end} to ${end}, as LiteRT's integer kernels take them`);
  }
  const loss = whyNoGain(tensor, scheme);
  if (loss !== null) return { refused: loss };
  return { scheme, reason: reasons.length === 0 ? null : reasons.join('; ') };
}

/** Why LiteRT stores a scheme of no tensor in this mode; null when it does. */
function whyNotStored(asked: Scheme, mode: ExportMode): string | null {
  const isCast = asked.kind === 'cast';
  if (mode === 'float' && !isCast)
    return `the float mode stores float types only, not ${asked.dtype}`;
  const dtype = storageDtype(asked.dtype);
  if (typeOfDtype(dtype) === null) return `LiteRT has no ${dtype}`;
  if (RESTORED[dtype] === undefined) return `LiteRT's DEQUANTIZE takes no ${dtype}`;
  if (isCast) return null;
  // FULLY_CONNECTED reads float16 scales of blocks in XNNPACK alone; its plain kernel, and DEQUANTIZE, give wrong
  // numbers without a word (run in tf.lite 2.21 with and without that delegate).
  if (isInBlocks(asked))
    return "LiteRT's DEQUANTIZE takes one scale a tensor or a channel, not blocks";
  if (dtype === 'int16' && !isCentred(asked))
    return "LiteRT's int16 has zero point 0, so it is symmetric only";
  return null;
}

/** Whether there are kernels that take the codes of a scheme. */
function mayRun(scheme: Scheme): boolean {
  return (scheme.dtype === 'int8' || scheme.dtype === 'int4') && isCentred(scheme);
}

function whyNoGain({ ref }: LitertTensor, scheme: Scheme): string | null {
  const bytes = storedBytes(scheme, ref) + (scheme.kind === 'cast' ? 0 : PARAMETER_BYTES);
  if (bytes < ref.bytes) return null;
  return `with its scales it ${noGain(ref.bytes, bytes)} of the file`;
}

/** Bytes of codes and scales, and of zero points of 64 bits, which tensors share where they are 0. */
function storedBytes(scheme: Scheme, ref: LitertTensor['ref']): number {
  const scales = scaleCount(scheme, ref);
  const codes = packedBytes(storageDtype(scheme.dtype), ref.elements);
  return codes + scales * (isCentred(scheme) ? 4 : 12);
}

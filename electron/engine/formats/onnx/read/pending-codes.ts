import {
  PENDING_DTYPES,
  type PendingDtype,
  type StoredQuantization,
  type TensorRef,
} from '../../../../../shared/model.ts';
import { inputNamed, isOutput } from './graph-values.ts';
import { integerAttribute } from './node-slots.ts';
import type { Stored, Use } from './stored.ts';
import { tensorType } from './tensor-types.ts';

/** onnx.proto's UINT8: what QuantizeLinear makes where nothing says more. */
const UINT8 = 2;

/** Whether QuantizeLinear's codes can be stored in place of the float values, or why they cannot. */
export type Pending = { readonly pending: PendingDtype } | { readonly fixed: string };

/**
 * The type of the codes that a QuantizeLinear of constants makes of a float tensor, as in a model after
 * quantization-aware training, where an export can store them in its place.
 * @param found the parameters as they are stored
 */
export function pendingCodes(
  stored: Stored,
  use: Use,
  ref: TensorRef,
  found: StoredQuantization,
): Pending {
  const why = whyNot(stored, use, ref, found);
  if (why !== null) return { fixed: `quantized by the model itself; ${why}` };
  const zeroPoint = use.scope.stored(use.record.inputs[2] ?? '')?.tensor;
  const type = zeroPoint?.dataType ?? integerAttribute(use.record, 'output_dtype', UINT8);
  const dtype = tensorType(type === 0 ? UINT8 : type)?.dtype;
  const pending = PENDING_DTYPES.find((name) => name === dtype);
  return pending === undefined
    ? { fixed: `quantized by the model itself, to ${dtype ?? 'an unknown type'}` }
    : { pending };
}

function whyNot(
  { uses, isHandedOn, graph, name, tensor }: Stored,
  use: Use,
  ref: TensorRef,
  { scale, zeroPoint, axis, blockSize }: StoredQuantization,
): string | null {
  const { record } = use;
  const codes = record.outputs[0] ?? '';
  const isPublic = isOutput(graph, name) || isOutput(graph, codes);
  const isWanted = isHandedOn || isPublic || uses.filter((other) => other.isDirect).length > 1;
  if (!use.isDirect) return 'other nodes come before its QuantizeLinear';
  if (isWanted) return 'its float values or codes are used elsewhere, too';
  if (use.graph !== graph || tensor === null || inputNamed(graph, name) !== undefined)
    return 'its values are not its alone';
  if (
    ref.dtype !== 'float32' ||
    record.domain !== '' ||
    integerAttribute(record, 'precision', 0) > 1
  )
    return 'only codes of ai.onnx from float32 can be stored in its place';
  const hasZeroPoint = (record.inputs[2] ?? '') !== '';
  const groups = groupsOf(ref.shape, axis, blockSize);
  const isKnown =
    scale.length === groups &&
    (hasZeroPoint ? zeroPoint.length === groups : true) &&
    scale.every((value) => Number.isFinite(value) && value > 0);
  return isKnown ? null : 'its scales are not constants above 0, one for each group';
}

/** How many scales QuantizeLinear takes: one, one for each entry of an axis, or one for each block along it. */
function groupsOf(shape: readonly number[], axis: number | null, block: number | null): number {
  if (axis === null) return block === null ? 1 : 0;
  const length = shape[axis] ?? 0;
  if (block === null) return length;
  return (shape.reduce((a, b) => a * b, 1) / Math.max(1, length)) * Math.ceil(length / block);
}

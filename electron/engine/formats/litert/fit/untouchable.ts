import { numberOf } from '../read/nodes.ts';
import { FLOAT32 } from '../read/tensor-types.ts';
import {
  boundaryOf,
  isMadeOnce,
  restoredBy,
  type LitertTensor,
  type Use,
} from '../read/tensors.ts';

/** Why a weight cannot be stored otherwise whatever the scheme; null when it can. */
export function whyUntouchable({ ref, stored }: LitertTensor): string | null {
  if (ref.dtype !== 'float32' && ref.dtype !== 'float16')
    return `LiteRT's DEQUANTIZE restores float32, which ${ref.dtype} is not`;
  for (const { graph, index, tensor, uses } of stored) {
    if (boundaryOf(graph).has(index)) return 'it is an input or output of its graph';
    if (numberOf(tensor.node, 'is_variable') !== 0) return 'it is a variable';
    if (ref.dtype === 'float16' && !uses.every(isRestored))
      return 'operators take its float16 values as they are, and DEQUANTIZE restores float32';
  }
  return null;
}

/** A DEQUANTIZE that makes float32 of a stored tensor. */
function isRestored({ graph, operator }: Use): boolean {
  const output = restoredBy(operator);
  if (output === null || graph.tensors[output]!.type !== FLOAT32) return false;
  return isMadeOnce(graph, output);
}

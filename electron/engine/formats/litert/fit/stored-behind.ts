import type { LitertGraph } from '../read/graph.ts';
import type { LitertTensor } from '../read/tensors.ts';

/** The stored float16 tensor that a value is restored from by DEQUANTIZE; null for other values. */
export function storedBehind(
  { operators, values }: LitertGraph,
  tensors: readonly LitertTensor[],
  value: number,
): number | null {
  const { producer } = values[value]!;
  const operator = producer === null ? null : operators[producer]!;
  const [input] = operator?.inputs ?? [];
  if (operator?.op !== 'DEQUANTIZE' || operator.domain !== '' || input?.kind !== 'tensor')
    return null;
  return tensors[input.tensor]!.ref.dtype === 'float16' ? input.tensor : null;
}

import type { OnnxIndex } from '../formats/onnx/records.ts';
import type { OnnxTensor } from '../formats/onnx/tensors.ts';
import type { IndexLimits } from './inputs.ts';

/** For each graph input that indexes a stored table by Gather: how many rows the smallest such table has. */
export function indexLimits(index: OnnxIndex, tensors: readonly OnnxTensor[]): IndexLimits {
  const inputs = new Set(index.graph.inputs.map((input) => input.name));
  // A map, and fromEntries: an input may be called constructor or __proto__.
  const limits = new Map<string, number>();
  for (const { ref, stored } of tensors)
    for (const use of stored.uses) {
      const name = use.record.inputs[1] ?? '';
      if (use.op !== 'Gather' || use.input !== 0 || !inputs.has(name)) continue;
      const rows = ref.shape[0] ?? 1;
      limits.set(name, Math.min(limits.get(name) ?? rows, rows));
    }
  return Object.fromEntries(limits);
}

import type { GraphRecord } from '../../formats/onnx/records.ts';
import type { OnnxTensor } from '../../formats/onnx/tensors.ts';
import { readNumbers } from '../../tensor-bytes.ts';
import { CAST_OPSETS } from './dequantize.ts';
import { HalfPlan } from './half-plan.ts';
import type { OnnxExport } from './request.ts';

/** The largest float16. */
const LARGEST = 65504;

/** Constants of up to this many elements are looked at; what is larger is a weight, whose report says what overflows. */
const MAX_CONSTANT = 4096;

/**
 * Plan which nodes compute in float16. Rules of the recipe that keep an operator (`op` alone, scheme
 * null) are its block list; a node whose weight a rule keeps stays in float32 too, and so does one
 * with a constant that float16 cannot hold. null where no Cast takes float16.
 */
export function planHalf(request: OnnxExport, opset: number): HalfPlan | null {
  if (opset < CAST_OPSETS.float16) return null;
  const tensors = new Map<GraphRecord, Map<string, OnnxTensor>>();
  for (const tensor of request.tensors) {
    const { graph, name } = tensor.stored;
    const known = tensors.get(graph);
    if (known === undefined) tensors.set(graph, new Map([[name, tensor]]));
    else known.set(name, tensor);
  }
  const answers = new Map<OnnxTensor, boolean>();
  const isBarred = (tensor: OnnxTensor): boolean => {
    const answer = answers.get(tensor) ?? isFloatOnly(request, tensor);
    answers.set(tensor, answer);
    return answer;
  };
  return new HalfPlan(request.index.graph, {
    opset,
    isKept: (opType) => {
      const rule = request.recipe.rules.findLast(
        ({ match }) => match.op === opType && match.name === undefined && match.role === undefined,
      );
      return rule !== undefined && rule.scheme === null;
    },
    isFloatOnly: (graph, name) => {
      const tensor = tensors.get(graph)?.get(name);
      return tensor !== undefined && isBarred(tensor);
    },
  });
}

function isFloatOnly({ plan, files }: OnnxExport, { ref }: OnnxTensor): boolean {
  const entry = plan[ref.id];
  if (entry !== undefined && entry.scheme !== null) return false;
  if (entry?.byRule === true && (ref.role === 'weight' || ref.role === 'embedding')) return true;
  if (ref.dtype !== 'float32' || ref.elements > MAX_CONSTANT) return false;
  return readNumbers(files, ref).some(
    (value) => Math.abs(value) > LARGEST && Math.abs(value) < Infinity,
  );
}

import { integerAttribute } from '../../read/node-slots.ts';
import type { NodeRecord } from '../../read/records.ts';

/**
 * Operators that are planned to compute on integers where a recipe names none: those whose integer kernels
 * on the CPU are faster than float (static-notes.md: Conv, MatMul and Gemm alone run at 0.72 to 0.83 of float's
 * time), and those below, which hand codes on.
 */
const GAINING: ReadonlySet<string> = new Set(['Conv', 'MatMul', 'Gemm']);

/** Whether an operator is planned to compute on integers where a recipe names none. */
export function isWanted(op: string): boolean {
  return GAINING.has(op);
}

/** From which opset of ai.onnx an operator hands codes of 8 bits on as they are. */
const CARRIERS: Readonly<Record<string, number>> = {
  Flatten: 9,
  MaxPool: 12,
  Reshape: 5,
  Slice: 1,
  Squeeze: 1,
  Transpose: 1,
  Unsqueeze: 1,
};

/**
 * Whether an operator gives codes of its first input unchanged, so that its output takes the input's parameters
 * and onnxruntime drops the pair of QuantizeLinear and DequantizeLinear between them.
 */
export function handsOnCodes({ opType, domain }: NodeRecord, opset: number): boolean {
  return domain === '' && opset >= (CARRIERS[opType] ?? Infinity);
}

/** What a Relu or Clip lets through; null for operators that do more, or a Clip whose limits are not constant. */
export function clipLimits(
  node: NodeRecord,
  numberAt: (input: number) => number | null,
): { readonly low: number; readonly high: number } | null {
  if (node.domain !== '') return null;
  if (node.opType === 'Relu') return { low: 0, high: Infinity };
  if (node.opType !== 'Clip') return null;
  const limit = (name: string, input: number, absent: number): number | null => {
    const attribute = node.attributes.find((candidate) => candidate.name === name);
    if (attribute !== undefined) return attribute.real;
    return (node.inputs[input] ?? '') === '' ? absent : numberAt(input);
  };
  const [low, high] = [limit('min', 1, -Infinity), limit('max', 2, Infinity)];
  return low === null || high === null ? null : { low, high };
}

/** Why a node's own attributes keep it off integer kernels; null where they do not. */
export function whyNoKernel(node: NodeRecord): string | null {
  if (node.opType !== 'Gemm') return null;
  const real = (name: string): number =>
    node.attributes.find((attribute) => attribute.name === name)?.real ?? 1;
  if (real('alpha') !== 1 || real('beta') !== 1)
    return 'its alpha or beta is not 1, which the integer Gemm does not multiply a bias with';
  return integerAttribute(node, 'transA', 0) === 0
    ? null
    : 'it takes its first input transposed, which the integer Gemm does not';
}

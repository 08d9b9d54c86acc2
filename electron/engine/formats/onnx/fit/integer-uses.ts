import type { Affine, Block, Scheme } from '../../../../../shared/scheme.ts';
import { integerAttribute, isVarious } from '../read/node-slots.ts';
import type { GraphRecord, NodeRecord } from '../read/records.ts';
import type { Use } from '../read/stored.ts';
import type { OnnxTensor } from '../read/stored.ts';
import type { NBitsShape } from '../../../export/nbits-layout.ts';

/** Which operator takes a node over with integer weights. */
export type IntegerForm =
  | 'MatMulInteger'
  | 'ConvInteger'
  | 'DynamicQuantizeMatMul'
  | 'DynamicQuantizeLSTM'
  | 'MatMulNBits';

/** A node that an integer operator can stand in for, and the weight that it takes. */
export interface IntegerUse {
  readonly form: IntegerForm;
  readonly node: NodeRecord;
  readonly graph: GraphRecord;
  readonly tensor: number;
  /** Which of the node's inputs the weight is. */
  readonly input: number;
  readonly shape: readonly number[];
  readonly isPerChannel: boolean;
  readonly hasZeroPoint: boolean;
  /** MatMulNBits only: how the weight is stored. */
  readonly nbits: NBitsShape | null;
}

/** DynamicQuantizeLinear came with this opset; it is what gives the integer operators their input. */
export const DYNAMIC_OPSET = 11;

/** A weight and what is planned for it. */
export interface PlannedWeight {
  readonly tensor: OnnxTensor;
  readonly scheme: Scheme | null;
}

/**
 * How a use of a weight runs on integers under a scheme, or null where it falls back to floats:
 * int8 and uint8 per tensor or channel, MatMul and Gemm with a matrix on the right, Conv, and LSTM
 * where both of its weights do. onnxruntime's ConvInteger takes one zero point only, so that there
 * channels must be symmetric.
 * @param other the weight at another input of the node, where a stored one is
 */
export function integerForm(
  use: Use,
  { tensor, scheme }: PlannedWeight & { readonly scheme: Scheme },
  opset: number,
  other: (input: number) => PlannedWeight | null,
): IntegerForm | null {
  const { ref } = tensor;
  if (use.op === 'LSTM') {
    const weights = [1, 2].map((input) =>
      input === use.input ? { tensor, scheme } : other(input),
    );
    const isWhole = opset >= EXPAND_OPSET && weights.every((weight) => isLstmWeight(weight));
    return isWhole && isPlainLstm(use) ? 'DynamicQuantizeLSTM' : null;
  }
  if (scheme.kind !== 'affine') return null;
  if ((scheme.dtype !== 'int8' && scheme.dtype !== 'uint8') || ref.dtype !== 'float32') return null;
  if (!isRightHand(use) || use.record.inputs[0] === use.record.inputs[1]) return null;
  if (!areScalesOfOutput(use, tensor, scheme)) return null;
  const isStandard = opset >= DYNAMIC_OPSET;
  switch (use.op) {
    case 'MatMul':
      if (ref.shape.length !== 2) return null;
      return isStandard ? 'MatMulInteger' : 'DynamicQuantizeMatMul';
    case 'Gemm':
      return isStandard && isPlainGemm(use.record) ? 'MatMulInteger' : null;
    case 'Conv':
      if (!isStandard) return null;
      return scheme.granularity === 'tensor' || (scheme.symmetric && scheme.dtype === 'int8')
        ? 'ConvInteger'
        : null;
    default:
      return null;
  }
}

/**
 * Whether each output channel of a use has one scale, so that the integer sums can be multiplied by
 * it. Tied weights can have another channel axis in another use.
 */
function areScalesOfOutput(use: Use, { ref }: OnnxTensor, { granularity }: Affine): boolean {
  return granularity === 'tensor' || (use.axis !== null && use.axis === ref.axis);
}

/** Expand came with this opset; it gives each direction of an LSTM its scales. */
const EXPAND_OPSET = 8;

/**
 * Whether a weight [directions, 4 hidden, inputs] can be one of com.microsoft.DynamicQuantizeLSTM's:
 * symmetric int8, one scale a direction or a row (onnxruntime's quantization/operators/lstm.py).
 */
function isLstmWeight(weight: PlannedWeight | null): boolean {
  if (weight === null || weight.scheme === null) return false;
  const { tensor, scheme } = weight;
  return (
    scheme.kind === 'affine' &&
    scheme.dtype === 'int8' &&
    scheme.symmetric &&
    tensor.ref.dtype === 'float32' &&
    tensor.ref.shape.length === 3 &&
    (scheme.granularity === 'tensor' || tensor.ref.axis === 1)
  );
}

function isPlainLstm({ record, input, isDirect }: Use): boolean {
  return (
    isDirect &&
    (input === 1 || input === 2) &&
    record.domain === '' &&
    record.inputs[1] !== record.inputs[2] &&
    !isVarious(record, 'layout') &&
    integerAttribute(record, 'layout', 0) === 0
  );
}

/**
 * How a weight is stored for MatMulNBits, or null where it cannot be: a float32 or float16 matrix [K, N], or the
 * [N, K] of a Gemm, in blocks along K of a power of two from 16, with codes of 4 or 8 bits (com.microsoft.MatMulNBits).
 */
export function nbitsShape({ ref }: OnnxTensor, scheme: Block): NBitsShape | null {
  if (ref.shape.length !== 2 || ref.axis === null) return null;
  if (ref.dtype !== 'float32' && ref.dtype !== 'float16') return null;
  const isTransposed = ref.axis === 0;
  const [n, k] = [ref.shape[ref.axis]!, ref.shape[1 - ref.axis]!];
  const { block } = scheme;
  if (block < 16 || (block & (block - 1)) !== 0) return null;
  const shape = { k, n, block, isTransposed };
  if (scheme.dtype === 'int4' || scheme.dtype === 'uint4') return { ...shape, bits: 4 };
  return scheme.dtype === 'int8' || scheme.dtype === 'uint8' ? { ...shape, bits: 8 } : null;
}

/** Broadcasting by shape alone came with this opset: an Add of an older one takes no Gemm's bias. */
export const BROADCAST_OPSET = 7;

/** Whether a use is the right-hand side of a MatMul, or of a Gemm that is x W + C, which MatMulNBits stands in for. */
export function isNBitsWeight(use: Use, { ref }: OnnxTensor, opset: number): boolean {
  if (!isRightHand(use) || use.axis !== ref.axis) return false;
  if (use.op === 'MatMul') return ref.axis === 1;
  const hasBias = (use.record.inputs[2] ?? '') !== '';
  return use.op === 'Gemm' && isPlainGemm(use.record) && (!hasBias || opset >= BROADCAST_OPSET);
}

/** Whether a use is the second input of an operator of ai.onnx that has all that an operator must have. */
function isRightHand({ isDirect, input, record }: Use): boolean {
  const isWhole = (record.inputs[0] ?? '') !== '' && (record.outputs[0] ?? '') !== '';
  return isDirect && input === 1 && record.domain === '' && isWhole;
}

/** A Gemm that is x W + C: nothing is scaled, and x is not transposed. */
function isPlainGemm(node: NodeRecord): boolean {
  // In a function the calls may give what is scaled or transposed.
  if (['alpha', 'beta', 'transA', 'transB'].some((name) => isVarious(node, name))) return false;
  const real = (name: string): number =>
    node.attributes.find((attribute) => attribute.name === name)?.real ?? 1;
  const hasBias = (node.inputs[2] ?? '') !== '';
  return (
    real('alpha') === 1 &&
    (!hasBias || real('beta') === 1) &&
    integerAttribute(node, 'transA', 0) === 0
  );
}

import { atRank, bias, constant, norm, other, weight, type Slot } from '../slot.ts';
import type { NodeRecord } from './records.ts';

/** An integer attribute, or its default where it is absent. */
export function integerAttribute(node: NodeRecord, name: string, fallback: number): number {
  return node.attributes.find((attribute) => attribute.name === name)?.integer ?? fallback;
}

/** Whether the operator is one that ONNX or onnxruntime defines; others are never interpreted. */
function isKnownDomain(domain: string): boolean {
  return domain === '' || domain === 'com.microsoft';
}

/** Where QLinearConv, QLinearMatMul and QGemm take their weight: after the input, its scale and zero point. */
const QLINEAR_WEIGHT = 3;

/**
 * What a tensor of this rank is to a node's input. Channel axes are those of onnxruntime's
 * per-channel quantizers: Conv 0, ConvTranspose 1, MatMul last, Gemm by transB, Gather 0,
 * LSTM/GRU/RNN 1 (axis 0 is the direction).
 */
export function slotOf(node: NodeRecord, input: number, rank: number): Slot {
  return isKnownDomain(node.domain) ? atRank(knownSlot(node, input, rank), rank) : other;
}

function knownSlot(node: NodeRecord, input: number, rank: number): Slot {
  switch (node.opType) {
    case 'Conv':
    case 'FusedConv':
      return convolution(input, rank, 0);
    case 'ConvTranspose':
    case 'ConvTransposeWithDynamicPads':
      return convolution(input, rank, 1);
    case 'DeformConv':
      return input === 1 ? weight(0) : input === 3 ? bias : other;
    case 'MatMul':
    case 'FusedMatMul':
    case 'FusedMatMulActivation':
      return matrix(node, input, rank);
    case 'Gemm':
      return gemm(node, input);
    case 'Gather':
      return input === 0 && rank >= 2 && integerAttribute(node, 'axis', 0) === 0
        ? { role: 'embedding', axis: 0 }
        : constant;
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      return recurrent(input, rank);
    case 'ConvInteger':
      return input === 1 && rank >= 3 ? weight(0) : other;
    case 'MatMulInteger':
    case 'MatMulIntegerToFloat':
    case 'DynamicQuantizeMatMul':
      return input === 1 && rank >= 2 ? weight(rank - 1) : other;
    case 'MatMulNBits':
      return input === 1 ? weight(0) : other;
    case 'QLinearConv':
      return input === QLINEAR_WEIGHT && rank >= 3 ? weight(0) : other;
    case 'QLinearMatMul':
      return input === QLINEAR_WEIGHT && rank >= 2 ? weight(rank - 1) : other;
    case 'QGemm':
      return input === QLINEAR_WEIGHT ? gemm(node, 1) : other;
    case 'DynamicQuantizeLSTM':
      return input === 1 || input === 2 ? weight(2) : input === 3 ? bias : other;
    case 'Attention':
      return node.domain === 'com.microsoft' && input === 1
        ? weight(rank - 1)
        : input === 2
          ? bias
          : other;
    case 'Einsum':
      return rank >= 2 ? weight(null) : other;
    case 'BatchNormalization':
      return input >= 1 ? norm : other;
    case 'InstanceNormalization':
    case 'LayerNormalization':
    case 'GroupNormalization':
    case 'SimplifiedLayerNormalization':
    case 'RMSNormalization':
    case 'GroupNorm':
    case 'SkipGroupNorm':
      return input >= 1 ? norm : other;
    case 'SkipLayerNormalization':
    case 'SkipSimplifiedLayerNormalization':
      return input >= 2 ? norm : other;
    case 'EmbedLayerNormalization':
      return input >= 2 && input <= 4
        ? { role: 'embedding', axis: 0 }
        : input >= 5 && input <= 6
          ? norm
          : other;
    case 'BiasGelu':
    case 'FastGelu':
    case 'BiasAdd':
      return input === 1 ? bias : other;
    case 'Add':
    case 'Sum':
      return bias;
    case 'PRelu':
      return other;
    default:
      return constant;
  }
}

function convolution(input: number, rank: number, axis: number): Slot {
  if (input === 1) return rank >= 3 ? weight(axis) : other;
  return input === 2 ? bias : other;
}

function matrix(node: NodeRecord, input: number, rank: number): Slot {
  if (input > 1 || rank < 2) return other;
  const transposed = integerAttribute(node, input === 0 ? 'transA' : 'transB', 0) !== 0;
  // The channels of a left-hand constant are its rows, of a right-hand one its columns.
  return weight((input === 1) === transposed ? rank - 2 : rank - 1);
}

function gemm(node: NodeRecord, input: number): Slot {
  if (input === 2) return bias;
  if (input === 1) return weight(integerAttribute(node, 'transB', 0) !== 0 ? 0 : 1);
  return input === 0 ? weight(integerAttribute(node, 'transA', 0) !== 0 ? 1 : 0) : other;
}

function recurrent(input: number, rank: number): Slot {
  if (input === 1 || input === 2) return rank === 3 ? weight(1) : other;
  return input === 3 ? bias : other;
}

/**
 * Where an input must stay just as it is whatever else the tensor feeds: shapes, axes, scales,
 * limits and quantization parameters. A small error there changes shapes or breaks the graph.
 */
export function isSensitive(node: NodeRecord, input: number): boolean {
  if (!isKnownDomain(node.domain)) return false;
  switch (node.opType) {
    case 'Resize':
    case 'Upsample':
    case 'RoiAlign':
    case 'MaxRoiPool':
    case 'CropAndResize':
    case 'NonMaxSuppression':
    case 'GridSample':
      return input >= 1;
    case 'Reshape':
    case 'Expand':
    case 'Tile':
    case 'Slice':
    case 'Pad':
    case 'Clip':
    case 'OneHot':
    case 'TopK':
    case 'Unsqueeze':
    case 'Squeeze':
      return input >= 1;
    case 'Range':
    case 'ConstantOfShape':
      return true;
    case 'QuantizeLinear':
    case 'DequantizeLinear':
    case 'DynamicQuantizeLinear':
      return input >= 1;
    case 'If':
    case 'Loop':
      return input === 0;
    default:
      return node.opType.startsWith('QLinear') && !isQLinearWeight(node, input);
  }
}

function isQLinearWeight({ opType }: NodeRecord, input: number): boolean {
  return input === QLINEAR_WEIGHT && (opType === 'QLinearConv' || opType === 'QLinearMatMul');
}

/** Entry i is the input's axis that became the output's axis i; null for an axis that is new. */
export type AxisMap = readonly (number | null)[];

/**
 * How a node hands one of its inputs on, whole or in part, without computing with its values.
 * null for nodes that compute; [] where the axes are lost.
 * @param integersOf the values of a constant integer input, where they are known.
 */
export function passThrough(
  node: NodeRecord,
  input: number,
  rank: number,
  integersOf: (input: number) => readonly number[] | null,
): AxisMap | null {
  if (!isKnownDomain(node.domain)) return null;
  const same = Array.from({ length: rank }, (_, axis) => axis);
  if (node.opType === 'Concat') return same;
  if (input !== 0) return null;
  const listed = (name: string): readonly number[] | null =>
    node.attributes.find((attribute) => attribute.name === name)?.integers ?? integersOf(1);
  switch (node.opType) {
    case 'Identity':
    case 'Cast':
    case 'Dropout':
    case 'DequantizeLinear':
    case 'QuantizeLinear':
    case 'Slice':
    case 'Split':
      return same;
    case 'Transpose':
      return transposed(
        node.attributes.find((attribute) => attribute.name === 'perm')?.integers,
        rank,
      );
    case 'Unsqueeze':
      return unsqueezed(listed('axes'), rank);
    case 'Squeeze':
      return squeezed(listed('axes'), rank);
    case 'Reshape':
    case 'Flatten':
      return [];
    default:
      return null;
  }
}

function transposed(permutation: readonly number[] | undefined, rank: number): AxisMap {
  if (permutation === undefined) return Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const sorted = [...permutation].sort((a, b) => a - b);
  return permutation.length === rank && sorted.every((axis, index) => axis === index)
    ? permutation
    : [];
}

function unsqueezed(axes: readonly number[] | null, rank: number): AxisMap {
  if (axes === null) return [];
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank + axes.length : axis)));
  let next = 0;
  return Array.from({ length: rank + axes.length }, (_, axis) => (added.has(axis) ? null : next++));
}

function squeezed(axes: readonly number[] | null, rank: number): AxisMap {
  if (axes === null) return [];
  const removed = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  return Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !removed.has(axis));
}

import { atRank, bias, constant, norm, other, weight, type Slot } from '../../slot.ts';
import { microsoftSlot } from './microsoft-slots.ts';
import {
  axisAttribute,
  convolution,
  factor,
  integerAttribute,
  isVarious,
  recurrent,
} from './node-slots.ts';
import type { NodeRecord } from './records.ts';
import { codesAt } from './stored-codes.ts';

/** Whether the operator is one that ONNX or onnxruntime defines; others are never interpreted. */
export function isKnownDomain(domain: string): boolean {
  return domain === '' || domain === 'com.microsoft';
}

/**
 * What a tensor of this rank is to a node's input. Channel axes are those of onnxruntime's
 * per-channel quantizers: Conv 0, ConvTranspose 1, MatMul last, Gemm by transB, Gather 0,
 * LSTM/GRU/RNN 1 (axis 0 is the direction).
 */
export function slotOf(node: NodeRecord, input: number, rank: number): Slot {
  return isKnownDomain(node.domain) ? atRank(knownSlot(node, input, rank), rank) : other;
}

function knownSlot(node: NodeRecord, input: number, rank: number): Slot {
  const codes = codesAt(node, input, rank);
  if (codes !== null) return codes.slot;
  return microsoftSlot(node, input, rank) ?? standardSlot(node, input, rank);
}

/** What an input of an operator of ai.onnx is, onnxruntime's own operators there among them. */
function standardSlot(node: NodeRecord, input: number, rank: number): Slot {
  switch (node.opType) {
    case 'Conv':
      return convolution(node, input, rank, 0);
    case 'ConvTranspose':
      return convolution(node, input, rank, 1);
    case 'DeformConv':
      return input === 1 ? weight(0) : input === 3 ? bias : other;
    case 'MatMul':
      return input > 1 ? other : factor(input === 0 ? 'left' : 'right')(node, rank);
    case 'Gemm':
      return input === 2 ? bias : factor(input === 0 ? 'left' : 'right')(node, rank);
    case 'Gather':
      return input === 0 && !isVarious(node, 'axis')
        ? table(rank, axisAttribute(node, 'axis', 0, rank))
        : constant;
    case 'GatherND':
      // With batch axes its slices are no rows of one table.
      return input === 0 && integerAttribute(node, 'batch_dims', 0) === 0
        ? table(rank, 0)
        : constant;
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      if (input === 3) return bias;
      return input === 1 || input === 2 ? recurrent(node, rank) : other;
    case 'Einsum':
      return rank >= 2 ? weight(null) : other;
    case 'BatchNormalization':
    case 'InstanceNormalization':
    case 'LayerNormalization':
    case 'GroupNormalization':
    case 'SimplifiedLayerNormalization':
    case 'RMSNormalization':
      return input >= 1 ? norm : other;
    case 'Add':
    case 'Sum':
      return bias;
    case 'PRelu':
      return other;
    default:
      return constant;
  }
}

/** A table whose entries lie along an axis; a vector is looked up for what it is, such as a shape. */
function table(rank: number, axis: number): Slot {
  return rank >= 2 ? { role: 'embedding', axis } : constant;
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
      return node.opType.startsWith('QLinear') && codesAt(node, input, 0) === null;
  }
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
  // Where the axes go differs between the calls of a function.
  if (['perm', 'axes'].some((name) => isVarious(node, name))) return [];
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

import { valueKey } from '../../../../../../shared/graph.ts';
import type { OnnxGraph } from '../../read/graph.ts';
import { integerAttribute } from '../../read/node-slots.ts';
import type { NodeRecord } from '../../read/records.ts';
import type { ObservedChannels } from '../../../../../../shared/ranges.ts';
import type { Scheme } from '../../../../../../shared/scheme.ts';
import type { WeightSums } from '../../../format.ts';
import type { PlanningFacts } from './facts.ts';

/**
 * The axis of the channels of each value that operators multiply with a stored weight, by valueKey: 1 of what a
 * Conv takes, the last of what a MatMul or Gemm takes. The first operator decides where several take a value.
 */
export function channelAxes({ operators, values }: OnnxGraph): ReadonlyMap<string, number> {
  const axes = new Map<string, number>();
  for (const { op, domain, inputs } of operators) {
    const [input, weight] = inputs;
    if (domain !== '' || input?.kind !== 'value' || weight?.kind !== 'tensor') continue;
    const axis = op === 'Conv' ? 1 : op === 'MatMul' || op === 'Gemm' ? -1 : null;
    const key = valueKey(values[input.value]!);
    if (axis !== null && !axes.has(key)) axes.set(key, axis);
  }
  return axes;
}

/**
 * What an operator's results have too much on average because its weight is rounded, for each of its outputs: to be
 * subtracted from its bias (bias correction; Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and
 * Bias Correction", 4.2, with means of channels that calibration observed). Null where that is not known.
 */
export function meanExcess(
  operator: number,
  scheme: Scheme,
  facts: PlanningFacts,
): readonly number[] | null {
  const [input, weight] = facts.graph.operators[operator]!.inputs;
  if (input?.kind !== 'value' || weight?.kind !== 'tensor') return null;
  const channels = facts.channelsOf(input.value);
  if (channels === null) return null;
  const { shape } = facts.tensors[weight.tensor]!.ref;
  const sums = weightSums(facts.graph.nodes[operator]!, shape, channels);
  if (sums === null) return null;
  return facts.excessOf({ operator, tensor: weight.tensor, scheme, ...sums });
}

type Multiplied = Pick<WeightSums, 'outputs' | 'groups' | 'isColumns' | 'multipliers'>;

/** What each element of a weight is multiplied with on average; null for what has other channels than its input. */
function weightSums(
  node: NodeRecord,
  shape: readonly number[],
  channels: ObservedChannels,
): Multiplied | null {
  const { means } = channels;
  if (node.opType === 'Conv') return convSums(node, shape, channels);
  const isRows = node.opType === 'Gemm' && integerAttribute(node, 'transB', 0) !== 0;
  const [rows, columns] = shape;
  const [outputs, summed] = isRows ? [rows, columns] : [columns, rows];
  if (shape.length !== 2 || summed !== means.length || outputs === undefined) return null;
  return { outputs, groups: 1, isColumns: !isRows, multipliers: Float64Array.from(means) };
}

function convSums(
  node: NodeRecord,
  [outputs, perGroup, ...kernel]: readonly number[],
  { means, shape }: ObservedChannels,
): Multiplied | null {
  const groups = integerAttribute(node, 'group', 1);
  if (outputs === undefined || perGroup === undefined || perGroup * groups !== means.length)
    return null;
  const shares = sharesInside(node, kernel, shape.slice(2));
  const multipliers = new Float64Array(means.length * shares.length);
  for (const [channel, mean] of means.entries())
    for (const [tap, share] of shares.entries())
      multipliers[channel * shares.length + tap] = mean * share;
  return { outputs, groups, isColumns: false, multipliers };
}

/** Of each element of a kernel: the share of its positions at which it lies on the input and not on padding. */
function sharesInside(
  node: NodeRecord,
  kernel: readonly number[],
  size: readonly number[],
): Float64Array {
  const list = (name: string): readonly number[] =>
    node.attributes.find((attribute) => attribute.name === name)?.integers ?? [];
  const [pads, strides, dilations] = [list('pads'), list('strides'), list('dilations')];
  let shares = Float64Array.of(1);
  for (const [axis, length] of kernel.entries()) {
    const [before, after] = [pads[axis] ?? 0, pads[axis + kernel.length] ?? 0];
    const [stride, dilation] = [strides[axis] ?? 1, dilations[axis] ?? 1];
    const extent = size[axis] ?? 0;
    const steps = Math.floor((extent + before + after - dilation * (length - 1) - 1) / stride) + 1;
    const along = Array.from({ length }, (_, tap) => {
      const at = tap * dilation - before;
      const first = Math.max(0, Math.ceil(-at / stride));
      const last = Math.min(steps - 1, Math.floor((extent - 1 - at) / stride));
      return steps > 0 ? Math.max(0, last - first + 1) / steps : 1;
    });
    shares = Float64Array.from([...shares].flatMap((share) => along.map((part) => share * part)));
  }
  return shares;
}

import type { Operand } from '../../../../../shared/graph.ts';
import type { ScaledTensor } from '../../format.ts';
import { inputNamed } from '../read/graph-values.ts';
import type { OnnxGraph } from '../read/graph.ts';
import { integerAttribute } from '../read/node-slots.ts';
import type { NodeRecord } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { axisAt, isAt, LAST_AXIS, type ChannelAxis } from './channel-axis.ts';
import {
  channelsOf,
  product,
  viewOfAxis,
  type ChannelView,
} from '../../../quantize/channel-view.ts';

/** What computes values for each of whose channels a factor can be put into what it is computed with. */
export interface Source {
  readonly scaled: readonly ScaledTensor[];
  readonly axis: ChannelAxis;
  readonly channels: number;
}

export interface Carrying {
  readonly graph: OnnxGraph;
  readonly tensors: readonly OnnxTensor[];
}

/** Norms whose scale and shift belong to channels of the last axis. */
const LAST_AXIS_NORMS: ReadonlySet<string> = new Set([
  'LayerNormalization',
  'SimplifiedLayerNormalization',
  'RMSNormalization',
]);

/** Norms whose scale and shift belong to channels of axis 1. */
const CHANNEL_NORMS: ReadonlySet<string> = new Set(['BatchNormalization', 'InstanceNormalization']);

/**
 * Tensors of an operator that take a factor for each channel of its first output.
 * @returns a reason where the operator has weights and cannot; null where it has none
 */
export function sourceOf(model: Carrying, operator: number): Source | string | null {
  const { op, domain, inputs } = model.graph.operators[operator]!;
  if (domain !== '') return null;
  const node = model.graph.nodes[operator]!;
  const shape = shapeOf(model, inputs[op === 'Mul' ? tensorSide(inputs) : 1]);
  if (shape === null) return null;
  if (op === 'Conv' && shape.length > 2) return convSource(model, inputs, shape);
  if (op === 'ConvTranspose' && shape.length > 2)
    return transposeSource(model, node, inputs, shape);
  if (op === 'Gemm' && shape.length === 2) {
    const axis = integerAttribute(node, 'transB', 0) === 0 ? 1 : 0;
    return madeOf(model, inputs, { view: viewOfAxis(shape, axis), axis: axisAt(1, 2) });
  }
  if (op === 'MatMul' && shape.length === 2)
    return madeOf(model, inputs, { view: viewOfAxis(shape, 1), axis: LAST_AXIS });
  if (LAST_AXIS_NORMS.has(op) && shape.length === 1)
    return madeOf(model, inputs, { view: viewOfAxis(shape, 0), axis: LAST_AXIS, isNorm: true });
  if (CHANNEL_NORMS.has(op) && shape.length === 1)
    return madeOf(model, inputs, {
      view: viewOfAxis(shape, 0),
      axis: axisAt(1, null),
      isNorm: true,
    });
  return op === 'Mul' ? factorSource(model, inputs, shape) : null;
}

function convSource(model: Carrying, inputs: readonly Operand[], shape: readonly number[]) {
  const [view, axis] = [viewOfAxis(shape, 0), axisAt(1, shape.length)];
  return madeOf(model, inputs, { view, axis });
}

function transposeSource(
  model: Carrying,
  node: NodeRecord,
  inputs: readonly Operand[],
  [all, channels, ...kernel]: readonly number[],
) {
  const groups = integerAttribute(node, 'group', 1);
  const view = { groups, outer: all! / groups, channels: channels!, inner: product(kernel) };
  return madeOf(model, inputs, { view, axis: axisAt(1, kernel.length + 2) });
}

/** A Mul by one number for each channel. */
function factorSource(
  model: Carrying,
  inputs: readonly Operand[],
  shape: readonly number[],
): Source | null {
  const wide = shape.flatMap((size, at) => (size === 1 ? [] : [at]));
  const side = tensorSide(inputs);
  const [at] = wide;
  if (wide.length !== 1 || inputs[1 - side]?.kind !== 'value') return null;
  const { tensor } = inputs[side] as { readonly tensor: number };
  if (whyShared(model, tensor) !== null) return null;
  const axis = {
    front: null,
    end: shape.length - at!,
    isPoint: at === shape.length - 1,
    isFlat: false,
  };
  const view = viewOfAxis(shape, at!);
  const scaled = [{ tensor, view, isWeight: false }];
  return { scaled, axis, channels: channelsOf(view) };
}

function tensorSide(inputs: readonly Operand[]): 0 | 1 {
  return inputs[0]?.kind === 'tensor' ? 0 : 1;
}

/** A weight at input 1, or the scale of a norm, and what is added at input 2. */
function madeOf(
  model: Carrying,
  [, weight, added]: readonly Operand[],
  made: {
    readonly view: ChannelView;
    readonly axis: ChannelAxis;
    readonly isNorm?: boolean;
  },
): Source | string {
  const { view, axis, isNorm = false } = made;
  const channels = channelsOf(view);
  const { tensor } = weight as { readonly tensor: number };
  const scaled: ScaledTensor[] = [{ tensor, view, isWeight: !isNorm }];
  if (added !== null && added !== undefined) {
    if (added.kind === 'value') return 'its bias is computed by the model';
    const shape = model.tensors[added.tensor]!.ref.shape;
    if (shape.at(-1) !== channels) return 'its bias is one number for all channels';
    const bias = viewOfAxis(shape, shape.length - 1);
    scaled.push({ tensor: added.tensor, view: bias, isWeight: false });
  }
  const why = scaled.map((each) => whyShared(model, each.tensor)).find((each) => each !== null);
  return why ?? { scaled, axis, channels };
}

/** Whether an operator takes a value as what it multiplies with a stored weight. */
export function multiplies({ graph }: Carrying, operator: number, input: number): boolean {
  const { op, domain, inputs } = graph.operators[operator]!;
  if (domain !== '' || input !== 0) return false;
  const isWeighted = op === 'Conv' || op === 'ConvTranspose' || op === 'Gemm' || op === 'MatMul';
  return isWeighted && inputs[1]?.kind === 'tensor';
}

/** The weight of an operator that `multiplies` a value, by the channels of that; a reason where it takes no factors. */
export function takerOf(
  model: Carrying,
  operator: number,
  axis: ChannelAxis,
  channels: number,
): ScaledTensor | string {
  const { op, inputs } = model.graph.operators[operator]!;
  const node = model.graph.nodes[operator]!;
  const { tensor } = inputs[1] as { readonly tensor: number };
  const view = takenView(op, node, model.tensors[tensor]!.ref.shape, axis, channels);
  if (view === null || channelsOf(view) !== channels)
    return `${op} adds up other channels than it makes`;
  const why = whyShared(model, tensor);
  if (why !== null) return `${op} takes it, and ${why}`;
  return { tensor, view, isWeight: true };
}

function takenView(
  op: string,
  node: NodeRecord,
  shape: readonly number[],
  axis: ChannelAxis,
  channels: number,
): ChannelView | null {
  const rank = shape.length;
  if (op === 'Conv' || op === 'ConvTranspose') {
    if (axis.isFlat || !isAt(axis, 1, rank)) return null;
    if (op === 'ConvTranspose') return viewOfAxis(shape, 0);
    const groups = integerAttribute(node, 'group', 1);
    const [outputs, perGroup, ...kernel] = shape;
    const outer = outputs! / groups;
    return { groups, outer, channels: perGroup!, inner: product(kernel) };
  }
  if (rank !== 2 || !(axis.end === 1 || (op === 'Gemm' && axis.front === 1))) return null;
  const isRows = op === 'Gemm' && integerAttribute(node, 'transB', 0) !== 0;
  if (op === 'Gemm' && integerAttribute(node, 'transA', 0) !== 0) return null;
  const [summed, others] = isRows ? [shape[1]!, shape[0]!] : [shape[0]!, shape[1]!];
  const each = axis.isFlat ? summed / channels : 1;
  if (!Number.isInteger(each) || (!axis.isFlat && summed !== channels)) return null;
  return isRows
    ? { groups: 1, outer: others, channels, inner: each }
    : { groups: 1, outer: 1, channels, inner: each * others };
}

/** A constant that is added to the channels of a value; a reason where it has no number for each. */
export function addedTo(
  model: Carrying,
  tensor: number,
  axis: ChannelAxis,
  channels: number,
): ScaledTensor | string {
  const { shape } = model.tensors[tensor]!.ref;
  const at = axis.end === null || axis.isFlat ? -1 : shape.length - axis.end;
  if (shape[at] !== channels) return 'Add adds a number to all channels';
  const why = whyShared(model, tensor);
  if (why !== null) return `Add takes it, and ${why}`;
  return { tensor, view: viewOfAxis(shape, at), isWeight: false };
}

/** Why the values of a stored tensor cannot be changed for one operator; null where they can. */
function whyShared({ tensors }: Carrying, tensor: number): string | null {
  const { ref, stored } = tensors[tensor]!;
  if (ref.dtype !== 'float32' || ref.quantization !== null || stored.storage === 'sparse')
    return 'a weight or bias is not stored as float32';
  const [use] = stored.uses;
  const isOwn = stored.uses.length === 1 && use!.isDirect && !stored.isHandedOn;
  if (!isOwn || stored.hasDouble === true) return 'other operators take its weight or bias as well';
  if (ref.graph !== '') return 'its weight or bias is of a body';
  return inputNamed(stored.graph, stored.name) === undefined
    ? null
    : 'its weight or bias is an input of the model';
}

function shapeOf({ tensors }: Carrying, operand: Operand | undefined): readonly number[] | null {
  return operand?.kind === 'tensor' ? tensors[operand.tensor]!.ref.shape : null;
}

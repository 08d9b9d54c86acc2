import type { OnnxGraph } from '../read/graph.ts';
import { integerAttribute } from '../read/node-slots.ts';
import { broadcast, without, type ChannelAxis } from './channel-axis.ts';

/** Reads a small stored tensor of integers. */
export type ReadIntegers = (tensor: number) => readonly number[];

/** Elementwise operators whose result has a positive factor that its first input has. */
const HOMOGENEOUS: ReadonlySet<string> = new Set([
  'Abs',
  'Dropout',
  'Identity',
  'LeakyRelu',
  'Neg',
  'PRelu',
  'Relu',
]);

/** The same of windows, whose channels are axis 1. */
const POOLS: ReadonlySet<string> = new Set([
  'AveragePool',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'MaxPool',
]);

const REDUCTIONS: ReadonlySet<string> = new Set([
  'ReduceMax',
  'ReduceMean',
  'ReduceMin',
  'ReduceSum',
]);

/** An operator that takes a value at an input. */
export interface Passing {
  readonly graph: OnnxGraph;
  readonly operator: number;
  readonly input: number;
  /** Of the value. */
  readonly channels: number;
  readonly readIntegers: ReadIntegers;
}

/**
 * Where the channels of an operator's first output are, if each is as many times larger as the same channel of the value
 * that it takes; null where it is not, or it cannot be told.
 */
export function passed(passing: Passing, axis: ChannelAxis): ChannelAxis | null {
  const { graph, operator, input } = passing;
  const { op, domain, inputs } = graph.operators[operator]!;
  if (domain !== '') return null;
  // What both sides have is multiplied twice; the walk refuses that.
  if (op === 'Mul') return broadcast(axis);
  if (input !== 0) return null;
  if (op === 'Div') return broadcast(axis);
  if (HOMOGENEOUS.has(op)) return axis;
  if (POOLS.has(op)) {
    if (axis.front !== 1 || axis.isFlat) return null;
    return { ...axis, isPoint: axis.isPoint || op.startsWith('Global') };
  }
  if (op === 'Flatten') return flattened(passing, axis);
  if (op === 'Transpose') return transposed(passing, axis);
  if (REDUCTIONS.has(op)) {
    const isKept = integerAttribute(graph.nodes[operator]!, 'keepdims', 1) !== 0;
    const axes = axesOf(passing);
    return axes === null ? null : without(axis, axes, isKept);
  }
  if (op === 'Squeeze') {
    const axes = axesOf(passing);
    return axes === null ? null : without(axis, axes, false);
  }
  if (op === 'Reshape' && inputs[1]?.kind === 'tensor')
    return reshaped(passing, passing.readIntegers(inputs[1].tensor), axis);
  return null;
}

/** The axes that an attribute or input 1 names; null where the model computes them, or none is named. */
function axesOf({ graph, operator, readIntegers }: Passing): readonly number[] | null {
  const { inputs } = graph.operators[operator]!;
  const named = graph.nodes[operator]!.attributes.find(({ name }) => name === 'axes')?.integers;
  if (named !== undefined) return named;
  return inputs[1]?.kind === 'tensor' ? readIntegers(inputs[1].tensor) : null;
}

function flattened({ graph, operator }: Passing, axis: ChannelAxis): ChannelAxis | null {
  const from = integerAttribute(graph.nodes[operator]!, 'axis', 1);
  return from === 1 && axis.front === 1 && !axis.isFlat ? flat(axis) : null;
}

/** Axis 1 of two. */
function flat({ isPoint }: ChannelAxis): ChannelAxis {
  return { front: 1, end: 1, isPoint: true, isFlat: !isPoint };
}

function transposed({ graph, operator }: Passing, axis: ChannelAxis): ChannelAxis | null {
  const order =
    graph.nodes[operator]!.attributes.find(({ name }) => name === 'perm')?.integers ?? [];
  const from = axis.front ?? (axis.end === null ? -1 : order.length - axis.end);
  const front = order.indexOf(from);
  if (front < 0 || axis.isFlat) return null;
  const end = order.length - front;
  return { front, end, isPoint: end === 1, isFlat: false };
}

/** The last axis stays where the shape names as many elements; two axes may be what Flatten makes. */
function reshaped(
  { graph, operator, channels }: Passing,
  shape: readonly number[],
  axis: ChannelAxis,
): ChannelAxis | null {
  const zeroIsSize = integerAttribute(graph.nodes[operator]!, 'allowzero', 0) !== 0;
  const last = shape.at(-1);
  if (last === undefined || axis.isFlat || (zeroIsSize && shape.includes(0))) return null;
  const isWhole = axis.isPoint ? last === -1 || last === channels : shape[0] === 0 && last !== 0;
  if (axis.front === 1 && axis.end !== 1) return shape.length === 2 && isWhole ? flat(axis) : null;
  if (axis.end !== 1 || last !== channels) return null;
  return { front: shape.length - 1, end: 1, isPoint: true, isFlat: false };
}

import type { Patches, WeightInput } from '../../format.ts';
import type { LitertGraph } from '../read/graph.ts';
import { numberOf } from '../read/nodes.ts';
import type { LitertIndex, OperatorRecord } from '../read/records.ts';
import type { LitertTensor } from '../read/tensors.ts';
import { storedBehind } from './stored-behind.ts';

/** Padding in the schema: VALID is the other. */
const SAME = 0;

/**
 * What stored weights of the first graph are multiplied with, by tensor: those of FULLY_CONNECTED, CONV_2D and
 * DEPTHWISE_CONV_2D; weights that a DEQUANTIZE restores from float16 among them. Of several operators that take a tensor
 * the first counts. Values are observed by their names: one that has another's is none of them.
 */
export function weightInputs(
  graph: LitertGraph,
  { graphs: [main] }: LitertIndex,
  tensors: readonly LitertTensor[],
): ReadonlyMap<number, WeightInput> {
  const found = new Map<number, WeightInput>();
  const firstOf = new Map<string, number>();
  for (const [at, { name }] of main!.tensors.entries())
    if (!firstOf.has(name)) firstOf.set(name, at);
  for (const { id, domain, graph: path, inputs } of graph.operators) {
    const [input, weight] = inputs;
    if (domain !== '' || path !== '' || input?.kind !== 'value') continue;
    const tensor =
      weight?.kind === 'value' ? storedBehind(graph, tensors, weight.value) : weight?.tensor;
    const taken = main!.tensors[graph.tensorOf[input.value]!]!;
    if (typeof tensor !== 'number' || found.has(tensor)) continue;
    if (firstOf.get(taken.name) !== graph.tensorOf[input.value]) continue;
    const how = matrixOf(main!.operators[id]!, tensors[tensor]!.ref.shape, taken.shape);
    if (how !== null) found.set(tensor, { tensor, value: taken.name, ...how });
  }
  return found;
}

type Matrix = Omit<WeightInput, 'tensor' | 'value'>;
type Options = NonNullable<OperatorRecord['options']>;

function matrixOf(
  { op, options }: OperatorRecord,
  shape: readonly number[],
  input: readonly number[],
): Matrix | null {
  if (op === 'FULLY_CONNECTED') {
    const [rows, columns] = shape;
    if (shape.length !== 2 || rows === undefined || columns === undefined) return null;
    return { rows, columns, groups: 1, isColumns: false, patches: null };
  }
  const channels = input[3];
  if (shape.length !== 4 || input.length !== 4 || channels === undefined) return null;
  if (op === 'CONV_2D' && options?.table === 'Conv2DOptions')
    return convMatrix(shape, channels, options);
  if (op === 'DEPTHWISE_CONV_2D' && options?.table === 'DepthwiseConv2DOptions')
    return depthwiseMatrix(shape, channels, options);
  return null;
}

/** Filters [outputs, height, width, channels]; those of a group see a part of the input's channels. */
function convMatrix(
  [rows, height, width, own]: readonly number[],
  channels: number,
  options: Options,
): Matrix | null {
  const groups = channels / own!;
  if (!Number.isInteger(groups) || groups < 1 || rows! % groups !== 0) return null;
  const columns = height! * width! * own!;
  const patches = patchesOf([height!, width!], options);
  return { rows: rows!, columns, groups, isColumns: false, patches };
}

/** Filters [1, height, width, outputs]: the same number of outputs for each channel. */
function depthwiseMatrix(
  [one, height, width, rows]: readonly number[],
  channels: number,
  options: Options,
): Matrix | null {
  if (one !== 1 || channels < 1 || rows! % channels !== 0) return null;
  const patches = patchesOf([height!, width!], options);
  return { rows: rows!, columns: height! * width!, groups: channels, isColumns: true, patches };
}

function patchesOf(kernel: readonly number[], options: Options): Patches {
  return {
    ...{ kernel, isChannelsLast: true },
    strides: [numberOf(options, 'stride_h'), numberOf(options, 'stride_w')],
    dilations: [numberOf(options, 'dilation_h_factor'), numberOf(options, 'dilation_w_factor')],
    pads: [0, 0, 0, 0],
    autoPad: numberOf(options, 'padding') === SAME ? 'SAME_UPPER' : 'VALID',
  };
}

import type { Patches, WeightInput } from '../../format.ts';
import type { LitertGraph } from '../read/graph.ts';
import { numberOf } from '../read/nodes.ts';
import type { LitertIndex, OperatorRecord } from '../read/records.ts';
import type { LitertTensor } from '../read/tensors.ts';
import { storedBehind } from './stored-behind.ts';

/** Padding in the schema: VALID is the other. */
const SAME = 0;

/**
 * What stored weights of the first graph are multiplied with, by tensor: those of FULLY_CONNECTED, and of CONV_2D of one
 * group; weights that a DEQUANTIZE restores from float16 among them. Of several operators that take a tensor the first
 * counts. Values are observed by their names: one that has another's is none of them.
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
    if (how !== null) found.set(tensor, { tensor, value: taken.name, isColumns: false, ...how });
  }
  return found;
}

function matrixOf(
  { op, options }: OperatorRecord,
  shape: readonly number[],
  input: readonly number[],
): Pick<WeightInput, 'rows' | 'columns' | 'patches'> | null {
  const [rows, ...summed] = shape;
  if (rows === undefined) return null;
  const columns = summed.reduce((product, size) => product * size, 1);
  if (op === 'FULLY_CONNECTED')
    return summed.length === 1 ? { rows, columns, patches: null } : null;
  if (op !== 'CONV_2D' || options?.table !== 'Conv2DOptions' || shape.length !== 4) return null;
  // Filters of a group see a part of the channels.
  if (input.length !== 4 || input[3] !== shape[3]) return null;
  const patches: Patches = {
    ...{ kernel: [shape[1]!, shape[2]!], isChannelsLast: true },
    strides: [numberOf(options, 'stride_h'), numberOf(options, 'stride_w')],
    dilations: [numberOf(options, 'dilation_h_factor'), numberOf(options, 'dilation_w_factor')],
    pads: [0, 0, 0, 0],
    autoPad: numberOf(options, 'padding') === SAME ? 'SAME_UPPER' : 'VALID',
  };
  return { rows, columns, patches };
}

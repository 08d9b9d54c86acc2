import type { OnnxGraph } from '../read/graph.ts';
import { integerAttribute } from '../read/node-slots.ts';
import type { NodeRecord } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { valueKey } from '../../../../../shared/graph.ts';
import type { Observable, Patches, WeightInput } from '../../format.ts';

/**
 * What stored weights are multiplied with, by tensor: those of MatMul, of Gemm whose A is as it is, and of Conv, in the
 * main graph and in bodies that are observed. Of several operators that take a tensor the first counts.
 */
export function weightInputs(
  { operators, values, nodes }: OnnxGraph,
  tensors: readonly OnnxTensor[],
  { inBodies }: Observable,
): ReadonlyMap<number, WeightInput> {
  const found = new Map<number, WeightInput>();
  const observed = new Set(inBodies.map(({ name }) => name));
  for (const { id, domain, inputs } of operators) {
    const [input, weight] = inputs;
    if (domain !== '' || input?.kind !== 'value' || weight?.kind !== 'tensor') continue;
    const { tensor } = weight;
    const taken = values[input.value]!;
    const value = valueKey(taken);
    if (found.has(tensor) || (taken.graph !== '' && !observed.has(value))) continue;
    const how = matrixOf(nodes[id]!, tensors[tensor]!.ref.shape);
    if (how !== null) found.set(tensor, { tensor, value, ...how });
  }
  return found;
}

function matrixOf(
  node: NodeRecord,
  shape: readonly number[],
): Omit<WeightInput, 'tensor' | 'value'> | null {
  const [first, second, ...kernel] = shape;
  if (first === undefined || second === undefined) return null;
  if (node.opType === 'Conv') {
    const groups = integerAttribute(node, 'group', 1);
    if (kernel.length === 0 || groups < 1 || first % groups !== 0) return null;
    const columns = kernel.reduce((product, size) => product * size, second);
    return { rows: first, columns, groups, isColumns: false, patches: patchesOf(node, kernel) };
  }
  if (shape.length !== 2) return null;
  const isGemm = node.opType === 'Gemm' && integerAttribute(node, 'transA', 0) === 0;
  if (node.opType !== 'MatMul' && !isGemm) return null;
  const isColumns = !isGemm || integerAttribute(node, 'transB', 0) === 0;
  const [columns, rows] = isColumns ? [first, second] : [second, first];
  return { rows, columns, groups: 1, isColumns, patches: null };
}

function patchesOf(node: NodeRecord, kernel: readonly number[]): Patches {
  const named = (name: string) => node.attributes.find((attribute) => attribute.name === name);
  const list = (name: string, missing: number, length = kernel.length): readonly number[] => {
    const given = named(name)?.integers ?? [];
    return Array.from({ length }, (_, at) => given[at] ?? missing);
  };
  return {
    kernel,
    strides: list('strides', 1),
    dilations: list('dilations', 1),
    pads: list('pads', 0, 2 * kernel.length),
    autoPad: named('auto_pad')?.text ?? 'NOTSET',
  };
}

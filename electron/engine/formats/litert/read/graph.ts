import type {
  ModelGraph,
  Operand,
  OperatorRef,
  ValueConsumer,
  ValueRef,
} from '../../../../../shared/graph.ts';
import type { GraphRecord, LitertIndex, TensorRecord } from './records.ts';
import { dtypeOfType } from './tensor-types.ts';
import type { LitertTensor } from './tensors.ts';

/** A graph that tells where its values are in the file. */
export interface LitertGraph extends ModelGraph {
  /** By value: the index of its tensor in its subgraph. */
  readonly tensorOf: readonly number[];
}

/** The operators of every subgraph, in the order of execution, which is that of the file; and the values between them. */
export function buildGraph(index: LitertIndex, tensors: readonly LitertTensor[]): LitertGraph {
  const stored = new Map<GraphRecord, Map<number, number>>();
  for (const tensor of tensors)
    for (const place of tensor.stored) {
      const known = stored.get(place.graph) ?? new Map<number, number>();
      stored.set(place.graph, known.set(place.index, tensor.ref.id));
    }
  const graph: Made = { values: [], operators: [], tensorOf: [] };
  for (const record of index.graphs) addGraph(record, stored.get(record) ?? new Map(), graph);
  return graph;
}

interface Made {
  readonly values: (ValueRef & { readonly consumers: ValueConsumer[] })[];
  readonly operators: OperatorRef[];
  readonly tensorOf: number[];
}

function addGraph(
  record: GraphRecord,
  stored: ReadonlyMap<number, number>,
  { values, operators, tensorOf }: Made,
): void {
  const [inputs, outputs] = [new Set(record.inputs), new Set(record.outputs)];
  const made = new Set(record.operators.flatMap((operator) => operator.outputs));
  const numbers = new Map<number, number>();
  const valueOf = (tensor: number, producer: number | null): number => {
    const known = numbers.get(tensor);
    if (known !== undefined) return known;
    const id = values.length;
    const name = record.tensors[tensor]!.name;
    const isOutput = outputs.has(tensor);
    values.push({
      ...{ id, name, graph: record.path, producer, consumers: [], isOutput },
      ...(holdsCodes(record.tensors[tensor]!) ? { isCodes: true } : {}),
      ...(inputs.has(tensor) || made.has(tensor) ? {} : { isState: true }),
    });
    tensorOf.push(tensor);
    numbers.set(tensor, id);
    return id;
  };
  for (const input of record.inputs) if (input >= 0) valueOf(input, null);
  for (const { op, isCustom, inputs: taken, outputs: given } of record.operators) {
    const id = operators.length;
    const operand = (tensor: number, input: number): Operand => {
      if (tensor < 0) return null;
      const found = stored.get(tensor);
      if (found !== undefined) return { kind: 'tensor', tensor: found };
      const value = valueOf(tensor, null);
      values[value]!.consumers.push({ operator: id, input, isInner: false });
      return { kind: 'value', value };
    };
    operators.push({
      id,
      // A first output may be absent, which is -1.
      name: record.tensors[given[0] ?? -1]?.name ?? op,
      op,
      domain: isCustom ? 'custom' : '',
      graph: record.path,
      inputs: taken.map(operand),
      outputs: given.map((tensor) => (tensor < 0 ? null : valueOf(tensor, id))),
    });
  }
}

/** Whether a tensor holds codes of one scale. */
export function holdsCodes({ type, scale }: Pick<TensorRecord, 'type' | 'scale'>): boolean {
  const dtype = dtypeOfType(type);
  return (dtype === 'int8' || dtype === 'uint8' || dtype === 'int16') && scale.length === 1;
}

import type {
  ModelGraph,
  Operand,
  OperatorRef,
  ValueConsumer,
  ValueRef,
} from '../../../../../shared/graph.ts';
import { isOutput } from './graph-values.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from './records.ts';
import type { OnnxTensor } from './stored.ts';

/** A model's graph, and the records that it was made from. */
export interface OnnxGraph extends ModelGraph {
  /** By the operators' numbers. */
  readonly nodes: readonly NodeRecord[];
  /** By the operators' numbers: the graph that a node is in. */
  readonly graphs: readonly GraphRecord[];
  /** By the values' numbers: the graph that a value is in. */
  readonly homes: readonly GraphRecord[];
  /** Of each subgraph: the operator that runs it. */
  readonly runners: ReadonlyMap<GraphRecord, number>;
}

/**
 * The operators and values of the main graph and its subgraphs. Constants are tensors and no operators.
 * A call of a function is one operator: what its body computes has no values of its own in the model.
 */
export function buildGraph(index: OnnxIndex, tensors: readonly OnnxTensor[]): OnnxGraph {
  const builder = new Builder(tensors);
  builder.walk(index.graph, null);
  return builder;
}

/** What names stand for in one graph. */
interface Names {
  readonly graph: GraphRecord;
  readonly known: Map<string, Exclude<Operand, null>>;
  readonly parent: Names | null;
}

type Growing<T, K extends keyof T> = Omit<T, K> & { -readonly [P in K]: T[P] };

class Builder implements OnnxGraph {
  readonly values: (ValueRef & { readonly consumers: ValueConsumer[] })[] = [];
  readonly operators: OperatorRef[] = [];
  readonly nodes: NodeRecord[] = [];
  readonly graphs: GraphRecord[] = [];
  readonly homes: GraphRecord[] = [];
  readonly runners = new Map<GraphRecord, number>();
  private readonly tensors = new Map<GraphRecord, Map<string, number>>();

  constructor(tensors: readonly OnnxTensor[]) {
    for (const { ref, stored } of tensors) {
      const names = this.tensors.get(stored.graph) ?? new Map<string, number>();
      // Of two of one name the first that nodes were found to take counts (Scope.declare).
      if (!names.has(stored.name) || stored.uses.length > 0) names.set(stored.name, ref.id);
      this.tensors.set(stored.graph, names);
    }
  }

  walk(graph: GraphRecord, parent: Names | null): void {
    const names: Names = { graph, known: new Map(), parent };
    for (const { name } of graph.inputs) names.known.set(name, this.value(name, graph, null));
    for (const [name, tensor] of this.tensors.get(graph) ?? [])
      names.known.set(name, { kind: 'tensor', tensor });
    for (const node of graph.nodes)
      if (node.opType !== 'Constant' || node.domain !== '') this.add(node, names);
  }

  private add(node: NodeRecord, names: Names): void {
    const id = this.operators.length;
    const operator: Growing<OperatorRef, 'outputs'> = {
      id,
      name: node.name !== '' ? node.name : (node.outputs[0] ?? node.opType),
      op: node.opType,
      domain: node.domain,
      graph: names.graph.path,
      inputs: node.inputs.map((name, input) => this.operand(name, { operator: id, input }, names)),
      outputs: [],
    };
    this.operators.push(operator);
    this.nodes.push(node);
    this.graphs.push(names.graph);
    operator.outputs = node.outputs.map((name) => {
      if (name === '') return null;
      const made = this.value(name, names.graph, id);
      names.known.set(name, made);
      return made.value;
    });
    for (const attribute of node.attributes)
      for (const subgraph of attribute.graphs) {
        this.runners.set(subgraph, id);
        this.walk(subgraph, names);
      }
  }

  private operand(name: string, consumer: Omit<ValueConsumer, 'isInner'>, names: Names): Operand {
    for (let scope: Names | null = names; name !== '' && scope !== null; scope = scope.parent) {
      const found = scope.known.get(name);
      if (found === undefined) continue;
      if (found.kind === 'value')
        this.values[found.value]!.consumers.push({ ...consumer, isInner: scope !== names });
      return found;
    }
    return null;
  }

  private value(
    name: string,
    graph: GraphRecord,
    producer: number | null,
  ): { readonly kind: 'value'; readonly value: number } {
    const value = this.values.length;
    this.homes.push(graph);
    this.values.push({
      id: value,
      name,
      graph: graph.path,
      producer,
      consumers: [],
      isOutput: isOutput(graph, name),
    });
    return { kind: 'value', value };
  }
}

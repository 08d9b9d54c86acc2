import {
  makeString,
  makeTable,
  makeTables,
  makeIndices,
  vectorOf,
  withFields,
  type Changes,
  type TableNode,
  type VectorNode,
} from '../read/nodes.ts';
import type { GraphRecord } from '../read/records.ts';
import { consumersOf } from '../read/tensors.ts';

/** Changes to one subgraph: tensors changed and added, operators changed, added and taken away. */
export class GraphEdit {
  readonly graph: GraphRecord;
  private readonly tensors: TableNode[];
  private readonly inputs = new Map<number, number[]>();
  private readonly outputs = new Map<number, number[]>();
  private readonly options = new Map<number, Changes>();
  private readonly before = new Map<number, TableNode[]>();
  private readonly after = new Map<number, TableNode[]>();
  private readonly dropped = new Set<number>();
  private readonly newOutputs: number[] = [];
  /** The last change to each node: thousands of references to one tensor that change alike stay one node. */
  private readonly changed = new Map<
    TableNode,
    { readonly changes: Changes; readonly to: TableNode }
  >();

  /** The last copy of each node, for the same reason. */
  private readonly copied = new Map<
    TableNode,
    { readonly suffix: string; readonly changes: Changes; readonly to: TableNode }
  >();
  /** Names of new tensors, by suffix and the name that it follows. */
  private readonly names = new Map<string, Map<VectorNode, VectorNode>>();

  constructor(graph: GraphRecord) {
    this.graph = graph;
    this.tensors = graph.tensors.map(({ node }) => node);
  }

  changeTensor(index: number, changes: Changes): void {
    const node = this.tensors[index]!;
    const last = this.changed.get(node);
    const to =
      last !== undefined && isAlike(last.changes, changes) ? last.to : withFields(node, changes);
    this.changed.set(node, { changes, to });
    this.tensors[index] = to;
  }

  /** A new tensor like another one of the graph, with a longer name; its index. */
  addTensor(like: number, suffix: string, changes: Changes): number {
    const node = this.tensors[like]!;
    const last = this.copied.get(node);
    const isSame = last?.suffix === suffix && isAlike(last.changes, changes);
    const name = this.longerName(vectorOf(node, 'name'), suffix);
    const to = isSame ? last.to : withFields(node, { name, ...changes });
    this.copied.set(node, { suffix, changes, to });
    return this.tensors.push(to) - 1;
  }

  /**
   * A name and a suffix, made once for each name. The name's bytes are copied, not read: thousands of very long names
   * may share the bytes of a small file.
   */
  private longerName(name: VectorNode | null, suffix: string): VectorNode {
    const added = makeString(suffix);
    if (name === null) return added;
    const names = this.names.get(suffix) ?? new Map<VectorNode, VectorNode>();
    this.names.set(suffix, names);
    const made = names.get(name) ?? {
      ...name,
      count: name.count + added.count,
      pieces: [...name.pieces, ...added.pieces],
    };
    names.set(name, made);
    return made;
  }

  setInput(operator: number, input: number, tensor: number): void {
    const inputs = this.inputs.get(operator) ?? [...this.graph.operators[operator]!.inputs];
    inputs[input] = tensor;
    this.inputs.set(operator, inputs);
  }

  /** Every operator takes another tensor in a tensor's place. */
  redirect(from: number, to: number): void {
    for (const { at, input } of consumersOf(this.graph).get(from) ?? [])
      this.setInput(at, input, to);
  }

  setOutput(operator: number, output: number, tensor: number): void {
    const outputs = this.outputs.get(operator) ?? [...this.graph.operators[operator]!.outputs];
    outputs[output] = tensor;
    this.outputs.set(operator, outputs);
  }

  changeOperator(operator: number, changes: Changes): void {
    this.options.set(operator, { ...this.options.get(operator), ...changes });
  }

  /** An operator of one input and one output before another, or after it. */
  add(side: 'before' | 'after', operator: number, from: number, to: number, fields: Changes): void {
    const node = makeTable('Operator', {
      inputs: makeIndices([from]),
      outputs: makeIndices([to]),
      ...fields,
    });
    const list = this[side].get(operator) ?? [];
    list.push(node);
    this[side].set(operator, list);
  }

  /** The graph gives another tensor, behind its outputs. */
  addOutput(tensor: number): void {
    this.newOutputs.push(tensor);
  }

  drop(operator: number): void {
    this.dropped.add(operator);
  }

  /** The operators in their new order, each with the index that it had; null for new ones. */
  private ordered(): { readonly node: TableNode; readonly was: number | null }[] {
    // The last change to each node: thousands of references to one operator that change alike stay one node.
    const last = new Map<TableNode, ChangedOperator>();
    return this.graph.operators.flatMap(({ node }, index) => {
      const changed = this.changedOperator(index, last.get(node));
      last.set(node, changed);
      const added = (list: TableNode[] | undefined): { node: TableNode; was: null }[] =>
        (list ?? []).map((each) => ({ node: each, was: null }));
      return [
        ...added(this.before.get(index)),
        ...(this.dropped.has(index) ? [] : [{ node: changed.to, was: index }]),
        ...added(this.after.get(index)),
      ];
    });
  }

  private changedOperator(index: number, last: ChangedOperator | undefined): ChangedOperator {
    const options = this.options.get(index) ?? {};
    const inputs = this.inputs.get(index);
    const outputs = this.outputs.get(index);
    if (
      last !== undefined &&
      isAlike(last.options, options) &&
      areSame(last.inputs, inputs) &&
      areSame(last.outputs, outputs)
    )
      return last;
    const to = withFields(this.graph.operators[index]!.node, {
      ...options,
      ...(inputs === undefined ? {} : { inputs: makeIndices(inputs) }),
      ...(outputs === undefined ? {} : { outputs: makeIndices(outputs) }),
    });
    return { options, inputs, outputs, to };
  }

  /** The changed subgraph, and where each old operator is now; null where it is gone. */
  finish(): { readonly node: TableNode; readonly moved: readonly (number | null)[] } {
    const ordered = this.ordered();
    const moved = new Array<number | null>(this.graph.operators.length).fill(null);
    for (const [at, { was }] of ordered.entries()) if (was !== null) moved[was] = at;
    const node = withFields(this.graph.node, {
      tensors: makeTables(this.tensors),
      operators: makeTables(ordered.map((each) => each.node)),
      ...(this.newOutputs.length === 0
        ? {}
        : { outputs: makeIndices([...this.graph.outputs, ...this.newOutputs]) }),
    });
    return { node, moved };
  }
}

/** What an operator's node was changed to, and by what. */
interface ChangedOperator {
  readonly options: Changes;
  readonly inputs: readonly number[] | undefined;
  readonly outputs: readonly number[] | undefined;
  readonly to: TableNode;
}

function areSame(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((value, at) => value === b[at]);
}

function isAlike(a: Changes, b: Changes): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
  );
}

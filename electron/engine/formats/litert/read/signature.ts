import { numberOf, tablesOf, vectorOf, type TableNode } from './nodes.ts';
import type { PagedBytes } from './paged-bytes.ts';
import type { GraphRecord, LitertIndex } from './records.ts';
import { textOf } from './values.ts';

/** An input or output as callers name it, with its tensor in the graph. */
export interface NamedTensor {
  readonly name: string;
  readonly tensor: number;
}

/** What callers run of a model: a graph, and the names of its inputs and outputs. */
export interface Signature {
  readonly graph: GraphRecord;
  readonly inputs: readonly NamedTensor[];
  readonly outputs: readonly NamedTensor[];
}

/** Names of inputs or outputs, a number behind those that came before: LiteRT allows equal names of tensors. */
export function distinct(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.map((name, index) => {
    const own = seen.has(name) ? `${name}#${index}` : name;
    seen.add(own);
    return own;
  });
}

/** The first signature of a model; where it has none, its first graph under the names of its tensors. */
export function firstSignature(index: LitertIndex, source: PagedBytes): Signature {
  const [signature] = tablesOf(index.root, 'signature_defs');
  if (signature === undefined) {
    const graph = index.graphs[0]!;
    const named = (tensors: readonly number[]): NamedTensor[] => {
      const present = tensors.filter((tensor) => tensor >= 0);
      const names = distinct(present.map((tensor) => graph.tensors[tensor]!.name));
      return present.map((tensor, at) => ({ name: names[at]!, tensor }));
    };
    return { graph, inputs: named(graph.inputs), outputs: named(graph.outputs) };
  }
  const mapped = (maps: readonly TableNode[]): NamedTensor[] =>
    maps.map((map) => ({
      name: textOf(source, vectorOf(map, 'name')),
      tensor: numberOf(map, 'tensor_index'),
    }));
  return {
    graph: index.graphs[numberOf(signature, 'subgraph_index')]!,
    inputs: mapped(tablesOf(signature, 'inputs')),
    outputs: mapped(tablesOf(signature, 'outputs')),
  };
}

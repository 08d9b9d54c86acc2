import type { GraphRecord, OnnxIndex } from '../../formats/onnx/records.ts';

/** Makes names that no value or node anywhere in the model has, so that nothing is shadowed. */
export class FreshNames {
  private readonly taken = new Set<string>();
  /** The next count to try for a base, as thousands of functions may use one name. */
  private readonly counts = new Map<string, number>();

  constructor(index: OnnxIndex) {
    for (const graph of [index.graph, ...index.functions]) this.take(graph);
  }

  /** `base`, or `base_1`, `base_2` ... when it is taken. */
  make(base: string): string {
    let name = base;
    let count = this.counts.get(base) ?? 1;
    for (; this.taken.has(name); count++) name = `${base}_${count}`;
    if (name !== base) this.counts.set(base, count);
    this.taken.add(name);
    return name;
  }

  private take(graph: GraphRecord): void {
    for (const tensor of graph.initializers) this.taken.add(tensor.name);
    for (const sparse of graph.sparseInitializers) this.taken.add(sparse.values.name);
    for (const value of [...graph.inputs, ...graph.outputs]) this.taken.add(value.name);
    for (const node of graph.nodes) {
      this.taken.add(node.name);
      for (const name of [...node.inputs, ...node.outputs]) this.taken.add(name);
      for (const attribute of node.attributes)
        for (const subgraph of attribute.graphs) this.take(subgraph);
    }
  }
}

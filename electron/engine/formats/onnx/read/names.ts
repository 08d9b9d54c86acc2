import type { GraphRecord, OnnxIndex } from './records.ts';

/** Makes names that no value or node anywhere in the model has, so that nothing is shadowed. */
export class FreshNames {
  private readonly inFile: ReadonlySet<string>;
  private readonly made = new Set<string>();
  /** The next count to try for a base, as thousands of functions may use one name. */
  private readonly counts = new Map<string, number>();

  constructor(index: OnnxIndex) {
    this.inFile = namesIn(index);
  }

  /** `base`, or `base_1`, `base_2` ... when it is taken. */
  make(base: string): string {
    let name = base;
    let count = this.counts.get(base) ?? 1;
    for (; this.isTaken(name); count++) name = `${base}_${count}`;
    if (name !== base) this.counts.set(base, count);
    this.made.add(name);
    return name;
  }

  private isTaken(name: string): boolean {
    return this.inFile.has(name) || this.made.has(name);
  }
}

/** The names of a model: the window lays out the same one at each changed setting. */
const namesByIndex = new WeakMap<OnnxIndex, ReadonlySet<string>>();

function namesIn(index: OnnxIndex): ReadonlySet<string> {
  const known = namesByIndex.get(index);
  if (known !== undefined) return known;
  const names = new Set<string>();
  for (const graph of [index.graph, ...index.functions]) addNames(graph, names);
  namesByIndex.set(index, names);
  return names;
}

function addNames(graph: GraphRecord, names: Set<string>): void {
  for (const tensor of graph.initializers) names.add(tensor.name);
  for (const sparse of graph.sparseInitializers) names.add(sparse.values.name);
  for (const value of graph.inputs) names.add(value.name);
  for (const value of graph.outputs) names.add(value.name);
  for (const node of graph.nodes) {
    names.add(node.name);
    for (const name of node.inputs) names.add(name);
    for (const name of node.outputs) names.add(name);
    for (const attribute of node.attributes)
      for (const subgraph of attribute.graphs) addNames(subgraph, names);
  }
}

import type { GraphRecord, TypedValueRecord } from './records.ts';

/** Values by name. Each of thousands of weights asks for its own, so that a search per weight would be quadratic. */
type Values = ReadonlyMap<string, TypedValueRecord>;

const inputsOf = new WeakMap<GraphRecord, Values>();
const outputsOf = new WeakMap<GraphRecord, Values>();

/** The input of a graph that has a name; undefined where none has. */
export function inputNamed(graph: GraphRecord, name: string): TypedValueRecord | undefined {
  return byName(inputsOf, graph, graph.inputs).get(name);
}

/** Whether a name is one of a graph's outputs. */
export function isOutput(graph: GraphRecord, name: string): boolean {
  return byName(outputsOf, graph, graph.outputs).has(name);
}

function byName(
  known: WeakMap<GraphRecord, Values>,
  graph: GraphRecord,
  values: readonly TypedValueRecord[],
): Values {
  const found = known.get(graph);
  if (found !== undefined) return found;
  const made = new Map(values.map((value) => [value.name, value]));
  known.set(graph, made);
  return made;
}

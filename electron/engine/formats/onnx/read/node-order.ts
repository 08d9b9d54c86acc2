import { AppError } from '../../../../../shared/errors.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from './records.ts';

/** Nodes that a node needs, in the order of its inputs. */
type Needs = (node: NodeRecord) => readonly NodeRecord[];

/**
 * Sort the nodes of a graph topologically, as onnxruntime does when it loads one. A sorted graph
 * keeps its order; otherwise a node moves only where a node before it needs it. Linear in the size
 * of the graph.
 * @param given names that the graph has without any of its nodes: its inputs and initializers
 * @throws AppError when nodes need each other in a cycle, which no runtime can execute.
 */
export function orderNodes(
  file: string,
  nodes: readonly NodeRecord[],
  given: readonly string[],
): readonly NodeRecord[] {
  const needs = needsOf(nodes, new Set(given));
  if (needs === null) return nodes;
  const ordered: NodeRecord[] = [];
  const done = new Set<NodeRecord>();
  for (const start of nodes) {
    const cycle = visit(start, needs, done, ordered);
    if (cycle !== null) throw cycleError(file, cycle);
  }
  return ordered;
}

/** Nodes that an error names at most. */
const MAX_NAMED = 5;

function cycleError(file: string, cycle: readonly NodeRecord[]): AppError {
  const label = ({ name, opType, outputs }: NodeRecord): string =>
    name !== '' ? name : `${opType} that makes ${outputs[0] ?? 'nothing'}`;
  const named = cycle.slice(0, MAX_NAMED).map(label);
  const rest = cycle.length > MAX_NAMED ? [`${cycle.length - MAX_NAMED} more`] : [];
  return new AppError('MALFORMED', 'nodes need each other in a cycle', {
    file,
    field: label(cycle[0]!),
    offset: cycle[0]!.frame.start,
    found: [...named, ...rest, label(cycle[0]!)].join(' needs '),
    expected: 'a graph without cycles',
  });
}

/** The position of each node in the order of execution: a subgraph's nodes after the node that holds it. */
export function executionOrder({ graph, functions }: OnnxIndex): ReadonlyMap<NodeRecord, number> {
  const positions = new Map<NodeRecord, number>();
  const visitGraph = ({ nodes }: GraphRecord): void => {
    for (const node of nodes) {
      positions.set(node, positions.size);
      for (const attribute of node.attributes) attribute.graphs.forEach(visitGraph);
    }
  };
  [graph, ...functions].forEach(visitGraph);
  return positions;
}

/** Append a node after all that it needs. An explicit stack: a chain may be as long as the file allows. */
function visit(
  start: NodeRecord,
  needs: Needs,
  done: Set<NodeRecord>,
  ordered: NodeRecord[],
): readonly NodeRecord[] | null {
  if (done.has(start)) return null;
  const open = new Set([start]);
  const stack = [{ node: start, needed: needs(start)[Symbol.iterator]() }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const next = top.needed.next();
    if (next.done === true) {
      ordered.push(top.node);
      done.add(top.node);
      open.delete(top.node);
      stack.pop();
    } else if (open.has(next.value)) {
      const path = stack.map(({ node }) => node);
      return path.slice(path.indexOf(next.value));
    } else if (!done.has(next.value)) {
      open.add(next.value);
      stack.push({ node: next.value, needed: needs(next.value)[Symbol.iterator]() });
    }
  }
  return null;
}

/** What each node needs; null when the nodes are sorted already. */
function needsOf(nodes: readonly NodeRecord[], given: ReadonlySet<string>): Needs | null {
  const makers = new Map<string, NodeRecord>();
  const takes = new Map<NodeRecord, readonly string[]>();
  const made = new Set<string>(given);
  for (const node of nodes)
    for (const name of node.outputs)
      if (name !== '' && !given.has(name) && !makers.has(name)) makers.set(name, node);
  let isSorted = true;
  for (const node of nodes) {
    const names = namesTaken(node);
    takes.set(node, names);
    isSorted &&= names.every((name) => made.has(name) || !makers.has(name));
    for (const name of node.outputs) made.add(name);
  }
  if (isSorted) return null;
  return (node) => takes.get(node)!.flatMap((name) => makers.get(name) ?? []);
}

/** The names that a node takes: its inputs, and what its subgraphs take from around them. */
function namesTaken(node: NodeRecord): readonly string[] {
  const graphs = node.attributes.flatMap((attribute) => attribute.graphs);
  if (graphs.length === 0) return node.inputs;
  return [...new Set([...node.inputs, ...graphs.flatMap(outerNames)])];
}

const known = new WeakMap<GraphRecord, readonly string[]>();

/** The names that a subgraph takes from the graphs around it. */
function outerNames(graph: GraphRecord): readonly string[] {
  const found = known.get(graph);
  if (found !== undefined) return found;
  const own = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.map(({ name }) => name),
    ...graph.sparseInitializers.map(({ values }) => values.name),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const taken = [...graph.nodes.flatMap(namesTaken), ...graph.outputs.map(({ name }) => name)];
  const names = [...new Set(taken)].filter((name) => !own.has(name));
  known.set(graph, names);
  return names;
}

import { AppError } from '../../../../../shared/errors.ts';
import { isKnownDomain } from './operators.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from './records.ts';

/** The path of a function's body: its domain, name and, where it has one, overload. */
export function functionPath(domain: string, name: string, overload: string): string {
  const key = `function ${domain === 'ai.onnx' ? '' : domain}:${name}`;
  return overload === '' ? key : `${key}:${overload}`;
}

/**
 * The path of the function that a node may call, or null for an operator of a domain that the runtime
 * has operators of its own in: onnxruntime 1.30 never calls a local function there, so that a
 * function of such a name is no more than a part of the file.
 */
export function calledPath({ domain, opType, overload }: NodeRecord): string | null {
  return isKnownDomain(domain) ? null : functionPath(domain, opType, overload);
}

/**
 * How many calls nest below each function.
 * @throws AppError when functions call each other in a circle, which no runtime can expand.
 */
export function checkFunctions(
  file: string,
  functions: readonly GraphRecord[],
): ReadonlyMap<GraphRecord, number> {
  const byKey = new Map(functions.map((body) => [body.path, body]));
  const heights = new Map<GraphRecord, number>();
  const open = new Set<GraphRecord>();
  // An explicit stack: a chain of functions as long as the file allows must not overflow ours.
  for (const start of functions) {
    const stack: { body: GraphRecord; calls: Iterator<GraphRecord>; height: number }[] = [];
    const enter = (body: GraphRecord): void => {
      open.add(body);
      stack.push({ body, calls: callsOf(body, byKey), height: 0 });
    };
    if (!heights.has(start)) enter(start);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const call = top.calls.next();
      if (call.done === true) {
        heights.set(top.body, top.height);
        open.delete(top.body);
        stack.pop();
        const caller = stack.at(-1);
        if (caller !== undefined) caller.height = Math.max(caller.height, top.height + 1);
      } else if (open.has(call.value)) throw circle(file, top.body, call.value);
      else if (heights.has(call.value))
        top.height = Math.max(top.height, heights.get(call.value)! + 1);
      else enter(call.value);
    }
  }
  return heights;
}

/** How many nodes of a model's graphs call functions that it defines. */
export function functionCalls({ graph, functions }: OnnxIndex): number {
  const byPath = new Map(functions.map((body) => [body.path, body]));
  return [...callsOf(graph, byPath)].length;
}

function circle(file: string, caller: GraphRecord, callee: GraphRecord): AppError {
  return new AppError('MALFORMED', 'functions call each other in a circle', {
    file,
    field: callee.path,
    found: `${caller.path} calls ${callee.path}`,
    expected: 'no cycle',
  });
}

function* callsOf(
  graph: GraphRecord,
  byKey: ReadonlyMap<string, GraphRecord>,
): Generator<GraphRecord> {
  for (const node of graph.nodes) {
    const path = calledPath(node);
    const callee = path === null ? undefined : byKey.get(path);
    if (callee !== undefined) yield callee;
    yield* callsInside(node, byKey);
  }
}

function* callsInside(
  node: NodeRecord,
  byKey: ReadonlyMap<string, GraphRecord>,
): Generator<GraphRecord> {
  for (const attribute of node.attributes)
    for (const subgraph of attribute.graphs) yield* callsOf(subgraph, byKey);
}

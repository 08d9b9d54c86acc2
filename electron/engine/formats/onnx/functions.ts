import { AppError } from '../../../../shared/errors.ts';
import type { GraphRecord, NodeRecord } from './records.ts';

/** @throws AppError when functions call each other in a circle, which no runtime can expand. */
export function checkFunctions(file: string, functions: readonly GraphRecord[]): void {
  const byKey = new Map(functions.map((body) => [body.path, body]));
  const state = new Map<GraphRecord, 'open' | 'done'>();
  // An explicit stack: a chain of functions as long as the file allows must not overflow ours.
  for (const start of functions) {
    const stack: { body: GraphRecord; calls: Iterator<GraphRecord> }[] = [];
    const enter = (body: GraphRecord): void => {
      state.set(body, 'open');
      stack.push({ body, calls: callsOf(body, byKey) });
    };
    if (!state.has(start)) enter(start);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const call = top.calls.next();
      if (call.done === true) {
        state.set(top.body, 'done');
        stack.pop();
      } else if (state.get(call.value) === 'open') {
        throw new AppError('MALFORMED', 'functions call each other in a circle', {
          file,
          field: call.value.path,
          found: `${top.body.path} calls ${call.value.path}`,
          expected: 'no cycle',
        });
      } else if (!state.has(call.value)) enter(call.value);
    }
  }
}

function* callsOf(
  graph: GraphRecord,
  byKey: ReadonlyMap<string, GraphRecord>,
): Generator<GraphRecord> {
  for (const node of graph.nodes) {
    const callee = byKey.get(`function ${node.domain}:${node.opType}`);
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

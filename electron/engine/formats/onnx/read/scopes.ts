import {
  decidingUses,
  parameter,
  withAttributes,
  type Attributes,
  type Calls,
  type Flow,
  type WalkBody,
} from './calls.ts';
import { isSensitive, passThrough, slotOf, type AxisMap } from './operators.ts';
import type { FunctionRecord, GraphRecord, NodeRecord } from './records.ts';
import type { Stored, Use } from './stored.ts';
import { codesAt } from './stored-codes.ts';

/** A value in scope: a stored tensor and how its axes now lie (null once they are lost). */
interface Bound {
  readonly stored: Stored;
  readonly axes: AxisMap | null;
}

/** A name that was put together from more stored tensors than this is followed no further. */
const MAX_BOUND = 16;

/** The values of a small constant integer tensor, or null. */
export type ReadIntegers = (stored: Stored) => readonly number[] | null;

/** Names visible in one graph; a subgraph also sees its parents'. */
export class Scope {
  private readonly names = new Map<string, readonly Bound[]>();
  private readonly parent: Scope | null;

  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  /**
   * Bind a stored tensor of the graph to its name. Of several onnxruntime takes the last one, in the
   * order of initializers, Constants and sparse initializers (graph.cc, Graph::Graph).
   */
  declare(stored: Stored): void {
    const [known] = this.names.get(stored.name) ?? [];
    const isFirst = known?.stored.storage === 'sparse' && stored.storage === 'constant';
    if (!isFirst) this.bind(stored.name, [{ stored, axes: stored.dims.map((_, axis) => axis) }]);
    if (known === undefined || known.stored.graph !== stored.graph) return;
    known.stored.hasDouble = true;
    stored.hasDouble = true;
  }

  bind(name: string, bound: readonly Bound[]): void {
    this.names.set(name, bound);
  }

  /** Add to what a name stands for in this graph: Concat puts several tensors together. */
  extend(name: string, bound: Bound): void {
    const known = this.names.get(name) ?? [];
    const isKnown = known.some((other) => other.stored === bound.stored);
    if (!isKnown && known.length < MAX_BOUND) this.names.set(name, [...known, bound]);
  }

  find(name: string): readonly Bound[] {
    return this.names.get(name) ?? this.parent?.find(name) ?? [];
  }

  /** The one stored tensor that a name is, if it is just that. */
  stored(name: string): Stored | undefined {
    const bound = this.find(name);
    return bound.length === 1 ? bound[0]!.stored : undefined;
  }
}

/** What following tensors through a graph needs to know. */
export interface Following {
  readonly readIntegers: ReadIntegers;
  readonly calls: Calls;
  /** In a function: what its calls give. */
  readonly attributes: Attributes;
}

/** Every stored tensor of a graph and its subgraphs, each with the inputs that it reaches. */
export function collectStored(
  graph: GraphRecord,
  parent: Scope | null,
  following: Following,
  into: Stored[],
): void {
  collectInto(graph, new Scope(parent), following, into);
}

function collectInto(graph: GraphRecord, scope: Scope, following: Following, into: Stored[]): void {
  const add = (stored: Stored): void => {
    into.push(stored);
    scope.declare(stored);
  };
  const shared = { graph, node: null, attribute: null };
  for (const tensor of graph.initializers)
    add({
      ...shared,
      name: tensor.name,
      storage: 'initializer',
      dims: tensor.dims,
      tensor,
      uses: [],
      isHandedOn: false,
    });
  for (const sparse of graph.sparseInitializers)
    add({
      ...shared,
      name: sparse.values.name,
      storage: 'sparse',
      dims: sparse.dims,
      sparse,
      tensor: sparse.values,
      uses: [],
      isHandedOn: false,
    });
  for (const node of graph.nodes) {
    if (node.opType === 'Constant' && node.domain === '') {
      const stored = storedConstant(node, graph);
      if (stored !== null) add(stored);
    } else {
      if (following.calls.callee(node) === null) recordUses(node, graph, scope, following);
      else recordCall(node, graph, scope, following);
      for (const attribute of node.attributes)
        for (const subgraph of attribute.graphs) collectStored(subgraph, scope, following, into);
    }
  }
}

function storedConstant(node: NodeRecord, graph: GraphRecord): Stored | null {
  const name = node.outputs[0];
  const attribute = node.attributes.find(
    (candidate) => candidate.name.startsWith('value') || candidate.name === 'sparse_value',
  );
  // A value that calls of a function give is theirs.
  if (name === undefined || attribute === undefined || attribute.reference !== '') return null;
  const shared = { name, graph, node, attribute, uses: [], isHandedOn: false };
  if (attribute.tensor !== null)
    return {
      ...shared,
      storage: 'constant',
      dims: attribute.tensor.dims,
      tensor: attribute.tensor,
    };
  if (attribute.sparse !== null)
    return {
      ...shared,
      storage: 'sparse',
      dims: attribute.sparse.dims,
      sparse: attribute.sparse,
      tensor: attribute.sparse.values,
    };
  const floats = attribute.floats.reduce((sum, span) => sum + (span.end - span.start) / 4, 0);
  const isList = attribute.name.endsWith('s');
  return {
    ...shared,
    storage: 'constant',
    dims: isList ? [floats > 0 ? floats : attribute.listLength] : [],
    tensor: null,
  };
}

function recordUses(
  record: NodeRecord,
  graph: GraphRecord,
  scope: Scope,
  { readIntegers, attributes }: Following,
): void {
  const node = withAttributes(record, attributes);
  const integersOf = (input: number): readonly number[] | null => {
    const stored = scope.stored(node.inputs[input] ?? '');
    return stored === undefined ? null : readIntegers(stored);
  };
  // Thousands of inputs times thousands of outputs take long; what MAX_BOUND leaves out is not tried.
  const boundOnce = new Set<Stored>();
  for (const [input, name] of node.inputs.entries()) {
    if (name === '') continue;
    for (const bound of scope.find(name)) {
      const rank = rankOf(bound);
      const handedOn = passThrough(node, input, rank, integersOf);
      if (handedOn !== null) {
        if (!boundOnce.has(bound.stored) && boundOnce.size < MAX_BOUND) {
          bindOutputs(node, scope, bound, handedOn);
          boundOnce.add(bound.stored);
        }
        if (name === bound.stored.name && !isQuantizer(node)) bound.stored.isHandedOn = true;
      }
      const { role, axis } = slotOf(node, input, rank);
      const use: Use = {
        ...plainUse(record, input, graph, scope),
        isDirect: name === bound.stored.name,
        role,
        axis: axisOf(bound, axis),
        isSensitive: isSensitive(node, input),
        codes: codesAt(node, input, rank, integersOf),
      };
      if (handedOn === null) bound.stored.uses.push(use);
      // A quantized tensor's own DequantizeLinear is a use as well as a hand-over.
      else if (isQuantizer(node)) bound.stored.uses.push({ ...use, role: 'other', axis: null });
    }
  }
}

/** Whether a node's use of a tensor is one of its own, although it hands the values on. */
function isQuantizer({ opType }: NodeRecord): boolean {
  return opType === 'QuantizeLinear' || opType === 'DequantizeLinear';
}

/** A use of which only its place is known. */
function plainUse(record: NodeRecord, input: number, graph: GraphRecord, scope: Scope): Use {
  return {
    node: labelOf(record),
    op: record.opType,
    input,
    record,
    inputs: record.inputs,
    reachedBy: record,
    graph,
    isDirect: false,
    scope,
    role: 'other',
    axis: null,
    isSensitive: false,
    codes: null,
  };
}

function labelOf(node: NodeRecord): string {
  return node.name !== '' ? node.name : (node.outputs[0] ?? node.opType);
}

function rankOf({ axes, stored }: Bound): number {
  return axes?.length ?? stored.dims.length;
}

/** The axis of the stored tensor that became an axis of what it is handed on as. */
function axisOf({ axes }: Bound, axis: number | null): number | null {
  return axis === null ? null : (axes?.[axis] ?? null);
}

/**
 * The tensors that a call gives a function reach what the body's nodes do with its inputs. A call
 * that is not followed is a use of its own, of which nothing is known.
 */
function recordCall(
  node: NodeRecord,
  graph: GraphRecord,
  scope: Scope,
  following: Following,
): void {
  const given = node.inputs.map((name) => (name === '' ? [] : scope.find(name)));
  if (given.every((bounds) => bounds.length === 0)) return;
  const ranks = given.map(([first]) => (first === undefined ? null : rankOf(first)));
  const walk: WalkBody = (body, of, attributes) => flowsOf(body, of, { ...following, attributes });
  const flows = following.calls.flow(node, ranks, following.attributes, walk);
  const body = following.calls.callee(node)!;
  const places = new Map(body.inputs.map(({ name }, at) => [name, node.inputs[at] ?? '']));
  const known = new Map<readonly string[], readonly string[]>();
  /** The uses of one node have one list of inputs, which may be long. */
  const renamed = (inputs: readonly string[]): readonly string[] => {
    const made = known.get(inputs) ?? inputs.map((name) => places.get(name) ?? '');
    known.set(inputs, made);
    return made;
  };
  for (const [input, bounds] of given.entries())
    for (const bound of bounds) {
      // Whatever its body does, the call takes the name.
      if (node.inputs[input] === bound.stored.name) bound.stored.isHandedOn = true;
      const flow = rankOf(bound) === ranks[input] ? (flows?.[input] ?? null) : null;
      if (flow === null) bound.stored.uses.push(plainUse(node, input, graph, scope));
      for (const use of flow?.uses ?? [])
        bound.stored.uses.push({
          ...use,
          node: insideLabel(labelOf(node), use.node),
          inputs: renamed(use.inputs),
          reachedBy: node,
          scope,
          isDirect: false,
          axis: axisOf(bound, use.axis),
        });
      for (const { output, axes } of flow?.outputs ?? []) {
        const name = node.outputs[output] ?? '';
        const now = axes?.map((axis) => axisOf(bound, axis)) ?? null;
        if (name !== '') scope.extend(name, { stored: bound.stored, axes: bound.axes && now });
      }
    }
}

/** Labels of nested calls longer than this keep their outer part only. */
const MAX_LABEL = 200;

function insideLabel(call: string, inner: string): string {
  return call.length + inner.length < MAX_LABEL ? `${call}/${inner}` : call;
}

/** What becomes of the inputs of a function's body: they are followed as tensors of their ranks. */
function flowsOf(
  body: FunctionRecord,
  ranks: readonly (number | null)[],
  following: Following,
): (Flow | null)[] {
  const scope = new Scope(null);
  const parameters = ranks.map((rank, at) => {
    const name = body.inputs[at]?.name;
    if (rank === null || name === undefined) return null;
    const stored = parameter(body, name, rank);
    scope.bind(name, [{ stored, axes: stored.dims.map((_, axis) => axis) }]);
    return stored;
  });
  collectInto(body, scope, following, []);
  const outputs = body.outputs.map(({ name }) => scope.find(name));
  return parameters.map((stored) =>
    stored === null
      ? null
      : {
          uses: decidingUses(stored.uses),
          outputs: outputs.flatMap((bounds, output) =>
            bounds.filter((bound) => bound.stored === stored).map(({ axes }) => ({ output, axes })),
          ),
        },
  );
}

function bindOutputs(node: NodeRecord, scope: Scope, bound: Bound, handedOn: AxisMap): void {
  const { axes, stored } = bound;
  const isKnown = axes !== null && handedOn.length > 0;
  const now = isKnown
    ? handedOn.map((axis) => (axis === null ? null : (axes[axis] ?? null)))
    : null;
  for (const output of node.outputs) if (output !== '') scope.extend(output, { stored, axes: now });
}

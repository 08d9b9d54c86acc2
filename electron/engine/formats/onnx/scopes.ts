import type { Consumer, Role } from '../../../../shared/model.ts';
import { isSensitive, passThrough, slotOf, type AxisMap } from './operators.ts';
import type {
  AttributeRecord,
  GraphRecord,
  NodeRecord,
  SparseRecord,
  TensorRecord,
} from './records.ts';
import { codesAt, type Codes } from './stored-codes.ts';

/** A stored tensor found in the structure, before it is made a TensorRef. */
export interface Stored {
  readonly name: string;
  readonly graph: GraphRecord;
  readonly storage: 'initializer' | 'sparse' | 'constant';
  readonly dims: readonly number[];
  /** The whole sparse tensor, of which `tensor` holds the values. */
  readonly sparse?: SparseRecord;
  /** The TensorProto; null for value_float(s), value_int(s) and value_string(s). */
  readonly tensor: TensorRecord | null;
  /** The Constant node and its value attribute. */
  readonly node: NodeRecord | null;
  readonly attribute: AttributeRecord | null;
  readonly uses: Use[];
  /** Whether a node takes it by its name only to hand it on; whoever gets it is among the uses, if anybody is. */
  isHandedOn: boolean;
}

/** One operator input that a stored tensor reaches, directly or through nodes that only hand it on. */
export interface Use extends Consumer {
  readonly record: NodeRecord;
  /** The graph that the node is in. */
  readonly graph: GraphRecord;
  /** Whether the node takes the stored tensor itself, not something handed on from it. */
  readonly isDirect: boolean;
  readonly scope: Scope;
  readonly role: Role;
  readonly axis: number | null;
  readonly isSensitive: boolean;
  /** Where the node says how to read the tensor as codes. */
  readonly codes: Codes | null;
}

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

/** Every stored tensor of a graph and its subgraphs, each with the inputs that it reaches. */
export function collectStored(
  graph: GraphRecord,
  parent: Scope | null,
  readIntegers: ReadIntegers,
  into: Stored[],
): void {
  const scope = new Scope(parent);
  const add = (stored: Stored): void => {
    into.push(stored);
    scope.bind(stored.name, [{ stored, axes: stored.dims.map((_, axis) => axis) }]);
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
      recordUses(node, graph, scope, readIntegers);
      for (const attribute of node.attributes)
        for (const subgraph of attribute.graphs) collectStored(subgraph, scope, readIntegers, into);
    }
  }
}

function storedConstant(node: NodeRecord, graph: GraphRecord): Stored | null {
  const name = node.outputs[0];
  const attribute = node.attributes.find(
    (candidate) => candidate.name.startsWith('value') || candidate.name === 'sparse_value',
  );
  if (name === undefined || attribute === undefined) return null;
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
  node: NodeRecord,
  graph: GraphRecord,
  scope: Scope,
  readIntegers: ReadIntegers,
): void {
  const label = node.name !== '' ? node.name : (node.outputs[0] ?? node.opType);
  const integersOf = (input: number): readonly number[] | null => {
    const stored = scope.stored(node.inputs[input] ?? '');
    return stored === undefined ? null : readIntegers(stored);
  };
  for (const [input, name] of node.inputs.entries()) {
    if (name === '') continue;
    for (const bound of scope.find(name)) {
      const rank = bound.axes?.length ?? bound.stored.dims.length;
      const handedOn = passThrough(node, input, rank, integersOf);
      if (handedOn !== null) {
        bindOutputs(node, scope, bound, handedOn);
        if (name === bound.stored.name) bound.stored.isHandedOn = true;
      }
      const use = useOf(
        node,
        label,
        input,
        bound,
        graph,
        scope,
        codesAt(node, input, rank, integersOf),
      );
      if (handedOn === null) bound.stored.uses.push(use);
      // A quantized tensor's own DequantizeLinear is a use as well as a hand-over.
      else if (node.opType.endsWith('quantizeLinear') || node.opType === 'QuantizeLinear')
        bound.stored.uses.push({ ...use, role: 'other', axis: null });
    }
  }
}

function useOf(
  node: NodeRecord,
  label: string,
  input: number,
  bound: Bound,
  graph: GraphRecord,
  scope: Scope,
  codes: Codes | null,
): Use {
  const slot = slotOf(node, input, bound.axes?.length ?? bound.stored.dims.length);
  const axis = slot.axis === null ? null : (bound.axes?.[slot.axis] ?? null);
  return {
    node: label,
    op: node.opType,
    input,
    record: node,
    graph,
    isDirect: node.inputs[input] === bound.stored.name,
    scope,
    role: slot.role,
    axis,
    isSensitive: isSensitive(node, input),
    codes,
  };
}

function bindOutputs(node: NodeRecord, scope: Scope, bound: Bound, handedOn: AxisMap): void {
  const { axes, stored } = bound;
  const isKnown = axes !== null && handedOn.length > 0;
  const now = isKnown
    ? handedOn.map((axis) => (axis === null ? null : (axes[axis] ?? null)))
    : null;
  for (const output of node.outputs) if (output !== '') scope.extend(output, { stored, axes: now });
}

import { calledPath } from './functions.ts';
import type { AttributeRecord, FunctionRecord, GraphRecord, NodeRecord } from './records.ts';
import type { AxisMap } from './operators.ts';
import type { Stored, Use } from './stored.ts';

/** Calls nested deeper than this are not followed, as each level takes some of the engine's own stack. */
const MAX_HEIGHT = 100;
/** Nodes that are walked for calls: the body of a function is walked once for each kind of call. */
const MAX_WALKED = 4_000_000;
/** Uses of one input that are kept of a body: of thousands the first ones and those that decide say all. */
const MAX_USES = 16;

/** The values of a function's attributes at a call; null for one that differs between its calls. */
export type Attributes = ReadonlyMap<string, AttributeRecord | null>;

export const NO_ATTRIBUTES: Attributes = new Map();

/** What becomes of one input of a function. Axes are those of the input. */
export interface Flow {
  readonly uses: readonly Use[];
  /** The outputs that hand it on, whole or in part; axes are null where they are lost. */
  readonly outputs: readonly { readonly output: number; readonly axes: AxisMap | null }[];
}

/** Walks a function's body whose inputs are tensors of these ranks (null: no stored tensor). */
export type WalkBody = (
  body: FunctionRecord,
  ranks: readonly (number | null)[],
  attributes: Attributes,
) => readonly (Flow | null)[];

/** The local functions of a model, and what becomes of the tensors that calls give them. */
export class Calls {
  private readonly byPath: ReadonlyMap<string, FunctionRecord>;
  private readonly heights: ReadonlyMap<GraphRecord, number>;
  private readonly flows = new Map<string, readonly (Flow | null)[] | null>();
  private readonly referenced = new Map<FunctionRecord, ReadonlySet<string>>();
  private readonly sizes = new Map<FunctionRecord, number>();
  private walked = 0;

  /** @param heights how many calls nest below each function (checkFunctions) */
  constructor(functions: readonly FunctionRecord[], heights: ReadonlyMap<GraphRecord, number>) {
    this.byPath = new Map(functions.map((body) => [body.path, body]));
    this.heights = heights;
  }

  /** The function that a node calls, or null for an operator. */
  callee(node: NodeRecord): FunctionRecord | null {
    if (this.byPath.size === 0) return null;
    const path = calledPath(node);
    return path === null ? null : (this.byPath.get(path) ?? null);
  }

  /** What becomes of each input of a call, or null where it is not followed. */
  flow(
    node: NodeRecord,
    ranks: readonly (number | null)[],
    around: Attributes,
    walk: WalkBody,
  ): readonly (Flow | null)[] | null {
    const body = this.callee(node)!;
    const attributes = this.attributesAt(body, node, around);
    const values = [...attributes].map(([name, value]) => `${name}=${valueKey(value)}`);
    const key = JSON.stringify([body.path, ranks, values]);
    const known = this.flows.get(key);
    if (known !== undefined) return known;
    this.walked += this.sizeOf(body);
    const isFollowed = this.heights.get(body)! <= MAX_HEIGHT && this.walked <= MAX_WALKED;
    const made = isFollowed ? walk(body, ranks, attributes) : null;
    this.flows.set(key, made);
    return made;
  }

  /** For each function the attributes that are the same in all its calls. */
  commonAttributes(graphs: readonly GraphRecord[]): ReadonlyMap<FunctionRecord, Attributes> {
    const common = new Map<FunctionRecord, Map<string, AttributeRecord | null>>();
    for (const node of graphs.flatMap((graph) => [...nodesOf(graph)])) {
      const body = this.callee(node);
      if (body === null || this.referencesOf(body).size === 0) continue;
      const here = this.attributesAt(body, node, NO_ATTRIBUTES);
      const known = common.get(body);
      if (known === undefined) common.set(body, here);
      else
        for (const name of this.referencesOf(body))
          if (valueKey(known.get(name)) !== valueKey(here.get(name))) known.set(name, null);
    }
    return common;
  }

  /** The values at a call of the attributes that the body refers to. */
  private attributesAt(
    body: FunctionRecord,
    node: NodeRecord,
    around: Attributes,
  ): Map<string, AttributeRecord | null> {
    const values = new Map<string, AttributeRecord | null>();
    for (const name of this.referencesOf(body)) {
      const isNamed = (attribute: AttributeRecord): boolean => attribute.name === name;
      const given = node.attributes.find(isNamed);
      const value = given ?? body.defaults.find(isNamed);
      if (value === undefined) continue;
      values.set(name, value.reference === '' ? value : (around.get(value.reference) ?? null));
    }
    return values;
  }

  private referencesOf(body: FunctionRecord): ReadonlySet<string> {
    const known = this.referenced.get(body);
    if (known !== undefined) return known;
    const names = new Set<string>();
    for (const { attributes } of nodesOf(body))
      for (const { reference } of attributes) if (reference !== '') names.add(reference);
    this.referenced.set(body, names);
    return names;
  }

  private sizeOf(body: FunctionRecord): number {
    const known = this.sizes.get(body);
    if (known !== undefined) return known;
    let size = 1;
    for (const _node of nodesOf(body)) size++;
    this.sizes.set(body, size);
    return size;
  }
}

function* nodesOf(graph: GraphRecord): Generator<NodeRecord> {
  for (const node of graph.nodes) {
    yield node;
    for (const attribute of node.attributes)
      for (const subgraph of attribute.graphs) yield* nodesOf(subgraph);
  }
}

/** What tells two values of an attribute apart, as far as any operator's axes depend on it. */
function valueKey(value: AttributeRecord | null | undefined): string {
  if (value === undefined) return 'absent';
  return value === null ? 'various' : `${value.integer ?? ''} ${value.integers.join(' ')}`;
}

/**
 * A function's node with the attributes of a call. One whose value differs between calls keeps its
 * reference; one that the call does not give is absent (onnx.proto, FunctionProto).
 */
export function withAttributes(node: NodeRecord, values: Attributes): NodeRecord {
  if (node.attributes.every(({ reference }) => reference === '')) return node;
  const attributes = node.attributes.flatMap((attribute) => {
    if (attribute.reference === '') return [attribute];
    const value = values.get(attribute.reference);
    if (value === undefined) return [];
    return [value === null ? attribute : { ...value, name: attribute.name }];
  });
  return { ...node, attributes };
}

/** The first uses, and the first of each role and of each kind that decides what a tensor is. */
export function decidingUses(uses: readonly Use[]): readonly Use[] {
  if (uses.length <= MAX_USES) return uses;
  const seen = new Set<string>();
  return uses.filter((use, at) => {
    const kind = `${use.role} ${use.isSensitive} ${use.codes !== null}`;
    const isNew = !seen.has(kind);
    seen.add(kind);
    return isNew || at < MAX_USES;
  });
}

/** A stand-in for whatever tensor of a rank a call gives a function. */
export function parameter(body: FunctionRecord, name: string, rank: number): Stored {
  return {
    name,
    graph: body,
    storage: 'initializer',
    dims: new Array<number>(rank).fill(1),
    tensor: null,
    node: null,
    attribute: null,
    uses: [],
    isHandedOn: false,
  };
}

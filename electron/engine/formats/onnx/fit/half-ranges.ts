import {
  BOUNDING,
  CENTRING,
  GUARDED,
  HALF_LARGEST,
  MOVING,
  PROBABILITIES,
  REASONS,
  SENSITIVE,
  SUMMING,
} from './half-tables.ts';
import { effectOf, FITS, shortNumber, type ConstantRange, type Flow } from './half-effects.ts';
import type { GraphRecord, NodeRecord } from '../read/records.ts';
import { formalsOf } from './operator-types.ts';

export interface RangeFacts {
  /** The version of ai.onnx in force. */
  readonly opset: number;
  /** A stored float32 tensor; null for one whose values are not known, and for other types. */
  constant(graph: GraphRecord, name: string): ConstantRange | null;
  /** What a ConstantOfShape is filled with; null where that is no float32. */
  fill(node: NodeRecord): number | null;
}

/**
 * Which nodes must compute in float32 as their values may leave float16's range, and why. Inputs of
 * the graph and sums of products are taken to be of ordinary size, as float16 arithmetic assumes.
 * From an operator whose result may be too large (half-tables.ts), or a constant that float16 does
 * not hold, float32 goes on to where the range is bounded again: a division, a logarithm, a softmax,
 * a normalization. A LayerNorm that is written out is kept whole.
 */
export function floatNodes(graph: GraphRecord, facts: RangeFacts): Map<NodeRecord, string> {
  const analysis = new RangeAnalysis(facts);
  analysis.visit(graph, null);
  return analysis.kept;
}

/**
 * Whether all takers of a node are marked, one of them perhaps not yet. Marks only come: what has one is passed
 * over once, so that thousands of questions of a node with thousands of takers take linear time.
 */
class MarkedTakers {
  private readonly flows: Flows;
  private readonly marked: { has(node: NodeRecord): boolean };
  /** Of each node its takers, and where the first two are that had no mark when they were asked for. */
  private readonly states = new Map<
    NodeRecord,
    { takers: NodeRecord[]; first: number; second: number }
  >();

  /** @param flows of a graph all of whose nodes were visited */
  constructor(flows: Flows, marked: { has(node: NodeRecord): boolean }) {
    this.flows = flows;
    this.marked = marked;
  }

  /** Whether all takers but `exempt` are marked. */
  areAll(node: NodeRecord, exempt: NodeRecord | null): boolean {
    const state = this.states.get(node) ?? {
      ...{ takers: [...new Set(this.flows.takersOf(node))], first: 0, second: 1 },
    };
    this.states.set(node, state);
    const { takers } = state;
    state.first = this.next(takers, state.first);
    state.second = this.next(takers, Math.max(state.first + 1, state.second));
    const [first, second] = [takers[state.first], takers[state.second]];
    return first === undefined || (first === exempt && second === undefined);
  }

  private next(takers: readonly NodeRecord[], from: number): number {
    let at = from;
    while (at < takers.length && this.marked.has(takers[at]!)) at++;
    return at;
  }
}

/** The values of one graph; a subgraph also sees those around it. */
class Flows {
  readonly graph: GraphRecord;
  private readonly parent: Flows | null;
  private readonly known = new Map<string, Flow>();
  private readonly makers = new Map<string, NodeRecord>();
  private readonly takers = new Map<string, NodeRecord[]>();

  constructor(graph: GraphRecord, parent: Flows | null) {
    this.graph = graph;
    this.parent = parent;
    for (const node of graph.nodes) for (const name of node.outputs) this.makers.set(name, node);
    for (const node of graph.nodes) for (const name of node.inputs) this.take(name, node);
  }

  set(name: string, flow: Flow): void {
    this.known.set(name, flow);
  }

  get(name: string): Flow {
    return this.known.get(name) ?? this.parent?.get(name) ?? ordinary(name);
  }

  /** The node of this graph that makes a value, if it does not come from around it. */
  maker(name: string): NodeRecord | undefined {
    return this.makers.get(name);
  }

  *takersOf(node: NodeRecord): Iterable<NodeRecord> {
    for (const name of node.outputs) yield* this.takers.get(name) ?? [];
  }

  private take(name: string, node: NodeRecord): void {
    if (!this.makers.has(name) && this.parent !== null) {
      this.parent.take(name, node);
      return;
    }
    const takers = this.takers.get(name);
    if (takers === undefined) this.takers.set(name, [node]);
    else takers.push(node);
  }
}

function ordinary(origin: string): Flow {
  return { reach: 0, reason: '', isInverse: false, constant: null, origin, isCount: false };
}

function constantFlow(name: string, constant: ConstantRange): Flow {
  const isLarge = Math.abs(constant.extreme) > HALF_LARGEST;
  const reason = isLarge
    ? `float16 does not hold the constant ${shortNumber(constant.extreme)}`
    : '';
  return { ...ordinary(name), constant, reason, reach: isLarge ? 2 : 0 };
}

/** A graph all of whose nodes were visited, and which takers of them are kept, or spectra. */
interface Visited {
  readonly flows: Flows;
  readonly kept: MarkedTakers;
  readonly spectral: MarkedTakers;
}

class RangeAnalysis {
  readonly kept = new Map<NodeRecord, string>();
  /** Squares, and what moves values on their way to squares alone. */
  private readonly spectra = new Set<NodeRecord>();
  private readonly facts: RangeFacts;

  constructor(facts: RangeFacts) {
    this.facts = facts;
  }

  visit(graph: GraphRecord, parent: Flows | null): Flows {
    const flows = new Flows(graph, parent);
    for (const { name } of graph.initializers) this.setStored(flows, name);
    for (const node of graph.nodes) this.visitNode(node, flows);
    const kept = new MarkedTakers(flows, this.kept);
    const spectral = new MarkedTakers(flows, this.spectra);
    for (const node of graph.nodes.toReversed()) this.keepArgument(node, { flows, kept, spectral });
    return flows;
  }

  private setStored(flows: Flows, name: string): void {
    const constant = this.facts.constant(flows.graph, name);
    flows.set(name, constant === null ? ordinary(name) : constantFlow(name, constant));
  }

  private visitNode(node: NodeRecord, flows: Flows): void {
    const branches = node.attributes.flatMap(({ graphs }) =>
      graphs.map((graph) => this.visit(graph, flows)),
    );
    if (node.domain === '' && node.opType === 'Constant') {
      for (const name of node.outputs) this.setStored(flows, name);
      return;
    }
    const inputs = node.inputs.map((name) => flows.get(name));
    const formals = formalsOf(node, this.facts.opset);
    const found = formals === null ? FITS : effectOf(node, inputs);
    const effect = found.isGuard === true && !this.guards(node, flows) ? FITS : found;
    if (effect.reason !== null) this.kept.set(node, effect.reason);
    if (effect.isSquare === true) this.spectra.add(node);
    const isMoving = node.domain === '' && MOVING.has(node.opType);
    const constant = this.constantOf(node, inputs);
    for (const [at, name] of node.outputs.entries()) {
      if (constant !== null) flows.set(name, constantFlow(name, constant));
      else if (node.opType === 'If') flows.set(name, branchFlow(name, branches, at));
      else if (formals?.output(at) === '-') flows.set(name, ordinary(name));
      else {
        const { reach, reason, isInverse = false } = effect;
        const origin = isMoving ? (inputs[0]?.origin ?? name) : name;
        const isCount = isCounting(node) || (isMoving && inputs[0]?.isCount === true);
        const flow = { ...ordinary(origin), reach, reason: reason ?? '', isInverse, isCount };
        flows.set(name, flow);
      }
    }
  }

  /** Whether a small constant in a node guards a division, logarithm or root that its result goes to. */
  private guards(node: NodeRecord, flows: Flows): boolean {
    const seen = new Set([node]);
    for (const maker of seen)
      for (const taker of flows.takersOf(maker)) {
        if (taker.domain !== '') continue;
        if (GUARDED.has(taker.opType)) {
          const at = GUARDED.get(taker.opType)!;
          const power =
            taker.opType === 'Pow' ? flows.get(taker.inputs[1] ?? '').constant?.value : 0;
          if (maker.outputs.includes(taker.inputs[at] ?? '') && (power ?? 0) < 1) return true;
        } else if (!SUMMING.has(taker.opType) && !BOUNDING.has(taker.opType)) seen.add(taker);
      }
    return false;
  }

  /** What is known of a node's result where that is made of constants alone. */
  private constantOf(node: NodeRecord, inputs: readonly Flow[]): ConstantRange | null {
    if (node.domain !== '') return null;
    if (node.opType === 'ConstantOfShape') {
      const value = this.facts.fill(node);
      return value === null ? null : { extreme: value, value };
    }
    return MOVING.has(node.opType) ? (inputs[0]?.constant ?? null) : null;
  }

  /**
   * Keep what makes the argument of a node for which rounding it is a large error: before a
   * logarithm, sine or cosine what is no sum of products; before a square the difference from a mean,
   * and a transform (a sum of products, such as a STFT's) that is taken by squares alone.
   */
  private keepArgument(node: NodeRecord, within: Visited): void {
    if (this.spectra.has(node))
      this.keepMakers(node, within, (maker) => {
        const isSpectrum = within.spectral.areAll(maker, null);
        const isMoving = MOVING.has(maker.opType) || maker.opType === 'Pad';
        if (isSpectrum && isMoving) this.spectra.add(maker);
        return isMoving || CENTRING.has(maker.opType) || (isSpectrum && SUMMING.has(maker.opType));
      });
    else if (node.domain === '' && SENSITIVE.has(node.opType))
      this.keepMakers(node, within, (maker) => {
        const isCounted = maker.inputs.some((name) => within.flows.get(name).isCount);
        return !SUMMING.has(maker.opType) || isCounted;
      });
  }

  /** Keep, back from a node, those whose results are taken by kept nodes alone. */
  private keepMakers(
    root: NodeRecord,
    { flows, kept }: Visited,
    isIncluded: (maker: NodeRecord) => boolean,
  ): void {
    const visited = new Set([root]);
    for (const node of visited)
      for (const name of new Set(node.inputs)) {
        const maker = flows.maker(name);
        if (maker === undefined || visited.has(maker)) continue;
        if (formalsOf(maker, this.facts.opset) === null) continue;
        // What goes into a transform is only moved; before that ordinary layers begin.
        if (SUMMING.has(node.opType) && !MOVING.has(maker.opType)) continue;
        const isProbability = root.opType === 'Log' && PROBABILITIES.has(maker.opType);
        if (!isProbability && !kept.areAll(maker, root)) continue;
        if (!isIncluded(maker)) continue;
        if (!this.kept.has(root)) this.kept.set(root, REASONS.argument);
        if (!this.kept.has(maker)) this.kept.set(maker, this.kept.get(node)!);
        visited.add(maker);
      }
  }
}

function branchFlow(name: string, branches: readonly Flows[], at: number): Flow {
  let far = ordinary(name);
  for (const branch of branches) {
    const flow = branch.get(branch.graph.outputs[at]?.name ?? '');
    if (flow.reach > far.reach) far = { ...flow, constant: null, origin: name };
  }
  return far;
}

function isCounting({ domain, opType }: NodeRecord): boolean {
  return domain === '' && (opType === 'Cast' || opType === 'Range');
}

import { onnxDataType } from '../read/tensor-types.ts';
import type { GraphRecord, NodeRecord, Span } from '../read/records.ts';
import { encodeText } from '../read/text.ts';
import type { Edit } from './edits.ts';
import type { HalfNode, HalfPlan } from '../fit/half-plan.ts';
import { bytesPiece, field, nodeMessage } from './messages.ts';
import type { FreshNames } from '../read/names.ts';

/** Field numbers of NodeProto and GraphProto (onnx.proto). */
const NODE_INPUT = 1;
const NODE_OUTPUT = 2;
const GRAPH_NODE = 1;

const FLOAT = onnxDataType('float32');
const FLOAT16 = onnxDataType('float16');

/**
 * The edits that make the planned nodes compute in float16. A value has two names: its own, which
 * stays float32, and one for float16. A node takes and gives the latter; Casts stand only where a
 * value is wanted in the type that it does not have. Attributes and everything else of a node stay
 * as they are in the file.
 */
export class HalfNodes {
  private readonly plan: HalfPlan;
  private readonly names: FreshNames;
  private readonly halves = new Map<GraphRecord, Map<string, string>>();
  private readonly edits: Edit[] = [];

  constructor(plan: HalfPlan, names: FreshNames) {
    this.plan = plan;
    this.names = names;
  }

  /** Say under which name a stored tensor is float16 already. */
  store(graph: GraphRecord, name: string, half: string): void {
    this.halvesOf(graph).set(name, half);
  }

  /** The edits of a graph and its subgraphs. */
  editsOf(graph: GraphRecord): readonly Edit[] {
    for (const node of graph.nodes) {
      const half = this.plan.nodes.get(node);
      if (half !== undefined) this.convert(graph, node, half);
      for (const attribute of node.attributes)
        for (const subgraph of attribute.graphs) this.editsOf(subgraph);
    }
    return this.edits;
  }

  private convert(graph: GraphRecord, node: NodeRecord, half: HalfNode): void {
    const { frame } = node;
    for (const [at, name] of node.inputs.entries()) {
      if (half.inputs[at] !== true) continue;
      const known = this.find(graph, name);
      const used = known ?? this.fresh(graph, name);
      if (known === null) this.cast(graph, frame.start, name, used, FLOAT16);
      this.rename(node, node.inputSpans[at]!, NODE_INPUT, used);
    }
    for (const [at, name] of node.outputs.entries()) {
      if (half.outputs[at] !== true) continue;
      const made = this.fresh(graph, name);
      this.rename(node, node.outputSpans[at]!, NODE_OUTPUT, made);
      if (this.plan.names.get(graph)!.needed.has(name))
        this.cast(graph, frame.end, made, name, FLOAT);
    }
  }

  private fresh(graph: GraphRecord, name: string): string {
    const made = this.names.make(`${name}_float16`);
    this.halvesOf(graph).set(name, made);
    return made;
  }

  private halvesOf(graph: GraphRecord): Map<string, string> {
    const known = this.halves.get(graph);
    if (known !== undefined) return known;
    const made = new Map<string, string>();
    this.halves.set(graph, made);
    return made;
  }

  /** The float16 name of a value that is in sight: made in this graph or in one around it. */
  private find(graph: GraphRecord, name: string): string | null {
    const owner = this.plan.names.get(graph)!.owner(name);
    for (let names = this.plan.names.get(graph)!; ; names = names.parent!) {
      const half = this.halves.get(names.graph)?.get(name);
      if (half !== undefined) return half;
      if (names === owner || names.parent === null) return null;
    }
  }

  private cast(graph: GraphRecord, at: number, from: string, to: string, type: number): void {
    const node = nodeMessage({
      opType: 'Cast',
      domain: '',
      name: this.names.make(`${to}_Cast`),
      inputs: [from],
      outputs: [to],
      integers: { to: type },
    });
    const pieces = field(GRAPH_NODE, [node]);
    this.edits.push({ start: at, end: at, pieces, frame: graph.frame });
  }

  private rename({ frame }: NodeRecord, span: Span, number: number, name: string): void {
    this.edits.push({ ...span, pieces: field(number, [bytesPiece(encodeText(name))]), frame });
  }
}

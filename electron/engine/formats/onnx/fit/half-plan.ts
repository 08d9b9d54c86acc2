import { onnxDataType } from '../read/tensor-types.ts';
import type { AttributeRecord, GraphRecord, NodeRecord } from '../read/records.ts';
import { formalsOf, takesHalf, type Formals } from './operator-types.ts';

const FLOAT = onnxDataType('float32');

/**
 * Operators that stay in float32: those of onnxconverter-common's block list (its
 * DEFAULT_OP_BLOCK_LIST names what runtimes do not have or do badly in float16), those whose scales
 * are what a quantizer stored, and what onnxruntime 1.30 turned out not to run in float16: it crashes on a
 * float16 Reshape or Gather whose Transpose a MatMul takes, which every attention has.
 */
const BLOCKED: ReadonlySet<string> = new Set([
  'CumSum',
  'DequantizeLinear',
  'DynamicQuantizeLinear',
  'Max',
  'MeanVarianceNormalization',
  'Min',
  'NonMaxSuppression',
  'OneHotEncoder',
  'QuantizeLinear',
  'RandomNormalLike',
  'RandomUniformLike',
  'Range',
  'Resize',
  'RoiAlign',
  'ScatterElements',
  'ScatterND',
  'TopK',
  'Transpose',
  'Upsample',
]);

const BLOCKED_REASON = 'onnxruntime does not run it in float16, or not well';

/** Which inputs and outputs of a node become float16. */
export interface HalfNode {
  readonly inputs: readonly boolean[];
  readonly outputs: readonly boolean[];
}

export interface HalfRules {
  /** The version of ai.onnx in force. */
  readonly opset: number;
  /** Why a node stays in float32, or null where it may compute in float16. */
  whyKept(node: NodeRecord): string | null;
  /** Whether a stored tensor must meet float32 arithmetic: it is kept so, or float16 cannot hold it. */
  isFloatOnly(graph: GraphRecord, name: string): boolean;
}

/** The names of one graph: which are float32, and which of these something takes as float32. */
export class Names {
  readonly graph: GraphRecord;
  readonly parent: Names | null;
  readonly isFloat = new Map<string, boolean>();
  readonly needed = new Set<string>();

  constructor(graph: GraphRecord, parent: Names | null) {
    this.graph = graph;
    this.parent = parent;
  }

  /** The names of the graph that defines one, from here outwards. */
  owner(name: string): Names | null {
    return this.isFloat.has(name) ? this : (this.parent?.owner(name) ?? null);
  }

  /** Whether a value is known to be float32. */
  isFloat32(name: string): boolean {
    return this.owner(name)?.isFloat.get(name) === true;
  }

  need(name: string): void {
    this.owner(name)?.needed.add(name);
  }
}

/**
 * Which nodes of a graph and its subgraphs compute in float16. A node does when ai.onnx lets the
 * type of its float32 inputs be float16 as well, unless it is blocked; everything else keeps the
 * float32 that it has. Types are followed from the graph's inputs and stored tensors through what
 * the operators' schemas say; a value of unknown type is left alone.
 */
export class HalfPlan {
  readonly names = new Map<GraphRecord, Names>();
  readonly nodes = new Map<NodeRecord, HalfNode>();
  /** Nodes that stay in float32 where their types would let them compute in float16, and why. */
  readonly kept = new Map<NodeRecord, string>();
  private readonly rules: HalfRules;

  constructor(graph: GraphRecord, rules: HalfRules) {
    this.rules = rules;
    this.visit(graph, null);
  }

  /** Whether anything takes a stored tensor as float32; a function's body is not part of the plan. */
  isRestored({ graph, name }: { readonly graph: GraphRecord; readonly name: string }): boolean {
    return this.names.get(graph)?.needed.has(name) ?? true;
  }

  private visit(graph: GraphRecord, parent: Names | null): Names {
    const names = new Names(graph, parent);
    this.names.set(graph, names);
    for (const input of graph.inputs) names.isFloat.set(input.name, input.dataType === FLOAT);
    for (const tensor of graph.initializers)
      names.isFloat.set(tensor.name, tensor.dataType === FLOAT);
    for (const sparse of graph.sparseInitializers) names.isFloat.set(sparse.values.name, false);
    for (const node of graph.nodes) this.visitNode(node, names);
    for (const output of graph.outputs) names.need(output.name);
    return names;
  }

  private visitNode(node: NodeRecord, names: Names): void {
    const subgraphs = node.attributes.flatMap((attribute) =>
      attribute.graphs.map((graph) => this.visit(graph, names)),
    );
    const formals = formalsOf(node, this.rules.opset);
    const floats = formals === null ? new Set<string>() : floatSymbols(node, names, formals);
    const half = formals === null ? null : this.halfOf(node, names, formals, floats);
    if (half !== null) this.nodes.set(node, half);
    for (const [at, name] of node.inputs.entries()) if (half?.inputs[at] !== true) names.need(name);
    for (const [at, name] of node.outputs.entries()) {
      const isFloat =
        formals === null
          ? ownType(node, at, subgraphs)
          : formals.output(at) === 'f' || floats.has(formals.output(at));
      names.isFloat.set(name, isFloat);
    }
  }

  private halfOf(
    node: NodeRecord,
    names: Names,
    formals: Formals,
    floats: ReadonlySet<string>,
  ): HalfNode | null {
    if (![...floats].some(takesHalf)) return null;
    const reason = BLOCKED.has(node.opType) ? BLOCKED_REASON : this.rules.whyKept(node);
    if (reason !== null) return this.keep(node, reason);
    const isHalf = (symbol: string): boolean => takesHalf(symbol) && floats.has(symbol);
    const inputs = node.inputs.map((name, at) => name !== '' && isHalf(formals.input(at)));
    // One type parameter is one type: a value that is not known to be float32 is in the way.
    if (node.inputs.some((name, at) => inputs[at] === true && !names.isFloat32(name))) return null;
    const isBarred = node.inputs.some((name, at) => {
      const owner = inputs[at] === true ? names.owner(name) : null;
      return owner !== null && this.rules.isFloatOnly(owner.graph, name);
    });
    if (isBarred) return this.keep(node, 'takes a stored tensor that stays in float32');
    const outputs = node.outputs.map((name, at) => name !== '' && isHalf(formals.output(at)));
    return { inputs, outputs };
  }

  private keep(node: NodeRecord, reason: string): null {
    this.kept.set(node, reason);
    return null;
  }
}

/** The type parameters of a node that are float32 here. */
function floatSymbols(node: NodeRecord, names: Names, formals: Formals): ReadonlySet<string> {
  const floats = new Set<string>();
  for (const [at, name] of node.inputs.entries())
    if (names.isFloat32(name) && /[a-z]/i.test(formals.input(at))) floats.add(formals.input(at));
  return floats;
}

/** Whether an output is float32 where that is the node's own doing. */
function ownType(node: NodeRecord, at: number, subgraphs: readonly Names[]): boolean {
  if (node.domain !== '') return false;
  const attribute = (name: string): AttributeRecord | undefined =>
    node.attributes.find((candidate) => candidate.name === name);
  switch (node.opType) {
    case 'Cast':
      return attribute('to')?.integer === FLOAT;
    case 'Constant':
      return node.attributes.some(
        ({ name, tensor }) =>
          name === 'value_float' || name === 'value_floats' || tensor?.dataType === FLOAT,
      );
    case 'ConstantOfShape':
      return (attribute('value')?.tensor?.dataType ?? FLOAT) === FLOAT;
    case 'RandomNormal':
    case 'RandomUniform':
      return (attribute('dtype')?.integer ?? FLOAT) === FLOAT;
    case 'If':
      return (
        subgraphs.length > 0 &&
        subgraphs.every((names) => names.isFloat32(names.graph.outputs[at]?.name ?? ''))
      );
    default:
      return false;
  }
}

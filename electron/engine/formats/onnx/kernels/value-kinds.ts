import { dtypeOf } from '../../../../../shared/dtypes.ts';
import type { Operand, OperatorRef } from '../../../../../shared/graph.ts';
import { formalsOf } from '../fit/operator-types.ts';
import type { OnnxGraph } from '../read/graph.ts';
import { inputNamed } from '../read/graph-values.ts';
import type { AttributeRecord, GraphRecord, NodeRecord, OnnxIndex } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { tensorType } from '../read/tensor-types.ts';
import { integerKernel, type ValueKind } from './integer-kernels.ts';

const FLOAT_TYPE = 1;
/** Codes are stored in up to 16 bits; longer integers are shapes, indices and sums. */
const MAX_CODE_BITS = 16;

/** What the values of a graph hold. The file says it of inputs and outputs only; the operators tell the rest. */
export class ValueKinds {
  private readonly kinds: ValueKind[] = [];
  private readonly graph: OnnxGraph;
  private readonly tensors: readonly OnnxTensor[];
  private readonly opset: number;

  constructor(index: OnnxIndex, graph: OnnxGraph, tensors: readonly OnnxTensor[]) {
    this.graph = graph;
    this.tensors = tensors;
    this.opset = index.opsets.find(({ domain }) => domain === '')?.version ?? 1;
    this.readInputs(index.graph);
    for (const operator of graph.operators) this.readOutputs(operator);
  }

  /** What an operand holds; null where it is left out. */
  of(operand: Operand | undefined): ValueKind | null {
    if (operand === null || operand === undefined) return null;
    if (operand.kind === 'value') return this.kinds[operand.value] ?? 'float';
    return kindOfType(this.tensors[operand.tensor]!.ref.dtype);
  }

  ofValue(value: number): ValueKind {
    return this.kinds[value] ?? 'float';
  }

  /** The inputs of a graph and of the subgraphs in it. */
  private readInputs(main: GraphRecord): void {
    const graphs = new Map([['', main]]);
    for (const { attributes } of this.graph.nodes)
      for (const inner of attributes.flatMap((attribute) => attribute.graphs))
        graphs.set(inner.path, inner);
    for (const { id, name, graph, producer } of this.graph.values) {
      const declared = producer === null ? graphs.get(graph) : undefined;
      if (declared !== undefined)
        this.kinds[id] = kindOfNumber(inputNamed(declared, name)?.dataType ?? 0);
    }
  }

  private readOutputs(operator: OperatorRef): void {
    const node = this.graph.nodes[operator.id]!;
    operator.outputs.forEach((value, at) => {
      if (value !== null) this.kinds[value] = this.outputKind(operator, node, at);
    });
  }

  private outputKind(operator: OperatorRef, node: NodeRecord, at: number): ValueKind {
    switch (node.opType) {
      case 'QuantizeLinear':
        return 'codes';
      case 'DequantizeLinear':
        return 'float';
      case 'DynamicQuantizeLinear':
        return at === 1 ? 'float' : 'codes';
      case 'Cast':
        return kindOfNumber(attributeOf(node, 'to')?.integer ?? FLOAT_TYPE);
      case 'Constant':
      case 'ConstantOfShape':
        return kindOfNumber(attributeOf(node, 'value')?.tensor?.dataType ?? FLOAT_TYPE);
      case 'If':
      case 'Scan':
        return bodyOutput(node, at);
      case 'Loop':
        // The body's first output is the condition.
        return bodyOutput(node, at + 1);
      default:
        return integerKernel(node) ?? this.plainKind(operator, node, at);
    }
  }

  /** The kind of the input that has the output's type; outside of ai.onnx that is the first one's. */
  private plainKind(operator: OperatorRef, node: NodeRecord, at: number): ValueKind {
    const formals = formalsOf(node, this.opset);
    if (formals === null) return this.of(operator.inputs[0]) ?? 'float';
    const symbol = formals.output(at);
    if (symbol === '-') return 'other';
    const same = operator.inputs.findIndex((_, input) => formals.input(input) === symbol);
    return this.of(operator.inputs[same]) ?? 'float';
  }
}

function attributeOf(node: NodeRecord, name: string): AttributeRecord | undefined {
  return node.attributes.find((attribute) => attribute.name === name);
}

/** What an operator with a body declares its output to be. */
function bodyOutput({ attributes }: NodeRecord, at: number): ValueKind {
  const body = attributes.find(({ graphs }) => graphs.length > 0)?.graphs[0];
  return kindOfNumber(body?.outputs[at]?.dataType ?? 0);
}

function kindOfNumber(dataType: number): ValueKind {
  const type = tensorType(dataType);
  return type === undefined ? 'float' : kindOfType(type.dtype);
}

function kindOfType(name: Parameters<typeof dtypeOf>[0]): ValueKind {
  const { kind, bits } = dtypeOf(name);
  if (kind === 'float') return 'float';
  return (kind === 'int' || kind === 'uint') && bits <= MAX_CODE_BITS ? 'codes' : 'other';
}

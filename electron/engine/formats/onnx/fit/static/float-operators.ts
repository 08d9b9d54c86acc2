import { dtypeOf } from '../../../../../../shared/dtypes.ts';
import { onnxDataType, tensorType } from '../../read/tensor-types.ts';
import type { OnnxGraph } from '../../read/graph.ts';
import type { GraphRecord, NodeRecord } from '../../read/records.ts';
import type { OnnxTensor } from '../../read/stored.ts';
import { formalsOf } from '../operator-types.ts';

/** Whether a value or stored tensor holds floats; undefined where its type is not known. */
type IsFloat = boolean | undefined;

const FLOAT = onnxDataType('float32');

/** Operators that run bodies, and which output of a body their first output is. */
const CONTROL_FLOW: Readonly<Record<string, number>> = { If: 0, Loop: 1, Scan: 0 };

/** Operators that look at no number of what they take. */
const SHAPES: ReadonlySet<string> = new Set(['Shape', 'Size']);

interface Types {
  readonly graph: OnnxGraph;
  readonly tensors: readonly OnnxTensor[];
  /** The version of ai.onnx. */
  readonly opset: number;
}

/**
 * The operators that compute on floats, or may: all but those that run bodies, ask for a shape, turn one type into
 * another, or take and give integers, booleans and strings alone. Types are followed from inputs and stored tensors
 * through what the operators' schemas say.
 */
export function floatOperators({ graph, tensors, opset }: Types): ReadonlySet<number> {
  const types = new ValueTypes({ graph, tensors, opset });
  const found = new Set<number>();
  for (const { id, op, domain, inputs, outputs } of graph.operators) {
    types.learn(id);
    const takes = inputs.flatMap((input) =>
      input === null
        ? []
        : [input.kind === 'value' ? types.of(input.value) : types.ofTensor(input.tensor)],
    );
    const gives = outputs.flatMap((output) => (output === null ? [] : [types.of(output)]));
    if (domain === '' && (SHAPES.has(op) || op in CONTROL_FLOW)) continue;
    const [from, to] = [takes, gives].map((all) => all.some((each) => each !== false));
    if (domain === '' && op === 'Cast' ? from && to : from || to) found.add(id);
  }
  return found;
}

class ValueTypes {
  private readonly graph: OnnxGraph;
  private readonly tensors: readonly OnnxTensor[];
  private readonly opset: number;
  private readonly known: IsFloat[];
  /** The type of each name that a graph defines. */
  private readonly byName = new Map<GraphRecord, Map<string, () => IsFloat>>();

  constructor({ graph, tensors, opset }: Types) {
    [this.graph, this.tensors, this.opset] = [graph, tensors, opset];
    this.known = graph.values.map(({ id, name, producer, isOutput }) => {
      const home = graph.homes[id]!;
      const declared = [
        ...(producer === null ? home.inputs : []),
        ...(isOutput ? home.outputs : []),
      ];
      return isFloatType(declared.find((each) => each.name === name)?.dataType ?? 0);
    });
    for (const { id, name } of graph.values)
      this.namesOf(graph.homes[id]!).set(name, () => this.of(id));
    for (const { ref, stored } of tensors)
      this.namesOf(stored.graph).set(stored.name, () => this.ofTensor(ref.id));
  }

  ofTensor(tensor: number): IsFloat {
    return dtypeOf(this.tensors[tensor]!.ref.dtype).kind === 'float';
  }

  of(value: number): IsFloat {
    const known = this.known[value];
    const producer = this.graph.values[value]!.producer;
    if (known !== undefined || producer === null) return known;
    const first = CONTROL_FLOW[this.graph.nodes[producer]!.opType];
    if (first === undefined) return undefined;
    const at = first + this.graph.operators[producer]!.outputs.indexOf(value);
    return this.ofBodies(this.graph.nodes[producer]!, at);
  }

  /** What an operator gives, by what it takes. */
  learn(operator: number): void {
    const node = this.graph.nodes[operator]!;
    const { inputs, outputs } = this.graph.operators[operator]!;
    const formals = formalsOf(node, this.opset);
    const bound = new Map<string, IsFloat>([
      ['f', true],
      ['-', false],
    ]);
    for (const [at, input] of inputs.entries()) {
      if (input === null || formals === null) continue;
      const symbol = formals.input(at);
      const type = input.kind === 'value' ? this.of(input.value) : this.ofTensor(input.tensor);
      if (type !== undefined && !bound.has(symbol)) bound.set(symbol, type);
    }
    for (const [at, output] of outputs.entries()) {
      if (output === null || this.known[output] !== undefined) continue;
      this.known[output] = bound.get(formals?.output(at) ?? '') ?? ownType(node);
    }
  }

  /** The type that the bodies of an operator give at one output, where all give the same. */
  private ofBodies(node: NodeRecord, at: number): IsFloat {
    const bodies = node.attributes.flatMap(({ graphs }) => graphs);
    const types = bodies.map((body) =>
      this.byName.get(body)?.get(body.outputs[at]?.name ?? '')?.(),
    );
    return types.every((type) => type === types[0]) ? types[0] : undefined;
  }

  private namesOf(graph: GraphRecord): Map<string, () => IsFloat> {
    const names = this.byName.get(graph) ?? new Map<string, () => IsFloat>();
    this.byName.set(graph, names);
    return names;
  }
}

/** The type of an output that an attribute decides; undefined where none does. */
function ownType({ opType, domain, attributes }: NodeRecord): IsFloat {
  if (domain !== '') return undefined;
  const attribute = (name: string) => attributes.find((each) => each.name === name);
  switch (opType) {
    case 'Cast':
      return isFloatType(attribute('to')?.integer ?? 0);
    case 'ConstantOfShape':
      return isFloatType(attribute('value')?.tensor?.dataType ?? FLOAT);
    default:
      return undefined;
  }
}

/** @param dataType of TensorProto; 0 where none is declared */
function isFloatType(dataType: number): IsFloat {
  const dtype = tensorType(dataType)?.dtype;
  return dtype === undefined ? undefined : dtypeOf(dtype).kind === 'float';
}

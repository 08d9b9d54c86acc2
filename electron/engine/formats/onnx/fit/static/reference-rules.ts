import type { Operand, OperatorRef } from '../../../../../../shared/graph.ts';
import type { OnnxGraph } from '../../read/graph.ts';
import type { NodeRecord } from '../../read/records.ts';
import type { Marks, Place } from './marks.ts';

/** What the rules look at besides the graph. */
export interface RuleFacts {
  readonly graph: OnnxGraph;
  readonly opset: number;
  /** Whether the activations of an operator are quantized symmetrically. */
  isSymmetric(operator: number): boolean;
  /** The number that a stored tensor of one element holds; null where an operand is no such tensor. */
  numberOf(operand: Operand): number | null;
}

type Rule = (operator: OperatorRef, node: NodeRecord, marks: Marks, facts: RuleFacts) => void;

/**
 * Mark what onnxruntime 1.30's quantize_static quantizes of one operator in format QDQ (its QDQRegistry and
 * operators/*.py): all float inputs and outputs, but for the operators that RULES names.
 */
export function markOperator(id: number, marks: Marks, facts: RuleFacts): void {
  const operator = facts.graph.operators[id]!;
  const rule = RULES.get(operator.op) ?? everything;
  rule(operator, facts.graph.nodes[id]!, marks, facts);
}

function activation({ id }: OperatorRef, marks: Marks, ...places: (Operand | undefined)[]): void {
  for (const place of places) marks.add(place, { as: 'activation', provider: null, operator: id });
}

function weight({ id }: OperatorRef, marks: Marks, place: Operand | undefined): void {
  marks.add(place, { as: 'weight', provider: null, operator: id });
}

/** Outputs that take the parameters of the operator's first input. */
function asInput(operator: OperatorRef, marks: Marks, outputs: readonly Operand[]): void {
  const provider = operator.inputs[0] ?? null;
  for (const output of outputs)
    marks.add(output, { as: 'activation', provider, operator: operator.id });
}

function outputsOf({ outputs }: OperatorRef): (Place | null)[] {
  return outputs.map((value) => (value === null ? null : { kind: 'value', value }));
}

const everything: Rule = (operator, _node, marks) =>
  activation(operator, marks, ...operator.inputs, ...outputsOf(operator));

/** The first output of an operator that hands codes on, where the codes are there. */
const handing: Rule = (operator, _node, marks) => {
  if (marks.of(operator.inputs[0] ?? null) !== undefined)
    asInput(operator, marks, outputsOf(operator).slice(0, 1));
};

function handingFrom(opset: number): Rule {
  return (operator, node, marks, facts) => {
    if (facts.opset >= opset) handing(operator, node, marks, facts);
  };
}

function bias(operator: OperatorRef, marks: Marks, beta = 1): void {
  const [input, weightInput, added] = operator.inputs;
  if (added?.kind !== 'tensor' || !input || !weightInput) return;
  const { id } = operator;
  marks.biases.push({ operator: id, input, weight: weightInput, bias: added.tensor, beta });
}

const convolution: Rule = (operator, _node, marks) => {
  activation(operator, marks, operator.inputs[0], outputsOf(operator)[0]);
  weight(operator, marks, operator.inputs[1]);
  bias(operator, marks);
};

const gemm: Rule = (operator, node, marks) => {
  activation(operator, marks, operator.inputs[0], outputsOf(operator)[0]);
  weight(operator, marks, operator.inputs[1]);
  bias(operator, marks, node.attributes.find(({ name }) => name === 'beta')?.real ?? 1);
};

const matMul: Rule = (operator, _node, marks) => {
  for (const operand of [...operator.inputs, ...outputsOf(operator)])
    if (operand?.kind === 'tensor') weight(operator, marks, operand);
    else activation(operator, marks, operand);
};

const normalization: Rule = (operator, _node, marks) => {
  const [input, scale] = operator.inputs;
  activation(operator, marks, input);
  if (scale?.kind === 'tensor') weight(operator, marks, scale);
  else activation(operator, marks, scale);
  bias(operator, marks);
  activation(operator, marks, ...outputsOf(operator));
};

/**
 * A Relu or Clip of a quantized value: its output is quantized instead, where nothing else takes the input. The
 * reference removes the node; here it stays, and changes nothing where the codes say the same.
 */
const removable: Rule = (operator, _node, marks, facts) => {
  const input = operator.inputs[0] ?? null;
  if (input === null || marks.of(input) === undefined) return;
  const [output = null] = outputsOf(operator);
  if (!facts.isSymmetric(operator.id) && output !== null && isOnlyTaken(input, facts.graph))
    marks.drop(input);
  activation(operator, marks, output);
};

/** Whether an operator makes a value that one input of one operator takes, and nothing else. */
export function isOnlyTaken(place: Place, { values }: OnnxGraph): boolean {
  if (place.kind !== 'value') return false;
  const { producer, consumers, isOutput } = values[place.value]!;
  return producer !== null && !isOutput && consumers.length === 1 && !consumers[0]!.isInner;
}

const gather: Rule = (operator, _node, marks) => {
  const [data] = operator.inputs;
  if (data?.kind === 'tensor') activation(operator, marks, data);
  if (marks.of(data ?? null) !== undefined)
    asInput(operator, marks, outputsOf(operator).slice(0, 1));
};

const split: Rule = (operator, _node, marks) => {
  activation(operator, marks, operator.inputs[0]);
  asInput(operator, marks, outputsOf(operator));
};

const where: Rule = (operator, _node, marks) => {
  const [, first = null, second = null] = operator.inputs;
  if (marks.of(first) !== undefined && marks.of(second) !== undefined)
    activation(operator, marks, ...outputsOf(operator));
};

const pad: Rule = (operator, node, marks, facts) => {
  activation(operator, marks, ...operator.inputs);
  if (addsNoNumber(operator, node, facts)) asInput(operator, marks, outputsOf(operator));
  else activation(operator, marks, ...outputsOf(operator));
};

/** The opset from which Pad takes its value as an input. */
const PAD_INPUTS_OPSET = 11;

/** Whether a Pad adds what its input has, or 0, which every range holds. */
function addsNoNumber({ inputs }: OperatorRef, node: NodeRecord, facts: RuleFacts): boolean {
  const attribute = (wanted: string) => node.attributes.find(({ name }) => name === wanted);
  const mode = attribute('mode')?.text ?? 'constant';
  if (mode !== 'constant') return ['reflect', 'edge', 'wrap'].includes(mode);
  const added = inputs[2] ?? null;
  const isAttribute = facts.opset < PAD_INPUTS_OPSET || inputs.length === 1;
  if (isAttribute) return (attribute('value')?.real ?? 0) === 0;
  return added === null || facts.numberOf(added) === 0;
}

const RULES: ReadonlyMap<string, Rule> = new Map([
  ['Conv', convolution],
  ['ConvTranspose', convolution],
  ['Gemm', gemm],
  ['MatMul', matMul],
  ['Relu', removable],
  ['Clip', removable],
  ...[
    'Reshape',
    'Transpose',
    'Squeeze',
    'Unsqueeze',
    'Flatten',
    'AveragePool',
    'Slice',
    'TopK',
  ].map((op): [string, Rule] => [op, handing]),
  ['MaxPool', handingFrom(12)],
  ['Resize', handingFrom(11)],
  ['Gather', gather],
  ['GatherElements', gather],
  ['Split', split],
  ['Where', where],
  ['Pad', pad],
  ['InstanceNormalization', normalization],
  ['LayerNormalization', normalization],
  ['BatchNormalization', normalization],
]);

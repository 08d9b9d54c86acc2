import type { Operand, OperatorRef } from '../../../../../shared/graph.ts';
import type { FloatReason, Kernels, NodeGroup } from '../../../../../shared/kernels.ts';
import { buildGraph, type OnnxGraph } from '../read/graph.ts';
import type { OnnxIndex } from '../read/records.ts';
import type { OnnxTensor } from '../read/stored.ts';
import { integerKernel } from './integer-kernels.ts';
import { ValueKinds } from './value-kinds.ts';

/** How many names of a group are listed. */
const NAMED = 3;

/** Nodes that compute nothing: bodies, casts, shapes, and the two ends of quantization. */
const NO_WORK = new Set(
  'If Loop Scan Cast Shape Size QuantizeLinear DequantizeLinear DynamicQuantizeLinear'.split(' '),
);
/** Operators that hand their first input on, element by element. */
const MOVES = new Set(
  'Identity Reshape Squeeze Unsqueeze Flatten Transpose Slice Split Expand Gather'.split(' '),
);
/** The Transpose nodes that onnxruntime 1.30 adds to change the memory layout have no name of their own. */
const ADDED_TRANSPOSE = /^Transpose(_token_\d+)?$/;

/** What a graph that onnxruntime has optimized at level "all" runs on. */
export function kernelsOf(index: OnnxIndex, tensors: readonly OnnxTensor[]): Kernels {
  return new Reader(index, tensors).read();
}

class Reader {
  private readonly graph: OnnxGraph;
  private readonly kinds: ValueKinds;
  /** By operator: whether all of its inputs are constant. */
  private readonly isConstant: boolean[] = [];

  constructor(index: OnnxIndex, tensors: readonly OnnxTensor[]) {
    this.graph = buildGraph(index, tensors);
    this.kinds = new ValueKinds(index, this.graph, tensors);
    for (const { id, inputs } of this.graph.operators)
      this.isConstant[id] =
        inputs.length > 0 &&
        inputs.every((operand) => operand?.kind !== 'value' || this.isFixed(operand.value));
  }

  read(): Kernels {
    const [integer, float, unfused] = [new Groups(), new Groups(), new Groups()];
    for (const operator of this.graph.operators) {
      const { op, name } = operator;
      const of = op === 'DequantizeLinear' ? this.unfusedOf(operator) : null;
      if (of !== null) unfused.add(this.takerOf(operator, new Set()), name, of);
      const work = this.workOf(operator);
      if (work === 'codes') integer.add(op, name, '');
      if (work === 'float') float.add(op, name, this.reasonOf(operator));
    }
    return {
      integer: integer.count,
      float: float.count,
      total: this.graph.operators.length,
      unfused: unfused.count,
      integerNodes: integer.list().map(({ group }) => group),
      floatNodes: float
        .list()
        .map(({ group, note }) => ({ ...group, reason: note as FloatReason })),
      unfusedNodes: unfused
        .list()
        .map(({ group, note }) => ({ ...group, of: note as 'weights' | 'activations' })),
    };
  }

  private isFixed(value: number): boolean {
    const { producer } = this.graph.values[value]!;
    return producer !== null && this.isConstant[producer] === true;
  }

  /** What a node works on; null for one that does not compute on either. */
  private workOf({ id, op, domain, name, inputs, outputs }: OperatorRef): 'codes' | 'float' | null {
    if (integerKernel(this.graph.nodes[id]!) !== null) return 'codes';
    if (NO_WORK.has(op) || (op === 'Transpose' && ADDED_TRANSPOSE.test(name))) return null;
    if (domain === 'com.microsoft.nchwc' && op.startsWith('Reorder')) return null;
    const kinds = [
      ...inputs.map((operand) => this.kinds.of(operand)),
      ...outputs.map((value) => (value === null ? null : this.kinds.ofValue(value))),
    ];
    if (kinds.includes('float')) return 'float';
    return kinds.includes('codes') ? 'codes' : null;
  }

  /** What a DequantizeLinear restores without need; null where it follows an integer kernel. */
  private unfusedOf({ id, inputs }: OperatorRef): 'weights' | 'activations' | null {
    if (this.isConstant[id] === true) return 'weights';
    return this.makerOf(inputs[0])?.op === 'QuantizeLinear' ? 'activations' : null;
  }

  /** The operator that makes an operand, in front of those that only move it. */
  private makerOf(from: Operand | undefined): OperatorRef | undefined {
    let operand = from;
    while (operand?.kind === 'value') {
      const { producer } = this.graph.values[operand.value]!;
      const maker = producer === null ? undefined : this.graph.operators[producer];
      if (maker === undefined || !MOVES.has(maker.op) || this.isConstant[maker.id]) return maker;
      operand = maker.inputs[0];
    }
    return undefined;
  }

  /** The operator that takes what a node gives, behind nodes that only move it or are constant. */
  private takerOf({ outputs }: OperatorRef, seen: Set<number>): string {
    for (const value of outputs)
      for (const { operator: id } of value === null ? [] : this.graph.values[value]!.consumers) {
        const taker = this.graph.operators[id]!;
        if (seen.has(id)) continue;
        seen.add(id);
        if (!MOVES.has(taker.op) && this.isConstant[id] !== true) return taker.op;
        const behind = this.takerOf(taker, seen);
        if (behind !== OUTPUT) return behind;
      }
    return OUTPUT;
  }

  private reasonOf({ id, op, inputs }: OperatorRef): FloatReason {
    if (op === 'MatMulNBits') return 'computes in float32 from quantized weights';
    let reason: FloatReason = 'is not quantized';
    if (this.isConstant[id] === true) return 'only its weights are quantized';
    for (const operand of inputs) {
      const maker = this.makerOf(operand);
      if (maker === undefined) continue;
      if (this.isConstant[maker.id] === true) reason = 'only its weights are quantized';
      else if (maker.op === 'DequantizeLinear')
        return 'no integer kernel takes its quantized input';
    }
    return reason;
  }
}

/** What takes a value that no operator takes. */
const OUTPUT = 'an output';

/** Nodes by operator and note, the most frequent first; those that only move values last. */
class Groups {
  count = 0;
  private readonly groups = new Map<
    string,
    { readonly group: NodeGroup & { names: string[]; count: number }; readonly note: string }
  >();

  add(op: string, name: string, note: string): void {
    this.count++;
    const key = `${op}\n${note}`;
    const known = this.groups.get(key) ?? { group: { op, count: 0, names: [] }, note };
    this.groups.set(key, known);
    known.group.count++;
    if (known.group.names.length < NAMED) known.group.names.push(name);
  }

  list(): readonly { readonly group: NodeGroup; readonly note: string }[] {
    const moves = (op: string): number => (MOVES.has(op) ? 1 : 0);
    return [...this.groups.values()].sort(
      ({ group: a }, { group: b }) => moves(a.op) - moves(b.op) || b.count - a.count,
    );
  }
}

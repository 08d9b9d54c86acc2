import type { Operand } from '../../../../../../shared/graph.ts';
import { numberOf } from '../../read/nodes.ts';
import type { LitertGraph } from '../../read/graph.ts';
import type { GraphRecord, LitertIndex, TensorRecord } from '../../read/records.ts';
import { FLOAT32 } from '../../read/tensor-types.ts';
import { isMadeOnce, type LitertTensor } from '../../read/tensors.ts';
import type { StaticFacts } from '../../../format.ts';
import { storedBehind } from '../stored-behind.ts';

/** What full integer quantization is planned from. */
export interface PlanningFacts extends StaticFacts {
  readonly graph: LitertGraph;
  readonly index: LitertIndex;
  readonly tensors: readonly LitertTensor[];
}

/** A float input of an operator: a value, or a stored tensor, whether a DEQUANTIZE restores it from float16 or not. */
export interface FloatOperand {
  readonly input: number;
  readonly place: Exclude<Operand, null>;
}

/** What the first graph says of the values between operators. */
export class GraphView {
  readonly main: GraphRecord;
  private readonly facts: PlanningFacts;
  /** The index of the first tensor of each name: calibration finds values by their names. */
  private readonly firstOf = new Map<string, number>();

  constructor(facts: PlanningFacts) {
    this.facts = facts;
    this.main = facts.index.graphs[0]!;
    for (const [index, { name }] of this.main.tensors.entries())
      if (!this.firstOf.has(name)) this.firstOf.set(name, index);
  }

  tensorOf(value: number): TensorRecord {
    return this.main.tensors[this.facts.graph.tensorOf[value]!]!;
  }

  /** Why a value cannot hold codes; null where it can. */
  whyNoCodes(value: number): string | null {
    const index = this.facts.graph.tensorOf[value]!;
    const { name, node } = this.main.tensors[index]!;
    if (numberOf(node, 'is_variable') !== 0)
      return `${name} is a variable, which keeps its float values`;
    if (this.firstOf.get(name) !== index)
      return `${name} has the name of another value, so that its range is not known`;
    const { producer } = this.facts.graph.values[value]!;
    return producer === null || isMadeOnce(this.main, index)
      ? null
      : `several operators make ${name}`;
  }

  /** The stored tensor that a value is restored from by DEQUANTIZE; null for other values. */
  storedBehind(value: number): number | null {
    return storedBehind(this.facts.graph, this.facts.tensors, value);
  }

  /** A stored tensor in the place of a value that is restored from it. */
  resolved(operand: Operand): Operand {
    const stored = operand?.kind === 'value' ? this.storedBehind(operand.value) : null;
    return stored === null ? operand : { kind: 'tensor', tensor: stored };
  }

  /** The float inputs of an operator of the first graph. */
  floatInputs(operator: number): FloatOperand[] {
    const types = this.main.operators[operator]!.inputs;
    return this.facts.graph.operators[operator]!.inputs.flatMap((operand, input) => {
      if (operand === null || this.main.tensors[types[input]!]!.type !== FLOAT32) return [];
      return [{ input, place: this.resolved(operand)! }];
    });
  }

  /** The float outputs of an operator. */
  floatOutputs(operator: number): number[] {
    return this.facts.graph.operators[operator]!.outputs.filter(
      (output): output is number => output !== null && this.tensorOf(output).type === FLOAT32,
    );
  }
}

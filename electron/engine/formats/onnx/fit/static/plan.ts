import type {
  OperatorPlan,
  Plan,
  TensorPlan,
  ValuePlan,
  WeightPlans,
} from '../../../../../../shared/plan.ts';
import { scaleCount, whyNotSmaller } from '../../../../../../shared/plan.ts';
import type { ActivationScheme } from '../../../../../../shared/recipe.ts';
import type { ChosenRange } from '../../../../../../shared/ranges.ts';
import {
  activationParameters,
  clippedParameters,
} from '../../../../quantize/activation-parameters.ts';
import { meanExcess } from './bias-correction.ts';
import { placeBiases, whyNoBias, type BiasFacts } from '../../../static/biases.ts';
import type { PlanningFacts } from './facts.ts';
import { floatOperators } from './float-operators.ts';
import { clipLimits, handsOnCodes, isWanted, whyNoKernel } from './operators.ts';
import { planAsReference } from './reference-plan.ts';
import { effectiveRange, type ResponseFacts } from './response.ts';
import { activationSchemes } from '../../../static/activation-schemes.ts';
import { withoutRange } from '../../../static/without-range.ts';

/**
 * Plan which operators compute on integers and which values are quantized for them. A value that no integer
 * kernel takes or makes stays in float: quantizing it would cost accuracy and time for nothing. A recipe that
 * names operators is planned by the rules of onnxruntime's quantize_static instead.
 * @param asked what the recipe asks of the weights, in the order of the tensors
 */
export function planStatic(asked: WeightPlans, facts: PlanningFacts): Plan {
  const named = facts.recipe.activations?.operators;
  if (named !== undefined) return planAsReference(asked, facts, new Set(named));
  return new StaticPlanner(asked, facts).plan();
}

/** A value that operators on integers take or make. */
interface Quantized {
  readonly scheme: ActivationScheme;
  readonly scale: number;
  readonly zeroPoint: number;
  takers: 'all' | { readonly operator: number; readonly input: number }[];
  readonly effective?: ChosenRange;
  readonly reason: string | null;
}

/** Which input of an operator is its weight. */
const WEIGHT = 1;
const BIAS = 2;

/** Why a Relu or Clip behind an operator on integers is none of its own. */
const TOLD = 'the codes behind it say the same, so onnxruntime leaves it out';

/** Operators whose weight and bias onnxruntime quantizes itself (its WeightBiasQuantization). */
const QUANTIZED_BY_RUNTIME: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm']);

class StaticPlanner {
  private readonly facts: PlanningFacts;
  private readonly weights: TensorPlan[];
  private readonly operators: OperatorPlan[] = [];
  private readonly values = new Map<number, Quantized>();
  private readonly schemeOf: (operator: number) => ActivationScheme | null;

  constructor(asked: WeightPlans, facts: PlanningFacts) {
    this.facts = facts;
    this.weights = [...asked];
    this.schemeOf = activationSchemes(facts.recipe, facts.graph);
  }

  plan(): Plan {
    const onFloats = floatOperators(this.facts);
    for (const { id } of this.facts.graph.operators) {
      if (!onFloats.has(id)) {
        this.operators.push({ operator: id, isInteger: false, reason: null });
        continue;
      }
      const why = this.isTold(id) ? TOLD : this.whyFloat(id);
      const unknown = why === null ? this.withoutRange(id) : null;
      const reason = why ?? unknown?.reason ?? null;
      const addsBias = reason === null && this.hasComputedBias(id);
      this.operators.push({
        ...{ operator: id, isInteger: reason === null, reason, ...unknown },
        ...(addsBias ? { addsBias } : {}),
      });
      if (reason === null) this.quantize(id);
      else if (this.carries(id))
        this.operators[id] = { operator: id, isInteger: true, reason: null };
    }
    this.keepSmallWeights();
    this.planBiases();
    const activations = [...this.values].map(([value, quantized]): ValuePlan => ({
      value,
      ...quantized,
    }));
    return { weights: this.weights, activations, operators: this.operators };
  }

  /** onnxruntime makes such a Gemm of a MatMul and an Add when it prepares the model. */
  private hasComputedBias(id: number): boolean {
    return this.facts.graph.operators[id]!.inputs[BIAS]?.kind === 'value';
  }

  /** Whether codes that were planned for an operator's output tell what it does: behindClip planned them. */
  private isTold(id: number): boolean {
    return this.outputOf(id).some((output) => this.values.has(output));
  }

  /** Why an operator computes in float whatever the ranges of its values. */
  private whyFloat(id: number): string | null {
    const { graph } = this.facts;
    const operator = graph.operators[id]!;
    const scheme = this.schemeOf(id);
    if (operator.domain !== '')
      return `no integer kernel is known of ${operator.domain}.${operator.op}`;
    if (!isWanted(operator.op))
      return `${operator.op} stays in float, as no integer kernel of it gains anything`;
    if (scheme === null) return 'kept in float by a rule';
    const why = whyNoKernel(graph.nodes[id]!);
    if (why !== null) return why;
    const [input, weight] = operator.inputs;
    if (weight?.kind !== 'tensor')
      return 'both its inputs are computed, and no stored weight is among them';
    if (input?.kind !== 'value') return 'its input is stored, and not computed';
    const before = this.floatBetween(input.value);
    if (before !== null)
      return `${before} stays in float, which onnxruntime would compute on integers were its output quantized`;
    const entry = this.weights[weight.tensor]!;
    const why8Bit = this.whyNot8Bit(entry);
    if (why8Bit !== null) return why8Bit;
    const bias = operator.inputs[BIAS];
    const whyBias = bias?.kind === 'tensor' ? this.whyNoBias(bias.tensor, entry) : null;
    if (operator.op === 'Conv' && this.hasComputedBias(id))
      return 'its bias is computed, and the integer Conv takes a stored one';
    return whyBias;
  }

  /** The first value that an operator on integers takes or makes and that has no range. */
  private withoutRange(id: number): Pick<OperatorPlan, 'missing' | 'reason'> | null {
    const { op, inputs } = this.facts.graph.operators[id]!;
    const input = inputs[0]?.kind === 'value' ? [inputs[0].value] : [];
    return withoutRange(
      [...input, ...(op === 'Conv' ? this.outputOf(id) : [])],
      this.schemeOf(id)!,
      this.facts,
    );
  }

  /**
   * The name of an operator in float that makes a value, behind a Relu or Clip or not, of codes alone. Between a
   * DequantizeLinear and a QuantizeLinear onnxruntime quantizes the weight and bias of a Conv or Gemm itself, whatever
   * the plan says, with an attribute of opset 13.
   */
  private floatBetween(value: number): string | null {
    const { graph } = this.facts;
    for (let made = graph.values[value]!.producer; made !== null;) {
      const { op, name, inputs } = graph.operators[made]!;
      const [input] = inputs;
      if (input?.kind !== 'value') return null;
      const isBetween = QUANTIZED_BY_RUNTIME.has(op) && !this.operators[made]!.isInteger;
      if (isBetween && this.values.get(input.value)?.takers === 'all') return name;
      if (op !== 'Relu' && op !== 'Clip') return null;
      made = graph.values[input.value]!.producer;
    }
    return null;
  }

  private whyNot8Bit({ tensor, scheme, reason }: TensorPlan): string | null {
    const { ref } = this.facts.tensors[tensor]!;
    if (scheme === null) return `its weight stays in float: ${reason ?? 'not quantized'}`;
    if (scheme.dtype !== 'int8' && scheme.dtype !== 'uint8')
      return `its weight is ${scheme.dtype}, and integer kernels take int8 and uint8`;
    if (scheme.kind === 'block') return 'its weight is quantized in blocks';
    return ref.dtype === 'float32' ? null : `its weight is ${ref.dtype}, and not float32`;
  }

  private whyNoBias(bias: number, { tensor, scheme }: TensorPlan): string | null {
    const { tensors } = this.facts;
    return whyNoBias(tensors[bias]!, scaleCount(scheme!, tensors[tensor]!.ref));
  }

  private outputOf(id: number): readonly number[] {
    return this.facts.graph.operators[id]!.outputs.filter((output) => output !== null);
  }

  private quantize(id: number): void {
    const operator = this.facts.graph.operators[id]!;
    const scheme = this.schemeOf(id)!;
    const [input] = operator.inputs;
    if (input?.kind === 'value') this.takeQuantized(input.value, id, scheme);
    // The integer Conv gives codes. MatMul and Gemm give float as well, which loses nothing.
    if (operator.op === 'Conv')
      for (const output of this.outputOf(id)) this.makeQuantized(output, scheme);
  }

  /** An operator on integers takes a value at its first input. */
  private takeQuantized(value: number, operator: number, scheme: ActivationScheme): void {
    const known = this.values.get(value);
    if (known === undefined) {
      const takers = [{ operator, input: 0 }];
      this.values.set(value, { ...this.ownParameters(value, scheme), takers });
    } else if (known.takers !== 'all') known.takers.push({ operator, input: 0 });
  }

  /** An operator on integers makes a value: everything takes its codes, behind the Relu or Clip that they tell of as well. */
  private makeQuantized(value: number, scheme: ActivationScheme): void {
    const clipped = this.behindClip(value, scheme);
    if (clipped !== null) {
      this.values.set(clipped.value, {
        scheme,
        ...clipped.parameters,
        takers: 'all',
        reason: null,
      });
      return;
    }
    this.values.set(value, { ...this.ownParameters(value, scheme), takers: 'all' });
  }

  /** What a Relu or Clip makes of a value that nothing else takes, where codes of that say the same without it. */
  private behindClip(
    value: number,
    scheme: ActivationScheme,
  ): { readonly value: number; readonly parameters: { scale: number; zeroPoint: number } } | null {
    const { graph } = this.facts;
    const { consumers, isOutput } = graph.values[value]!;
    const [consumer] = consumers;
    if (isOutput || consumer === undefined || consumers.length > 1 || consumer.isInner) return null;
    const { inputs, outputs } = graph.operators[consumer.operator]!;
    const limits = clipLimits(graph.nodes[consumer.operator]!, (input) => {
      const operand = inputs[input];
      return operand?.kind === 'tensor' ? this.numberOf(operand.tensor) : null;
    });
    const output = outputs[0] ?? null;
    if (limits === null || output === null) return null;
    const range = this.facts.rangeOf(output, scheme);
    if ('missing' in range) return null;
    const parameters = clippedParameters(scheme, range, limits);
    return parameters === null ? null : { value: output, parameters };
  }

  /** Whether an operator in float hands the codes of its input on, which its output then has the parameters of. */
  private carries(id: number): boolean {
    const { graph, opset } = this.facts;
    const operator = graph.operators[id]!;
    const [input] = operator.inputs;
    const output = operator.outputs[0];
    if (input?.kind !== 'value' || output === null || output === undefined) return false;
    const known = this.values.get(input.value);
    if (known === undefined || known.takers !== 'all') return false;
    if (!handsOnCodes(graph.nodes[id]!, opset) || this.schemeOf(id) === null) return false;
    const { scheme, scale, zeroPoint } = known;
    const reason = `the parameters of ${graph.values[input.value]!.name}, whose codes ${operator.op} hands on`;
    this.values.set(output, { scheme, scale, zeroPoint, takers: 'all', reason });
    return true;
  }

  /** Scale and zero point of the part of a value's range that makes a difference, or of the range set by hand. */
  private ownParameters(value: number, scheme: ActivationScheme): Omit<Quantized, 'takers'> {
    const whole = this.chosen(value, { ...scheme, range: 'minmax' });
    const part = effectiveRange(value, whole, this.responseFacts);
    const parameters = activationParameters(scheme, this.chosen(value, scheme, part));
    const quantized = { scheme, ...parameters, reason: null };
    if (part === whole) return quantized;
    const reason = isSetByHand(scheme) ? null : partialReason(part);
    return { ...quantized, effective: part, reason };
  }

  private chosen(value: number, scheme: ActivationScheme, part?: ChosenRange): ChosenRange {
    const range = this.facts.rangeOf(value, scheme, part);
    if ('missing' in range) throw new RangeError(`value ${value} was not observed`);
    return range;
  }

  private get responseFacts(): ResponseFacts {
    return { graph: this.facts.graph, numberOf: (tensor) => this.numberOf(tensor) };
  }

  /** The only number of a stored tensor; null where it has more. */
  private numberOf(tensor: number): number | null {
    if (this.facts.tensors[tensor]!.ref.elements !== 1) return null;
    return this.facts.numbersOf(tensor)[0] ?? null;
  }

  /** Weights of operators on integers are quantized whatever their size; others from the recipe's least size on. */
  private keepSmallWeights(): void {
    const { graph, recipe, tensors } = this.facts;
    const taken = new Set<number>();
    for (const { operator, isInteger } of this.operators) {
      const weight = graph.operators[operator]!.inputs[WEIGHT];
      if (isInteger && weight?.kind === 'tensor') taken.add(weight.tensor);
    }
    for (const { tensor, scheme, byRule } of this.weights) {
      if (scheme === null || taken.has(tensor)) continue;
      const { ref } = tensors[tensor]!;
      const isSmall = !byRule && ref.elements < recipe.minElements;
      const reason = isSmall
        ? `under ${recipe.minElements} elements, the minimum size of the recipe`
        : whyNotSmaller(scheme, ref);
      if (reason !== null) this.weights[tensor] = { tensor, scheme: null, reason, byRule };
    }
  }

  /** Biases of operators on integers become int32. */
  private planBiases(): void {
    const uses = this.operators.flatMap(({ operator, isInteger }) =>
      isInteger ? (this.biasFacts(operator) ?? []) : [],
    );
    placeBiases(uses, this.weights, this.operators, this.facts.tensors);
  }

  private biasFacts(id: number): BiasFacts | null {
    const { inputs, op } = this.facts.graph.operators[id]!;
    // A Slice that hands codes on takes stored tensors there as well.
    if (!isWanted(op)) return null;
    const [input, weight, bias] = [inputs[0], inputs[WEIGHT], inputs[BIAS]];
    if (input?.kind !== 'value' || weight?.kind !== 'tensor' || bias?.kind !== 'tensor')
      return null;
    const parameters = this.facts.parametersOf(weight.tensor, this.weights[weight.tensor]!.scheme!);
    if (parameters === null) return null;
    const inputScale = this.values.get(input.value)!.scale;
    const values = this.facts.numbersOf(bias.tensor);
    const { scheme } = this.weights[weight.tensor]!;
    const isCorrected = this.schemeOf(id)?.biasCorrection === true;
    return {
      ...{ operator: id, weight: weight.tensor, bias: bias.tensor },
      ...{ inputScale, parameters, values },
      excess: isCorrected ? meanExcess(id, scheme!, this.facts) : null,
    };
  }
}

function isSetByHand({ range }: ActivationScheme): boolean {
  return typeof range === 'object' && 'clip' in range;
}

function partialReason({ low, high }: ChosenRange): string {
  const [from, to] = [low, high].map((end) => String(Number(end.toPrecision(3))));
  return `its range is chosen within ${from} to ${to}, as the operators that take it give the same results for all values beyond`;
}

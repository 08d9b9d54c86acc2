import {
  scaleCount,
  type OperatorPlan,
  type TensorPlan,
  type WeightPlans,
} from '../../../../../../shared/plan.ts';
import type { ActivationScheme } from '../../../../../../shared/recipe.ts';
import { numberOf } from '../../read/nodes.ts';
import type { OperatorRecord } from '../../read/records.ts';
import { whyNoBias } from '../../../static/biases.ts';
import { withoutRange } from '../../../static/without-range.ts';
import { whyUntouchable } from '../untouchable.ts';
import type { FloatOperand, GraphView, PlanningFacts } from './facts.ts';
import { integerRule, type OperatorRule } from './rules.ts';

/** What becomes of an operator: how it computes on integers; or in float, and why where it computes on floats at all. */
export type Decision =
  | { readonly rule: OperatorRule; readonly scheme: ActivationScheme }
  | { readonly rule: null; readonly why: Pick<OperatorPlan, 'reason' | 'missing'> };

/** Activation functions, by their numbers in the schema, that integer kernels do not fuse. */
const FLOAT_ACTIVATIONS: Readonly<Record<number, string>> = { 4: 'TANH', 5: 'SIGN_BIT' };

/** Decides which operators compute on integers. The operators of subgraphs do not. */
export class Decisions {
  private readonly facts: PlanningFacts;
  private readonly view: GraphView;
  private readonly asked: WeightPlans;
  private readonly schemeOf: (operator: number) => ActivationScheme | null;
  /** What each stored tensor is taken as so far: an operator that wants it otherwise stays in float. */
  private readonly taken = new Map<number, 'weight' | 'activation'>();

  /** @param schemeOf of the activations of an operator, as LiteRT's kernels take them */
  constructor(
    facts: PlanningFacts,
    view: GraphView,
    asked: WeightPlans,
    schemeOf: (operator: number) => ActivationScheme | null,
  ) {
    [this.facts, this.view, this.asked] = [facts, view, asked];
    this.schemeOf = schemeOf;
  }

  of(id: number): Decision {
    const operator = this.facts.graph.operators[id]!;
    if (operator.graph !== '') return inFloat('it is in a subgraph, whose values are not observed');
    const inputs = this.view.floatInputs(id);
    const outputs = this.view.floatOutputs(id);
    const isRestoring = outputs.some((output) => this.view.storedBehind(output) !== null);
    if (isRestoring || inputs.length + outputs.length === 0) return inFloat(null);
    const record = this.view.main.operators[id]!;
    const rule = integerRule(record);
    if (rule === null) return inFloat(`LiteRT has no integer kernel of ${operator.op}`);
    const scheme = this.schemeOf(id);
    if (scheme === null) return inFloat('kept in float by a rule');
    const taken = inputs.flatMap(({ place }) => (place.kind === 'value' ? [place.value] : []));
    const isWide = scheme.dtype === 'int16';
    const reason =
      (isWide && rule.int16 === null ? `LiteRT has no int16 kernel of ${operator.op}` : null) ??
      whyNotFused(record) ??
      this.whyNotWeighted(rule, id) ??
      this.whyNoConstants(rule, inputs) ??
      this.whyNoCodes([...taken, ...outputs]);
    if (reason !== null) return inFloat(reason);
    const ranged = rule.kind === 'fixed' ? taken : [...taken, ...outputs];
    const why = withoutRange(ranged, scheme, this.facts);
    if (why !== null) return { rule: null, why };
    this.take(rule, inputs);
    return { rule, scheme };
  }

  private whyNotWeighted(rule: OperatorRule, id: number): string | null {
    if (rule.kind !== 'weighted') return null;
    const operands = this.facts.graph.operators[id]!.inputs.map((each) => this.view.resolved(each));
    const [input, weight, bias] = [rule.input, rule.weight, rule.bias].map((at) => operands[at]);
    if (input?.kind !== 'value') return 'its input is stored, and not computed';
    if (weight?.kind !== 'tensor')
      return 'both its inputs are computed, and no stored weight is among them';
    const entry = this.asked[weight.tensor]!;
    const why = this.whyNot8Bit(entry);
    if (why !== null || bias === null || bias === undefined) return why;
    if (bias.kind === 'value') return 'its bias is computed, and integer kernels take a stored one';
    const scales = scaleCount(entry.scheme!, this.facts.tensors[weight.tensor]!.ref);
    return (
      this.whyNotStored(bias.tensor) ??
      whyNoBias(this.facts.tensors[bias.tensor]!, scales, ['float32', 'float16'])
    );
  }

  private whyNot8Bit({ tensor, scheme, reason }: TensorPlan): string | null {
    if (scheme === null) return `its weight stays in float: ${reason ?? 'not quantized'}`;
    if (scheme.kind !== 'affine' || scheme.dtype !== 'int8' || !scheme.symmetric)
      return "LiteRT's integer kernels take weights in symmetric int8, one scale a tensor or a channel";
    return this.whyNotStored(tensor);
  }

  /** Why a stored tensor cannot become codes; null where it can. */
  private whyNotStored(tensor: number): string | null {
    const stored = this.facts.tensors[tensor]!;
    const why = stored.ref.fixed ?? whyUntouchable(stored);
    return why === null ? null : `${stored.ref.name}: ${why}`;
  }

  private whyNoConstants(rule: OperatorRule, inputs: readonly FloatOperand[]): string | null {
    for (const { input, place } of inputs) {
      if (place.kind !== 'tensor') continue;
      const wanted = useOf(rule, input);
      const known = this.taken.get(place.tensor) ?? wanted;
      const { ref } = this.facts.tensors[place.tensor]!;
      // A bias is stored beside the codes that others take.
      if (known !== wanted && wanted !== 'bias')
        return `${ref.name} is taken as codes of another kind already`;
      const why = this.whyNotStored(place.tensor);
      if (why !== null) return why;
      if (ref.elements === 0) return `${ref.name} has no elements`;
    }
    return null;
  }

  private whyNoCodes(values: readonly number[]): string | null {
    for (const value of values) {
      const why = this.view.whyNoCodes(value);
      if (why !== null) return why;
    }
    return null;
  }

  private take(rule: OperatorRule, inputs: readonly FloatOperand[]): void {
    for (const { input, place } of inputs) {
      const use = useOf(rule, input);
      if (place.kind === 'tensor' && use !== 'bias') this.taken.set(place.tensor, use);
    }
  }
}

function inFloat(reason: string | null): Decision {
  return { rule: null, why: { reason } };
}

/** What a stored tensor is to an operator. */
export function useOf(rule: OperatorRule, input: number): 'weight' | 'activation' | 'bias' {
  if (rule.kind !== 'weighted') return 'activation';
  return input === rule.weight ? 'weight' : input === rule.bias ? 'bias' : 'activation';
}

function whyNotFused({ options }: OperatorRecord): string | null {
  if (options === null || !FUSING.has(options.table)) return null;
  const name = FLOAT_ACTIVATIONS[numberOf(options, 'fused_activation_function')];
  return name === undefined ? null : `integer kernels do not fuse its ${name}`;
}

/** The options of operators that may fuse an activation function. */
const FUSING: ReadonlySet<string> = new Set([
  ...['AddOptions', 'SubOptions', 'MulOptions', 'FullyConnectedOptions', 'ConcatenationOptions'],
  ...['Conv2DOptions', 'DepthwiseConv2DOptions', 'TransposeConvOptions', 'Pool2DOptions'],
  'L2NormOptions',
]);

import type {
  OperatorPlan,
  Plan,
  TensorPlan,
  ValuePlan,
  ValueTaker,
  WeightPlans,
} from '../../../../../../shared/plan.ts';
import type { ScaleZeroPoint } from '../../../../../../shared/affine.ts';
import type { ActivationScheme, BorderType } from '../../../../../../shared/recipe.ts';
import type { ChosenRange } from '../../../../../../shared/ranges.ts';
import { isNarrow, schemeOf, withFields, type Scheme } from '../../../../../../shared/scheme.ts';
import { activationParameters } from '../../../../quantize/activation-parameters.ts';
import { activationSchemes } from '../../../static/activation-schemes.ts';
import { placeBiases, type BiasFacts } from '../../../static/biases.ts';
import { FLOAT32 } from '../../read/tensor-types.ts';
import { Decisions, useOf, type Decision } from './decide.ts';
import { GraphView, type FloatOperand, type PlanningFacts } from './facts.ts';
import { fusedClips } from './fused.ts';
import { Groups, type Group } from './groups.ts';
import type { OperatorRule } from './rules.ts';
import { kernelActivations } from './schemes.ts';

/**
 * Plan full integer quantization as LiteRT's 8-bit specification says and its converter does: every operator that has
 * an integer kernel computes on codes; the others stay in float, with the reason.
 * @param asked what the recipe asks of the weights, in the order of the tensors
 */
export function planStatic(asked: WeightPlans, facts: PlanningFacts): Plan {
  return new StaticPlanner(asked, facts).plan();
}

type Integer = Extract<Decision, { readonly scheme: ActivationScheme }>;

/** Why a constant has a scale. */
const AS_ACTIVATION = 'quantized as activations are, which it is added to or multiplied with';
/** How constants among activations are stored. */
const CONSTANT = schemeOf({ dtype: 'int8', symmetric: false, granularity: 'tensor' });
/** The input of an operator that wants zero point 0 (OperatorRule.centred). */
const CENTRED_INPUT = 1;
const CENTRED_CONSTANT = schemeOf({
  ...{ dtype: 'int8', symmetric: true, granularity: 'tensor' },
  narrowRange: true,
});
const WIDE_CONSTANT = schemeOf({ dtype: 'int16', symmetric: true, granularity: 'tensor' });
/** The parameters that kernels prescribe for int16. */
const WIDE_FIXED: ScaleZeroPoint = { scale: 1 / 32768, zeroPoint: 0 };
/** What zero points of uint8 are above those of int8 that stand for the same. */
const UINT8_OFFSET = 128;

class StaticPlanner {
  private readonly facts: PlanningFacts;
  private readonly view: GraphView;
  private readonly asked: WeightPlans;
  private readonly weights: TensorPlan[];
  private readonly integers = new Map<number, Integer>();
  /** Operators that the one before them clips for, and that one. */
  private fused: ReadonlyMap<number, number> = new Map();
  private readonly groups = new Groups();
  private readonly known = new Map<Group, ScaleZeroPoint>();
  private readonly base: ActivationScheme | null;
  private readonly schemeOf: (operator: number) => ActivationScheme | null;

  constructor(asked: WeightPlans, facts: PlanningFacts) {
    [this.facts, this.asked] = [facts, asked];
    this.view = new GraphView(facts);
    this.base = kernelActivations(facts.recipe);
    this.schemeOf = activationSchemes({ ...facts.recipe, activations: this.base }, facts.graph);
    this.weights = [...asked];
  }

  plan(): Plan {
    const decisions = new Decisions(this.facts, this.view, this.asked, this.schemeOf);
    const operators = this.facts.graph.operators.map(({ id }): OperatorPlan => {
      const decision = decisions.of(id);
      if (decision.rule === null) return { operator: id, isInteger: false, ...decision.why };
      this.integers.set(id, decision);
      return { operator: id, isInteger: true, reason: null };
    });
    const { graph } = this.facts;
    this.fused = fusedClips(graph, this.view.main, (id) => this.integers.has(id));
    for (const [operator, fusedInto] of this.fused)
      operators[operator] = { ...operators[operator]!, fusedInto };
    for (const id of this.integers.keys()) this.fixParameters(id);
    for (const id of this.integers.keys()) this.shareParameters(id);
    for (const id of this.integers.keys()) this.centreParameters(id);
    this.keepWeights(operators);
    for (const id of this.integers.keys()) this.planStored(id);
    const biases = [...this.integers.keys()].flatMap((id) => this.biasOf(id) ?? []);
    this.placeBiases(biases, operators);
    return { weights: this.weights, activations: this.planValues(), operators, ...this.border() };
  }

  private get isWide(): boolean {
    return this.base?.dtype === 'int16';
  }

  private get constantScheme(): Scheme {
    return this.isWide ? WIDE_CONSTANT : CONSTANT;
  }

  /** The type of the model's float inputs and outputs, where it is not float. */
  private border(): Pick<Plan, 'io'> {
    const io = this.base?.io ?? 'float32';
    return io === 'float32' ? {} : { io: this.isWide ? 'int16' : io };
  }

  /** Weights that no operator on integers takes stay as they are, for the reason of the first that takes them. */
  private keepWeights(operators: readonly OperatorPlan[]): void {
    const reasons = new Map<number, string>();
    for (const { operator, reason } of operators) {
      const { op, inputs } = this.facts.graph.operators[operator]!;
      for (const each of reason === null ? [] : inputs) {
        const place = each?.kind === 'value' ? this.view.resolved(each) : each;
        if (place?.kind === 'tensor' && !reasons.has(place.tensor))
          reasons.set(place.tensor, `${op} stays in float: ${reason}`);
      }
    }
    for (const [tensor, entry] of this.weights.entries())
      if (entry.scheme !== null)
        this.weights[tensor] = {
          ...entry,
          scheme: null,
          reason: reasons.get(tensor) ?? entry.reason,
        };
  }

  /** Outputs of kernels that prescribe their parameters, and stored tables, which have their own. */
  private fixParameters(id: number): void {
    const { rule } = this.integers.get(id)!;
    if (rule.kind === 'fixed') {
      const { scale, zeroPoint } = this.isWide ? WIDE_FIXED : rule;
      for (const value of this.view.floatOutputs(id))
        this.groups.fix({ kind: 'value', value }, { scale, zeroPoint });
    }
    const [first] = this.view.floatInputs(id);
    if (rule.kind !== 'same' || rule.inputs !== 'first' || first?.place.kind !== 'tensor') return;
    this.groups.fix(first.place, this.measured(first.place.tensor));
  }

  private shareParameters(id: number): void {
    const { rule } = this.integers.get(id)!;
    if (rule.kind !== 'same') return;
    const [output, ...others] = this.view.floatOutputs(id);
    if (output === undefined) return;
    const made = { kind: 'value', value: output } as const;
    for (const value of others) this.groups.join({ kind: 'value', value }, made);
    const inputs = this.view.floatInputs(id);
    for (const { place } of rule.inputs === 'first' ? inputs.slice(0, 1) : inputs)
      // Codes of other fixed parameters are made anew before an operator that chooses among its inputs.
      if (rule.inputs === 'first' || this.groups.of(place).fixed === null)
        this.groups.join(place, made);
  }

  /** A constant that is a bias as well keeps the codes that others take: the bias is stored beside it. */
  private placeBiases(biases: readonly BiasFacts[], operators: OperatorPlan[]): void {
    const constants = biases.flatMap(({ bias }) => {
      const entry = this.weights[bias]!;
      return entry.scheme === null ? [] : [entry];
    });
    placeBiases(biases, this.weights, operators, this.facts.tensors);
    if (this.isWide)
      for (const { bias } of biases) {
        const { reason, ...entry } = this.weights[bias]!;
        this.weights[bias] = {
          ...entry,
          codesDtype: 'int64',
          reason: `${reason}; in 64 bits, as int16 kernels take it`,
        };
      }
    for (const entry of constants) this.weights[entry.tensor] = entry;
  }

  /** The second matrix of a product has zero point 0, stored or computed. */
  private centreParameters(id: number): void {
    const { rule } = this.integers.get(id)!;
    const matrix = this.view.floatInputs(id).find(({ input }) => input === CENTRED_INPUT);
    if (rule.kind === 'own' && rule.centred === true && matrix?.place.kind === 'value')
      this.groups.centre(matrix.place);
  }

  /** Weights as kernels take them, and constants as the activations that they are computed with. */
  private planStored(id: number): void {
    const { rule } = this.integers.get(id)!;
    for (const { input, place } of this.view.floatInputs(id)) {
      if (place.kind !== 'tensor') continue;
      const use = useOf(rule, input);
      if (use === 'weight') this.weights[place.tensor] = this.weightPlan(place.tensor);
      if (use === 'activation') this.weights[place.tensor] = this.constantPlan(place, rule);
    }
  }

  private weightPlan(tensor: number): TensorPlan {
    const entry = this.asked[tensor]!;
    if (isNarrow(entry.scheme!)) return entry;
    const reason = "codes from -127 to 127, as LiteRT's integer kernels take them";
    return { ...entry, scheme: withFields(entry.scheme!, { narrowRange: true }), reason };
  }

  private constantPlan(
    place: Extract<FloatOperand['place'], { kind: 'tensor' }>,
    rule: OperatorRule,
  ): TensorPlan {
    const { tensor } = place;
    const isCentred = rule.kind === 'own' && rule.centred === true && !this.isWide;
    const scheme = isCentred ? CENTRED_CONSTANT : this.constantScheme;
    const planned = { tensor, scheme, reason: AS_ACTIVATION, byRule: false };
    if (rule.kind !== 'same') return planned;
    const { scale, zeroPoint } = this.parametersOf(this.groups.of(place));
    return { ...planned, parameters: { scale: [scale], zeroPoint: [zeroPoint], axis: null } };
  }

  private measured(tensor: number): ScaleZeroPoint {
    const known = this.facts.parametersOf(tensor, this.constantScheme);
    return { scale: known?.scale[0] ?? 1, zeroPoint: known?.zeroPoint[0] ?? 0 };
  }

  private biasOf(id: number): BiasFacts | null {
    const { rule } = this.integers.get(id)!;
    if (rule.kind !== 'weighted') return null;
    const operands = this.facts.graph.operators[id]!.inputs.map((each) => this.view.resolved(each));
    const [input, weight, bias] = [rule.input, rule.weight, rule.bias].map((at) => operands[at]);
    if (input?.kind !== 'value' || weight?.kind !== 'tensor' || bias?.kind !== 'tensor')
      return null;
    const parameters = this.facts.parametersOf(weight.tensor, this.weights[weight.tensor]!.scheme!);
    if (parameters === null) return null;
    const inputScale = this.parametersOf(this.groups.of(input)).scale;
    const values = this.facts.numbersOf(bias.tensor);
    return {
      ...{ operator: id, weight: weight.tensor, bias: bias.tensor },
      ...{ inputScale, parameters, values, excess: null },
    };
  }

  /** The parameters of a group: fixed, or of the range that all its members span. */
  private parametersOf(group: Group): ScaleZeroPoint {
    const known = this.known.get(group) ?? group.fixed ?? this.ownParameters(group);
    this.known.set(group, known);
    return known;
  }

  private ownParameters(group: Group): ScaleZeroPoint {
    const scheme = { ...this.base!, symmetric: this.base!.symmetric || group.isCentred };
    return activationParameters(scheme, this.rangeOf(group));
  }

  private rangeOf({ values, tensors }: Group): ChosenRange {
    let [low, high] = [0, 0];
    const widen = (range: ChosenRange): void => {
      low = Math.min(low, range.low);
      high = Math.max(high, range.high);
    };
    for (const value of values) {
      const range = this.facts.rangeOf(value, this.schemeOfValue(value));
      if (!('missing' in range)) widen(range);
    }
    for (const tensor of tensors)
      for (const number of this.facts.numbersOf(tensor)) widen({ low: number, high: number });
    return { low, high };
  }

  /** The scheme of the operator on integers that makes a value, or else of the first that takes it. */
  private schemeOfValue(value: number): ActivationScheme {
    const { producer, consumers } = this.facts.graph.values[value]!;
    const operators = [producer, ...consumers.map(({ operator }) => operator)];
    const integer = operators.find((id) => id !== null && this.integers.has(id));
    return this.integers.get(integer!)!.scheme;
  }

  private planValues(): ValuePlan[] {
    return this.facts.graph.values.flatMap(({ id, producer, graph, consumers }) => {
      if (graph !== '' || this.isFused(consumers) || this.view.storedBehind(id) !== null) return [];
      const isMade = producer !== null && this.integers.has(producer);
      return this.plansOf(id, isMade);
    });
  }

  /** Whether a value is that between an operator and the one that clips it, which become one. */
  private isFused([only]: readonly ValueTaker[]): boolean {
    return only !== undefined && this.fused.has(only.operator);
  }

  /** How a value is quantized for the operators that take it; again where one wants other parameters. */
  private plansOf(value: number, isMade: boolean): ValuePlan[] {
    if (this.view.tensorOf(value).type !== FLOAT32) return [];
    const own: ValueTaker[] = [];
    const plans: ValuePlan[] = [];
    for (const { operator, input } of this.facts.graph.values[value]!.consumers) {
      const other = this.otherParameters(value, { operator, input });
      if (!this.integers.has(operator)) continue;
      if (other === null) own.push({ operator, input });
      else plans.push(this.valuePlan(value, other, [{ operator, input }], null));
    }
    const parameters = (): ScaleZeroPoint =>
      this.parametersOf(this.groups.of({ kind: 'value', value }));
    const isInput = this.facts.graph.values[value]!.producer === null;
    if (isMade)
      return [this.valuePlan(value, parameters(), 'all', this.whyTheseOf(value)), ...plans];
    if (own.length === 0) return plans;
    const io = isInput ? (this.base!.io ?? 'float32') : 'float32';
    return [...this.bordered(value, parameters(), own, io), ...plans];
  }

  /** A model's input: codes for all, codes in uint8 that a QUANTIZE shifts, or float that it quantizes. */
  private bordered(
    value: number,
    parameters: ScaleZeroPoint,
    own: readonly ValueTaker[],
    io: BorderType,
  ): ValuePlan[] {
    if (io === 'float32') return [this.valuePlan(value, parameters, own, null)];
    if (io === 'int8' || this.isWide) return [this.valuePlan(value, parameters, 'all', null)];
    const scheme = { ...this.base!, dtype: 'uint8' } as const;
    const shifted = { ...parameters, zeroPoint: parameters.zeroPoint + UINT8_OFFSET };
    return [
      { ...this.valuePlan(value, shifted, 'all', null), scheme },
      this.valuePlan(value, parameters, own, null),
    ];
  }

  private valuePlan(
    value: number,
    { scale, zeroPoint }: ScaleZeroPoint,
    takers: ValuePlan['takers'],
    reason: string | null,
  ): ValuePlan {
    const { dtype, symmetric } = this.base!;
    const scheme = { ...this.schemeOfValue(value), dtype, symmetric };
    return { value, scheme, scale, zeroPoint, takers, reason };
  }

  /** The parameters that an operator wants a value in, where they are not the value's own. */
  private otherParameters(value: number, { operator, input }: ValueTaker): ScaleZeroPoint | null {
    const rule = this.integers.get(operator)?.rule;
    const own = { kind: 'value', value } as const;
    if (rule?.kind === 'own' && rule.centred === true && input === CENTRED_INPUT) {
      const group = this.groups.of(own);
      // Codes of parameters that a kernel prescribes are made anew.
      return (group.fixed?.zeroPoint ?? 0) === 0 ? null : this.ownParameters(group);
    }
    const [output] = this.view.floatOutputs(operator);
    if (rule?.kind !== 'same' || output === undefined) return null;
    const wanted = { kind: 'value', value: output } as const;
    return this.groups.areOne(own, wanted) ? null : this.parametersOf(this.groups.of(wanted));
  }

  private whyTheseOf(value: number): string | null {
    const { values, tensors, fixed, isCentred } = this.groups.of({ kind: 'value', value });
    if (isCentred && fixed === null)
      return 'zero point 0, which XNNPACK takes the second matrix of BATCH_MATMUL to have';
    if (fixed !== null && tensors.length === 0)
      return 'the scale and zero point that LiteRT prescribes';
    const other = values.find((each) => each !== value);
    const name =
      other === undefined
        ? this.facts.tensors[tensors[0] ?? -1]?.ref.name
        : this.facts.graph.values[other]!.name;
    return name === undefined ? null : `one scale with ${name}, as operators hand its codes on`;
  }
}

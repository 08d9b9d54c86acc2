import type { Operand } from '../../../../../../shared/graph.ts';
import {
  scaleCount,
  type OperatorPlan,
  type Plan,
  type TensorPlan,
  type ValuePlan,
  type WeightPlans,
} from '../../../../../../shared/plan.ts';
import type { ChosenRange } from '../../../../../../shared/ranges.ts';
import {
  ACTIVATION_DTYPES,
  type ActivationDtype,
  type ActivationScheme,
} from '../../../../../../shared/recipe.ts';
import { isInBlocks, schemeOf, type Scheme } from '../../../../../../shared/scheme.ts';
import { activationParameters } from '../../../../quantize/activation-parameters.ts';
import type { WeightParameters } from '../../../format.ts';
import { placeBiases, whyNoBias, type BiasFacts } from '../../../static/biases.ts';
import type { Use } from '../../read/stored.ts';
import type { PlanningFacts } from './facts.ts';
import { floatOperators } from './float-operators.ts';
import { Marks, type BiasMark, type Mark, type Place } from './marks.ts';
import { isOnlyTaken, markOperator } from './reference-rules.ts';
import { activationSchemes } from '../../../static/activation-schemes.ts';

/**
 * Plan what onnxruntime 1.30's quantize_static makes of a model when it is given these types of operators: each of
 * its scales, zero points and codes, but for the differences that docs/formats.md lists.
 * @param named types of operators, as the recipe names them
 */
export function planAsReference(
  asked: WeightPlans,
  facts: PlanningFacts,
  named: ReadonlySet<string>,
): Plan {
  return new ReferencePlanner(asked, facts, named).plan();
}

/** Domains whose operators the reference knows by their types. */
const KNOWN_DOMAINS: ReadonlySet<string> = new Set(['', 'com.microsoft']);

const NOT_TAKEN = 'no operator that the recipe names takes it';

class ReferencePlanner {
  private readonly facts: PlanningFacts;
  private readonly named: ReadonlySet<string>;
  private readonly asked: WeightPlans;
  private readonly weights: TensorPlan[];
  private readonly operators: OperatorPlan[] = [];
  private readonly schemeOf: (operator: number) => ActivationScheme | null;
  private readonly marks: Marks;
  /** Ranges that values have instead of their own. */
  private readonly ranges = new Map<number, ChosenRange>();

  constructor(asked: WeightPlans, facts: PlanningFacts, named: ReadonlySet<string>) {
    this.facts = facts;
    this.named = named;
    this.asked = asked;
    this.weights = asked.map((entry) =>
      entry.scheme === null ? entry : { ...entry, scheme: null, reason: NOT_TAKEN },
    );
    this.schemeOf = activationSchemes(facts.recipe, facts.graph);
    this.marks = new Marks((place) => this.isQuantizable(place));
  }

  plan(): Plan {
    const { graph } = this.facts;
    for (const { id } of graph.operators) if (this.whyFloat(id) === null) this.adjustRange(id);
    const onFloats = floatOperators(this.facts);
    for (const { id } of graph.operators) {
      const planned = this.planOperator(id);
      const isOther = !planned.isInteger && !onFloats.has(id);
      this.operators.push(isOther ? { ...planned, reason: null } : planned);
    }
    // A tensor that is added as a bias keeps its 32 bits: what else takes it takes it in float.
    for (const { bias } of this.marks.biases) this.marks.drop({ kind: 'tensor', tensor: bias });
    for (const mark of this.marks.all) this.planTensor(mark);
    const uses = this.marks.biases.flatMap((mark) => this.biasFacts(mark) ?? []);
    placeBiases(uses, this.weights, this.operators, this.facts.tensors);
    const activations = this.marks.all.flatMap((mark) => this.planValue(mark) ?? []);
    return { weights: this.weights, activations, operators: this.operators };
  }

  private planOperator(operator: number): OperatorPlan {
    const reason = this.whyFloat(operator);
    if (reason === null) markOperator(operator, this.marks, this.ruleFacts);
    const { inputs, outputs } = this.facts.graph.operators[operator]!;
    const places = [...inputs, ...outputs.map(placeOf)];
    const isInteger = reason === null && places.some((place) => this.marks.of(place) !== undefined);
    const none = 'neither its inputs nor its outputs are quantized';
    return { operator, isInteger, reason: isInteger ? null : (reason ?? none) };
  }

  private get ruleFacts() {
    return {
      graph: this.facts.graph,
      opset: this.facts.opset,
      isSymmetric: (operator: number) => this.schemeOf(operator)?.symmetric === true,
      numberOf: (operand: Operand) => this.numberOf(operand),
    };
  }

  private numberOf(operand: Operand): number | null {
    if (operand?.kind !== 'tensor') return null;
    if (this.facts.tensors[operand.tensor]!.ref.elements !== 1) return null;
    return this.facts.numbersOf(operand.tensor)[0] ?? null;
  }

  private whyFloat(id: number): string | null {
    const { op, domain, graph, inputs } = this.facts.graph.operators[id]!;
    if (!KNOWN_DOMAINS.has(domain) || !this.named.has(op))
      return `${op} is not among the operators that the recipe names`;
    if (this.schemeOf(id) === null) return 'kept in float by a rule';
    if (graph !== '') return 'it is in a subgraph, which quantize_static leaves in float';
    const kept = inputs.find((input) => this.isKeptByRule(input));
    return kept === undefined ? null : 'its weight stays in float: kept by a rule';
  }

  private isKeptByRule(operand: Operand): boolean {
    if (operand?.kind !== 'tensor') return false;
    const { scheme, byRule } = this.asked[operand.tensor]!;
    return byRule && scheme === null;
  }

  /** Of float32 numbers that are not quantized already. */
  private isQuantizable(place: Place): boolean {
    const { graph, tensors } = this.facts;
    if (place.kind === 'tensor') {
      const { ref, stored } = tensors[place.tensor]!;
      const isFree = ref.quantization === null && ref.fixed === undefined && ref.elements > 0;
      return isFree && ref.dtype === 'float32' && !stored.uses.some(isUnsafe);
    }
    const { producer } = graph.values[place.value]!;
    const isRestored = producer !== null && graph.operators[producer]!.op === 'DequantizeLinear';
    return !isRestored && this.rangeOf(place.value, this.anyScheme) !== null;
  }

  /** Whether a value was observed does not depend on the scheme, and minmax takes no search. */
  private readonly anyScheme = { dtype: 'uint8', symmetric: false, range: 'minmax' } as const;

  private rangeOf(value: number, scheme: ActivationScheme): ChosenRange | null {
    const adjusted = this.ranges.get(value);
    if (adjusted !== undefined) return adjusted;
    const range = this.facts.rangeOf(value, scheme);
    return 'missing' in range ? null : range;
  }

  /**
   * The input of a Relu or Clip that nothing else takes gets the range of its output, and the output of a Softmax the
   * range from 0 to 1 (adjust_tensor_ranges). A graph's output keeps its own: it is taken outside of the graph.
   */
  private adjustRange(id: number): void {
    const { op, inputs, outputs } = this.facts.graph.operators[id]!;
    const [input, output] = [inputs[0] ?? null, outputs[0] ?? null];
    const scheme = this.schemeOf(id)!;
    if (output === null || this.rangeOf(output, scheme) === null) return;
    if (op === 'Softmax') this.ranges.set(output, { low: 0, high: 1 });
    if ((op !== 'Relu' && op !== 'Clip') || input?.kind !== 'value') return;
    if (isOnlyTaken(input, this.facts.graph) && this.rangeOf(input.value, scheme) !== null)
      this.ranges.set(input.value, this.rangeOf(output, scheme)!);
  }

  /** The scheme that a marked stored tensor is quantized under. */
  private tensorScheme({ place, as, operator }: Mark): Scheme | null {
    if (place.kind !== 'tensor') return null;
    const entry = this.asked[place.tensor]!;
    if (entry.byRule) return entry.scheme;
    const { dtype, symmetric } = this.schemeOf(operator)!;
    if (as === 'activation')
      return schemeOf({ dtype, symmetric, granularity: 'tensor', range: 'minmax' });
    const { default: base } = this.facts.recipe;
    return entry.scheme ?? (base === null ? null : schemeOf({ ...base, granularity: 'tensor' }));
  }

  private planTensor(mark: Mark): void {
    if (mark.place.kind !== 'tensor') return;
    const { tensor } = mark.place;
    const scheme = this.tensorScheme(mark);
    const { byRule, reason, scheme: asked } = this.asked[tensor]!;
    const why = mark.as === 'activation' ? CONSTANT : asked === null ? NO_WEIGHT : reason;
    this.weights[tensor] = { tensor, scheme, reason: scheme === null ? reason : why, byRule };
  }

  private planValue(mark: Mark): ValuePlan | null {
    const { place, provider } = mark;
    if (place.kind !== 'value') return null;
    const known = this.parametersOf(mark);
    if (known === null) return null;
    const { scheme, parameters } = known;
    return {
      ...{ value: place.value, scheme, takers: 'all' },
      ...{ scale: parameters.scale[0]!, zeroPoint: parameters.zeroPoint[0]! },
      reason: provider === null ? null : `the parameters of ${this.nameOf(provider)}`,
    };
  }

  private nameOf(place: Place): string {
    return place.kind === 'value'
      ? this.facts.graph.values[place.value]!.name
      : this.facts.tensors[place.tensor]!.ref.name;
  }

  /** The scheme and parameters of a marked value: those of its provider, where that has one scale, or its own. */
  private parametersOf({ place, provider, operator }: Mark): Known | null {
    const handed = provider === null ? null : this.known(provider);
    if (handed !== null) return handed;
    if (place.kind !== 'value') return null;
    const scheme = this.schemeOf(operator)!;
    const range = this.rangeOf(place.value, scheme);
    if (range === null) return null;
    const { scale, zeroPoint } = activationParameters(scheme, range);
    return { scheme, parameters: { scale: [scale], zeroPoint: [zeroPoint] } };
  }

  private known(place: Place): Known | null {
    const mark = this.marks.of(place);
    if (mark === undefined) return null;
    if (place.kind === 'value') return this.parametersOf(mark);
    const scheme = this.tensorScheme(mark);
    if (scheme?.kind !== 'affine' && scheme?.kind !== 'block') return null;
    const parameters = this.facts.parametersOf(place.tensor, scheme);
    if (parameters?.scale.length !== 1) return null;
    const { dtype, symmetric } = scheme;
    if (!isActivationDtype(dtype)) return null;
    return { scheme: { dtype, symmetric, range: 'minmax' }, parameters };
  }

  private biasFacts({ operator, input, weight, bias, beta }: BiasMark): BiasFacts | null {
    const { tensors } = this.facts;
    const known = this.known(input);
    const parameters = this.weightParameters(weight);
    if (
      known === null ||
      parameters === null ||
      !this.isQuantizable({ kind: 'tensor', tensor: bias })
    )
      return null;
    if (whyNoBias(tensors[bias]!, parameters.scale.length) !== null) return null;
    const values = this.facts.numbersOf(bias).map((value) => value * beta);
    return {
      ...{ operator, bias, inputScale: known.parameters.scale[0]!, parameters, values },
      weight: weight.kind === 'tensor' ? weight.tensor : null,
      excess: null,
      ...(beta === 1 ? {} : { takesBeta: true as const }),
    };
  }

  private weightParameters(place: Place): WeightParameters | null {
    const mark = this.marks.of(place);
    if (mark === undefined) return null;
    if (place.kind === 'value') return this.parametersOf(mark)?.parameters ?? null;
    const scheme = this.tensorScheme(mark);
    if (scheme === null || scheme.kind === 'cast' || isInBlocks(scheme)) return null;
    const parameters = this.facts.parametersOf(place.tensor, scheme);
    const { ref } = this.facts.tensors[place.tensor]!;
    return parameters?.scale.length === scaleCount(scheme, ref) ? parameters : null;
  }
}

const CONSTANT = 'a constant, quantized as activations are';
const NO_WEIGHT = 'quantized per tensor, as onnxruntime does';

interface Known {
  readonly scheme: ActivationScheme;
  readonly parameters: WeightParameters;
}

/** Whether an operator takes a tensor as scales or the like, which must stay as they are; what Pad adds may be quantized. */
function isUnsafe({ isSensitive, op }: Use): boolean {
  return isSensitive && op !== 'Pad';
}

function placeOf(value: number | null): Operand {
  return value === null ? null : { kind: 'value', value };
}

function isActivationDtype(dtype: Scheme['dtype']): dtype is ActivationDtype {
  return ACTIVATION_DTYPES.some((each) => each === dtype);
}

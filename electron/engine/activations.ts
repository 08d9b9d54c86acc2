import { scaleRange } from '../../shared/affine.ts';
import type {
  ActivationDetail,
  ActivationRange,
  FloatGroup,
  LayerActivation,
  QuantizedActivation,
  StaticOutline,
} from '../../shared/activations.ts';
import { valueKey, type ModelGraph, type Operand, type OperatorRef } from '../../shared/graph.ts';
import type { OperatorPlan, Plan, ValuePlan } from '../../shared/plan.ts';
import {
  HISTOGRAM_BINS,
  RANGE_METHODS,
  rangeName,
  type ChosenRange,
  type ObservedValue,
  type Ranges,
} from '../../shared/ranges.ts';
import { BASE_ACTIVATIONS, type ActivationScheme, type Recipe } from '../../shared/recipe.ts';
import type { Histogram } from '../../shared/report.ts';
import { chooseRange, sqnrOfParameters } from './calibrate/choose-range.ts';
import { activationParameters } from './quantize/activation-parameters.ts';

/** LiteRT's operator that makes float32 of stored float16. */
const RESTORING = 'DEQUANTIZE';

/** Bins of a row's small histogram. */
const ROW_BINS = 24;

/** The methods that the inspector compares. */
const METHODS = RANGE_METHODS.map((range) => [rangeName(range), range] as const);

/** The outputs of weights' operators under a plan of mode static, by what was observed of them. */
export class Activations {
  private readonly graph: ModelGraph;
  private readonly ranges: Ranges;
  private readonly observed: ReadonlyMap<string, ObservedValue>;
  /** The operator that takes each tensor, the first one where several do. */
  private readonly takers = new Map<number, OperatorRef>();

  constructor(graph: ModelGraph, ranges: Ranges) {
    this.graph = graph;
    this.ranges = ranges;
    this.observed = new Map(ranges.values.map((value) => [value.name, value]));
    for (const operator of graph.operators)
      for (const input of operator.op === RESTORING ? [] : operator.inputs) {
        const stored = input?.kind === 'value' ? this.restoredFrom(input.value) : input;
        if (stored?.kind === 'tensor' && !this.takers.has(stored.tensor))
          this.takers.set(stored.tensor, operator);
      }
  }

  /** The stored tensor that a value of a LiteRT model is restored from; null for other values. */
  private restoredFrom(value: number): Operand {
    const { producer } = this.graph.values[value]!;
    const operator = producer === null ? undefined : this.graph.operators[producer];
    return operator?.op === RESTORING ? (operator.inputs[0] ?? null) : null;
  }

  /** What is done to the operator that takes the codes of a stored tensor and computes on integers; null where none does. */
  integerTaker(tensor: number, { weights, operators }: Plan): OperatorPlan | null {
    const taker = this.takers.get(tensor);
    const operator = taker === undefined ? undefined : operators[taker.id];
    if (operator?.isInteger !== true || weights[tensor]!.scheme === null) return null;
    return operator;
  }

  /**
   * What becomes of the output of a weight's operator; null where none is known.
   * @param tensor the weight in the prepared model
   * @param source the number that the answer has
   */
  of(tensor: number, source: number, plan: Plan): LayerActivation | null {
    const operator = this.takers.get(tensor);
    const output = operator?.outputs[0] ?? null;
    if (operator === undefined || output === null) return null;
    const planned = this.planned(output, plan);
    const value = valueKey(this.graph.values[planned?.value ?? output]!);
    const observed = this.observed.get(value) ?? null;
    return {
      ...{ tensor: source, value, operator: operator.name, op: operator.op },
      observed:
        observed === null
          ? null
          : {
              ...{ min: observed.min, max: observed.max },
              counts: reducedHistogram(observed, ROW_BINS).counts,
            },
      quantized: planned === null ? null : quantizedOf(planned),
      reason: planned === null ? this.whyFloat(operator, plan) : planned.reason,
    };
  }

  /** The same with the histogram and the ranges that methods choose, each found by its search. */
  detail(
    tensor: number,
    source: number,
    { plan, recipe, bins }: { readonly plan: Plan; readonly recipe: Recipe; readonly bins: number },
  ): ActivationDetail | null {
    const layer = this.of(tensor, source, plan);
    if (layer === null) return null;
    const observed = this.observed.get(layer.value) ?? null;
    const { samples } = this.ranges;
    if (observed === null)
      return { ...layer, samples, statistics: null, histogram: null, ranges: [], sqnrDb: null };
    const scheme = layer.quantized?.scheme ?? recipe.activations ?? BASE_ACTIVATIONS;
    const { mean, power, count, nonFinite } = observed;
    return {
      ...{ ...layer, samples },
      statistics: { mean, std: Math.sqrt(Math.max(0, power - mean * mean)), count, nonFinite },
      histogram: reducedHistogram(observed, bins),
      ranges: METHODS.map(([method, range]) =>
        candidate(observed, method, { ...scheme, range }, layer.quantized?.effective),
      ),
      sqnrDb:
        layer.quantized === null
          ? null
          : sqnrOfParameters(
              observed,
              layer.quantized.scheme,
              layer.quantized,
              layer.quantized.effective,
            ),
    };
  }

  /** How a value is quantized, or what the one operator behind it makes of it, whose codes stand for both. */
  private planned(output: number, { activations, operators }: Plan): ValuePlan | null {
    const of = (value: number): ValuePlan | null =>
      activations.find((each) => each.value === value && each.scheme !== null) ?? null;
    const own = of(output);
    if (own !== null) return own;
    const { consumers } = this.graph.values[output]!;
    const [consumer] = consumers;
    if (consumer === undefined || consumers.length > 1 || consumer.isInner) return null;
    const { op, outputs } = this.graph.operators[consumer.operator]!;
    const behind = outputs[0] ?? null;
    const clips =
      op === 'Relu' || op === 'Clip' || operators[consumer.operator]?.fusedInto !== undefined;
    return behind !== null && clips ? of(behind) : null;
  }

  private whyFloat({ id, op }: OperatorRef, { operators }: Plan): string {
    const entry = operators[id];
    if (entry === undefined) return 'not planned';
    return entry.reason ?? `${op} on integers gives float, and no operator on integers takes it`;
  }
}

function quantizedOf({ scheme, scale, zeroPoint, effective }: ValuePlan): QuantizedActivation {
  const { qmin, qmax } = scaleRange(scheme!.dtype, scheme!.symmetric);
  return {
    ...{ scheme: scheme!, scale, zeroPoint },
    low: (qmin - zeroPoint) * scale,
    high: (qmax - zeroPoint) * scale,
    ...(effective === undefined ? {} : { effective }),
  };
}

function candidate(
  observed: ObservedValue,
  method: string,
  scheme: ActivationScheme,
  part: ChosenRange | undefined,
): ActivationRange {
  const range = chooseRange(observed, scheme, part);
  const parameters = activationParameters(scheme, range);
  const sqnrDb = sqnrOfParameters(observed, scheme, parameters, part);
  return { method, lo: range.low, hi: range.high, sqnrDb };
}

/**
 * An observed histogram in at most so many bins, each some of its own together: from the bin of the least
 * value to that of the greatest. No count is lost.
 */
export function reducedHistogram({ min, max, histogram }: ObservedValue, bins: number): Histogram {
  const limit = Math.max(Math.abs(min), Math.abs(max));
  const first = Math.max(
    0,
    histogram.findIndex((count) => count > 0),
  );
  const end = Math.max(first + 1, histogram.findLastIndex((count) => count > 0) + 1);
  const together = Math.ceil((end - first) / bins);
  const groups = Math.ceil((end - first) / together);
  const counts = Array.from({ length: groups }, (_, group) => {
    const from = first + group * together;
    return histogram.slice(from, from + together).reduce((sum, count) => sum + count, 0);
  });
  const edge = (bin: number): number => -limit + (2 * limit * bin) / HISTOGRAM_BINS;
  return { lo: edge(first), hi: edge(first + groups * together), counts };
}

/** What a plan of mode static does to a model's values and operators, in numbers and reasons. */
export function outlineOf(plan: Plan, { operators }: ModelGraph): StaticOutline {
  const groups = new Map<string, { operators: number; ops: Set<string> }>();
  for (const { operator, reason } of plan.operators) {
    if (reason === null) continue;
    const group = groups.get(reason) ?? { operators: 0, ops: new Set<string>() };
    group.operators++;
    group.ops.add(operators[operator]!.op);
    groups.set(reason, group);
  }
  const float = [...groups].map(([reason, group]): FloatGroup => ({
    ...{ reason, operators: group.operators, ops: [...group.ops] },
  }));
  return {
    activations: plan.activations.filter(({ scheme }) => scheme !== null).length,
    integerOperators: plan.operators.filter(({ isInteger }) => isInteger).length,
    // Those that compute on no floats, or restore stored ones, are neither.
    operators: plan.operators.filter(({ isInteger, reason }) => isInteger || reason !== null)
      .length,
    float: float.sort((a, b) => b.operators - a.operators),
    ...(plan.bestRange === undefined ? {} : { bestRange: plan.bestRange }),
    ...(plan.equalization === undefined ? {} : { equalization: plan.equalization }),
  };
}

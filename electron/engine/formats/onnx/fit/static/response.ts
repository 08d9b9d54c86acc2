import type { ModelGraph } from '../../../../../../shared/graph.ts';
import { largest, smallest } from '../../../../../../shared/lists.ts';
import type { ChosenRange } from '../../../../../../shared/ranges.ts';
import type { NodeRecord } from '../../read/records.ts';
import { clipLimits } from './operators.ts';

/** What is asked of the graph around a value. */
export interface ResponseFacts {
  readonly graph: ModelGraph & { readonly nodes: readonly NodeRecord[] };
  /** The number that a stored tensor of one element holds; null for other tensors. */
  readonly numberOf: (tensor: number) => number | null;
}

/** Points between the ends of a range at which the operators that follow are computed. */
const POINTS = 2048;
/** Steps between the codes of 8 bits. */
const STEPS = 255;
/** Operators that are followed: hard-swish between two scalings takes 8. */
const MOST_OPERATORS = 32;
/**
 * Parts of the span of the results that count as equal: what float32 rounds. A looser one, of a part of a step of
 * 8 bits, shifts all that lies beyond to one side: it cost 1 dB on a network with x * sigmoid(x).
 */
const SAME = 2 ** -20;

/** What was found for the values of a graph: plans by other recipes ask for the same. */
const found = new WeakMap<ResponseFacts['graph'], Map<string, ChosenRange | null>>();

/**
 * The part of a value's range that makes a difference: beyond it, all that takes the value makes the same of it.
 * Hard-swish makes 0 of all below -3, and codes for what is far below would cost resolution for nothing. Found
 * by computing the elementwise operators that follow, up to those that are not, over the whole range.
 * @param range the observed ends
 * @returns the range itself where all of it makes a difference
 */
export function effectiveRange(
  value: number,
  range: ChosenRange,
  facts: ResponseFacts,
): ChosenRange {
  const known = found.get(facts.graph) ?? new Map<string, ChosenRange | null>();
  found.set(facts.graph, known);
  const key = [value, range.low, range.high].join(' ');
  if (!known.has(key)) known.set(key, partOf(value, range, facts));
  return known.get(key) ?? range;
}

/** Null where all of the range makes a difference. */
function partOf(value: number, range: ChosenRange, facts: ResponseFacts): ChosenRange | null {
  const width = range.high - range.low;
  if (!(width > 0) || !Number.isFinite(width)) return null;
  const points = Float64Array.from(
    { length: POINTS + 1 },
    (_, at) => range.low + (width * at) / POINTS,
  );
  const results = resultsAfter(value, points, facts);
  const [first, last] = [
    smallest(results.map((result) => levelFrom(result, 0, 1))),
    largest(results.map((result) => levelFrom(result, POINTS, -1))),
  ];
  // A value that nothing takes, or that makes no difference at all, keeps its range.
  if (first >= last || (first === 0 && last === POINTS)) return null;
  // The zero point is rounded: with a step more, the last code lies beyond the part that makes a difference.
  const step = (points[last]! - points[first]!) / STEPS;
  return {
    low: Math.max(range.low, points[first]! - step),
    high: Math.min(range.high, points[last]! + step),
  };
}

/** The last point, from one end on, whose result is that of the end. */
function levelFrom(result: Float64Array, end: number, step: 1 | -1): number {
  let [low, high] = [Infinity, -Infinity];
  for (const each of result) {
    if (each < low) low = each;
    if (each > high) high = each;
  }
  const near = (high - low) * SAME;
  if (!Number.isFinite(near)) return end;
  let at = end;
  while (
    at + step >= 0 &&
    at + step <= POINTS &&
    Math.abs(result[at + step]! - result[end]!) <= near
  )
    at += step;
  return at;
}

/** What operators that are not elementwise take of a value, for each point that it may have. */
function resultsAfter(value: number, points: Float64Array, facts: ResponseFacts): Float64Array[] {
  const { graph } = facts;
  const known = new Map([[value, points]]);
  const exits = new Set<number>();
  const waiting = [value];
  let followed = 0;
  for (let current = waiting.shift(); current !== undefined; current = waiting.shift()) {
    const { consumers, isOutput } = graph.values[current]!;
    if (isOutput || consumers.length === 0) exits.add(current);
    for (const { operator, isInner } of consumers) {
      const output = graph.operators[operator]!.outputs[0] ?? null;
      if (output !== null && known.has(output)) continue;
      const made = isInner || followed >= MOST_OPERATORS ? null : compute(operator, known, facts);
      // One that takes another value of the same origin is tried again from there.
      if (made === null || output === null) exits.add(current);
      else {
        followed++;
        known.set(output, made);
        waiting.push(output);
      }
    }
  }
  return [...exits]
    .filter((exit) => !isTakenByKnown(exit, known, graph))
    .map((exit) => known.get(exit)!);
}

/** Whether all that takes a value was computed in the end: one input of an operator may be found before the other. */
function isTakenByKnown(
  value: number,
  known: ReadonlyMap<number, Float64Array>,
  graph: ModelGraph,
): boolean {
  const { consumers, isOutput } = graph.values[value]!;
  return (
    !isOutput &&
    consumers.length > 0 &&
    consumers.every(({ operator, isInner }) => {
      const output = graph.operators[operator]!.outputs[0] ?? null;
      return !isInner && output !== null && known.has(output);
    })
  );
}

type Elementwise = (a: number, b: number) => number;

const BINARY: Readonly<Record<string, Elementwise>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

/** An elementwise operator's results; null where it is not one, or takes what does not follow from the value. */
function compute(
  operator: number,
  known: ReadonlyMap<number, Float64Array>,
  { graph, numberOf }: ResponseFacts,
): Float64Array | null {
  const { inputs, outputs } = graph.operators[operator]!;
  const node = graph.nodes[operator]!;
  if (node.domain !== '' || outputs.length !== 1) return null;
  const operandAt = (input: number): Float64Array | number | null => {
    const operand = inputs[input];
    if (operand?.kind === 'value') return known.get(operand.value) ?? null;
    return operand?.kind === 'tensor' ? numberOf(operand.tensor) : null;
  };
  const first = operandAt(0);
  if (first === null) return null;
  const binary = BINARY[node.opType];
  const second = binary === undefined ? 0 : operandAt(1);
  const compute = binary ?? unary(node, operandAt);
  if (second === null || compute === null) return null;
  const at = (operand: Float64Array | number, point: number): number =>
    typeof operand === 'number' ? operand : operand[point]!;
  return Float64Array.from({ length: POINTS + 1 }, (_, point) =>
    compute(at(first, point), at(second, point)),
  );
}

function unary(
  node: NodeRecord,
  operandAt: (input: number) => Float64Array | number | null,
): ((a: number) => number) | null {
  const real = (name: string, fallback: number): number =>
    node.attributes.find((attribute) => attribute.name === name)?.real ?? fallback;
  const limits = clipLimits(node, (input) => {
    const limit = operandAt(input);
    return typeof limit === 'number' ? limit : null;
  });
  if (limits !== null) return (a) => Math.min(limits.high, Math.max(limits.low, a));
  const hard =
    (alpha: number, beta: number) =>
    (a: number): number =>
      Math.min(1, Math.max(0, alpha * a + beta));
  switch (node.opType) {
    case 'Sigmoid':
      return (a) => 1 / (1 + Math.exp(-a));
    case 'Tanh':
      return (a) => Math.tanh(a);
    case 'HardSigmoid':
      return hard(real('alpha', 0.2), real('beta', 0.5));
    case 'HardSwish':
      return (a) => a * hard(1 / 6, 0.5)(a);
    default:
      return null;
  }
}

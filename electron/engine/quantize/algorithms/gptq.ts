import { restoredValue } from '../../../../shared/affine.ts';
import { smallest } from '../../../../shared/lists.ts';
import { roundHalfEven } from '../../../../shared/rounding.ts';
import { emptyCodes, type Problem, type Solution } from './algorithm.ts';
import { factorOf } from './factor.ts';
import { squaredOutput } from './nearest.ts';

/** Rows that are solved at a time, for each row of the factor that is read. */
const TILE = 8;

/** The shares of a group's range that the search for its scale tries. */
const SHARES: readonly number[] = Array.from({ length: 21 }, (_, at) => 1 - at * 0.025);

/** Columns that are solved before those after them are told; scales of more are searched column by column. */
const LONGEST_PART = 128;

/**
 * GPTQ (Frantar et al. 2022): column by column, each code makes up for the errors of those before it, as far as the
 * moments of the inputs say that it can. The inverse of the paper is not needed: with H = R R^T, R upper triangular,
 * the weight that a column is rounded from is w_j + sum over i < j of e_i R_ij / R_jj, where e is the error so far
 * (Chen et al. 2025, "The geometry of LLM quantization": GPTQ is Babai's nearest plane).
 *
 * Where the problem has a rule, each group's scale is searched when its first column is reached: the share of the
 * range of the weights, moved by the errors before, that leaves the least error of the layer's outputs.
 * Both orders of columns are tried, the tensor's and that of falling moments; the better one is kept.
 */
export function gptq(problem: Problem): Solution | null {
  const solutions = ['tensor', 'moments'].flatMap((by) => {
    const order = orderOf(problem, by === 'moments');
    return new Solver(problem, order).solve() ?? [];
  });
  const least = smallest(solutions.map(({ error }) => error));
  return solutions.find(({ error }) => error === least) ?? null;
}

/** Columns of the first row's groups one after the other, in the order of the tensor or of falling moments. */
export function orderOf({ matrix, moments }: Problem, byMoments: boolean): Int32Array {
  const { columns } = matrix;
  const power = (column: number): number => moments[column * columns + column]!;
  const groups = new Map<number, number[]>();
  for (let column = 0; column < columns; column++) {
    const group = matrix.group(0, column);
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [column]);
    else members.push(column);
  }
  const parts = [...groups.values()].map((members) => ({
    members: byMoments ? members.sort((a, b) => power(b) - power(a) || a - b) : members,
    mean: members.reduce((sum, column) => sum + power(column), 0) / members.length,
  }));
  if (byMoments) parts.sort((a, b) => b.mean - a.mean || a.members[0]! - b.members[0]!);
  return Int32Array.from(parts.flatMap(({ members }) => members));
}

/** Consecutive columns of the order that share a group in each row: [from, to). */
type Span = readonly [from: number, to: number];

interface Range {
  readonly low: number;
  readonly high: number;
}

class Solver {
  private readonly problem: Problem;
  private readonly order: Int32Array;
  private readonly spans: readonly Span[];
  private readonly scale: Float64Array;
  private readonly zeroPoint: Int32Array;
  private readonly codes: ReturnType<typeof emptyCodes>;
  private factor: Float64Array = new Float64Array(0);
  /** Of the rows of a tile: weights in the order, errors so far, and what those add to each column. */
  private readonly weights: Float64Array;
  private readonly errors: Float64Array;
  private readonly pushed: Float64Array;
  /** Of the span that is being tried. */
  private readonly tried: { readonly codes: Int32Array; readonly errors: Float64Array };

  constructor(problem: Problem, order: Int32Array) {
    this.problem = problem;
    this.order = order;
    const { matrix, job, values, format } = problem;
    this.spans = spansOf(order, (column) => matrix.group(0, column));
    this.scale = job.parameters.scale.slice();
    this.zeroPoint = job.parameters.zeroPoint.slice();
    this.codes = emptyCodes(values.length, format);
    const size = matrix.columns;
    this.weights = new Float64Array(TILE * size);
    this.errors = new Float64Array(TILE * size);
    this.pushed = new Float64Array(TILE * size);
    this.tried = { codes: new Int32Array(size), errors: new Float64Array(size) };
  }

  solve(): Solution | null {
    const { matrix, moments, check } = this.problem;
    const factor = factorOf(moments, this.order, check);
    if (factor === null) return null;
    this.factor = factor;
    let error = 0;
    for (let row = 0; row < matrix.rows; row += TILE) {
      check();
      error += this.solveTile(row, Math.min(TILE, matrix.rows - row));
    }
    const { scale, zeroPoint, codes } = this;
    return { parameters: { scale, zeroPoint }, codes, error };
  }

  /** Solves some rows, and returns the error of their outputs. */
  private solveTile(first: number, rows: number): number {
    const { order, weights, pushed, errors, spans } = this;
    const { matrix, values, moments } = this.problem;
    const { columns } = matrix;
    pushed.fill(0);
    for (let row = 0; row < rows; row++)
      for (let at = 0; at < columns; at++)
        weights[row * columns + at] = values[matrix.index(first + row, order[at]!)]!;
    for (const span of spans) {
      for (let row = 0; row < rows; row++) this.chooseScale(first + row, row * columns, span);
      for (const part of partsOf(span)) {
        for (let row = 0; row < rows; row++) this.solvePart(first + row, row * columns, part);
        this.push(part, rows);
      }
    }
    let sum = 0;
    const own = new Float64Array(columns);
    for (let row = 0; row < rows; row++) {
      for (let at = 0; at < columns; at++) own[order[at]!] = errors[row * columns + at]!;
      sum += squaredOutput(own, moments);
    }
    return sum;
  }

  /** Searches the scale of one row's span. @param base where the row begins in the tile's lists */
  private chooseScale(row: number, base: number, span: Span): void {
    const { matrix, rule, signedScale } = this.problem;
    if (rule === null) return;
    const group = matrix.group(row, this.order[span[0]]!);
    const isLong = span[1] - span[0] > LONGEST_PART;
    const { low, high } = this.rangeOf(base, span, isLong);
    const costOf = (scale: number, zeroPoint: number, limit: number): number =>
      isLong
        ? this.costByColumn(base, span, scale, zeroPoint)
        : this.tryCodes(base, span, scale, zeroPoint, limit);
    let least = Infinity;
    const widest = Math.max(high, -low);
    const ranges = signedScale ? [[-widest, widest] as const, [low, high] as const] : [[low, high]];
    for (const [from, to] of ranges) {
      for (const share of SHARES) {
        const { scale, zeroPoint } = rule(from * share, to * share);
        const cost = costOf(scale, zeroPoint, least);
        if (!(cost < least)) continue;
        least = cost;
        this.scale[group] = scale;
        this.zeroPoint[group] = zeroPoint;
      }
    }
  }

  /** Chooses the codes of some columns of one row, whose scale is known. */
  private solvePart(row: number, base: number, part: Span): void {
    const { matrix } = this.problem;
    const group = matrix.group(row, this.order[part[0]]!);
    this.tryCodes(base, part, this.scale[group]!, this.zeroPoint[group]!, Infinity);
    for (let at = part[0]; at < part[1]; at++) {
      this.codes[matrix.index(row, this.order[at]!)] = this.tried.codes[at]!;
      this.errors[base + at] = this.tried.errors[at]!;
    }
  }

  /** The range of a span's weights, 0 included: as moved by the errors before it, or as they are. */
  private rangeOf(base: number, [from, to]: Span, asTheyAre: boolean): Range {
    const { factor, pushed, weights } = this;
    const { columns } = this.problem.matrix;
    const moves = this.tried.errors;
    let [low, high] = [0, 0];
    for (let j = from; j < to; j++) {
      let sum = asTheyAre ? 0 : pushed[base + j]!;
      if (!asTheyAre) for (let i = from; i < j; i++) sum += moves[i]! * factor[i * columns + j]!;
      moves[j] = -sum / factor[j * columns + j]!;
      const moved = weights[base + j]! - moves[j]!;
      if (moved < low) low = moved;
      if (moved > high) high = moved;
    }
    return { low, high };
  }

  /**
   * The codes of a span by one scale, each making up for the errors before it.
   * @returns the error that they leave in the outputs, or more than the limit as soon as it is more
   */
  private tryCodes(
    base: number,
    [from, to]: Span,
    scale: number,
    zeroPoint: number,
    limit: number,
  ): number {
    const { factor, pushed, weights, tried } = this;
    const { columns } = this.problem.matrix;
    const { qmin, qmax } = this.problem.format.clip;
    let cost = 0;
    for (let j = from; j < to; j++) {
      let sum = pushed[base + j]!;
      for (let i = from; i < j; i++) sum += tried.errors[i]! * factor[i * columns + j]!;
      const pivot = factor[j * columns + j]!;
      const moved = weights[base + j]! + sum / pivot;
      const exact = roundHalfEven(moved / scale) + zeroPoint;
      const code = exact < qmin ? qmin : exact > qmax ? qmax : exact;
      const error = weights[base + j]! - restoredValue(code, scale, zeroPoint);
      tried.codes[j] = code;
      tried.errors[j] = error;
      const left = error * pivot + sum;
      cost += left * left;
      if (cost > limit) return cost;
    }
    return cost;
  }

  /** The error of a span's weights by one scale, each weighted by its input's moment. */
  private costByColumn(base: number, [from, to]: Span, scale: number, zeroPoint: number): number {
    const { moments, matrix, format } = this.problem;
    const { qmin, qmax } = format.clip;
    let cost = 0;
    for (let j = from; j < to; j++) {
      const column = this.order[j]!;
      const weight = this.weights[base + j]!;
      const exact = roundHalfEven(weight / scale) + zeroPoint;
      const code = exact < qmin ? qmin : exact > qmax ? qmax : exact;
      const error = weight - restoredValue(code, scale, zeroPoint);
      cost += error * error * moments[column * matrix.columns + column]!;
    }
    return cost;
  }

  /** Adds what a span's errors do to the columns after it. */
  private push([from, to]: Span, rows: number): void {
    const { factor, pushed, errors } = this;
    const { columns } = this.problem.matrix;
    for (let i = from; i < to; i++) {
      const at = i * columns;
      for (let row = 0; row < rows; row++) {
        const base = row * columns;
        const error = errors[base + i]!;
        if (error === 0) continue;
        for (let j = to; j < columns; j++)
          pushed[base + j] = pushed[base + j]! + error * factor[at + j]!;
      }
    }
  }
}

function spansOf(order: Int32Array, groupOf: (column: number) => number): Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (let at = 1; at <= order.length; at++) {
    if (at < order.length && groupOf(order[at]!) === groupOf(order[from]!)) continue;
    spans.push([from, at]);
    from = at;
  }
  return spans;
}

function partsOf([from, to]: Span): Span[] {
  const parts: Span[] = [];
  for (let at = from; at < to; at += LONGEST_PART)
    parts.push([at, Math.min(to, at + LONGEST_PART)]);
  return parts;
}

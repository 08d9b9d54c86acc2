import { MOST_BOXES, type Box, type BoxOrder } from '../../../../shared/answers.ts';
import type { OutputValue } from '../../runtime/runnable.ts';
import {
  finiteRange,
  greatestOf,
  isWithin,
  labelOf,
  type AnswerReader,
  type Numbered,
  type Reading,
} from '../read.ts';

/** A box of a lower score is not drawn. */
const LEAST_SCORE = 0.25;
/** Of boxes that overlap by more than this, the one with the highest score is drawn; and boxes of two models are one. */
const OVERLAP = 0.45;
const SAME_OVERLAP = 0.5;
/** A head gives thousands of candidates; only the best of them are held against each other. */
const MOST_CANDIDATES = 1000;

/** Rows of boxes: coordinates, then maybe a score and a class, or an objectness and the scores of classes. */
export interface BoxRows {
  readonly count: number;
  readonly width: number;
  readonly at: (row: number, column: number) => number;
}

/** The rows of [N, 4...], [1, N, 4...] or, where a row has far more columns than there are rows, [1, 4..., N]. */
export function boxRows({ dims, data }: Numbered): BoxRows | null {
  const [rows, columns] = dims.length === 3 && dims[0] === 1 ? dims.slice(1) : dims;
  if (dims.length < 2 || dims.length > 3 || rows === undefined || columns === undefined)
    return null;
  if (dims.length === 3 && dims[0] !== 1) return null;
  const isTurned = rows >= 5 && columns > 4 * rows && columns >= 100;
  const [count, width] = isTurned ? [columns, rows] : [rows, columns];
  if (count === 0 || width < 4) return null;
  return isTurned
    ? { count, width, at: (row, column) => data[column * columns + row]! }
    : { count, width, at: (row, column) => data[row * columns + column]! };
}

/** Scores that another output of the sample has for the same boxes: [1, N], [N], [1, N, C] or [N, C]. */
function companion(
  rows: BoxRows,
  side: 'before' | 'after',
  own: string,
  { outputs }: Reading,
): ((row: number) => { readonly score: number; readonly index: number }) | null {
  let scores: ((row: number) => { score: number; index: number }) | null = null;
  let classes: ArrayLike<number> | null = null;
  for (const [name, both] of outputs) {
    const value: OutputValue = both[side];
    if (name === own || value.isText) continue;
    const data = value.data as ArrayLike<number>;
    const shape = value.dims.filter((dim, at) => !(at === 0 && dim === 1 && value.dims.length > 1));
    if (shape[0] !== rows.count || shape.length > 2 || !isWithin(finiteRange(data), 0, 65_535))
      continue;
    const width = shape[1] ?? 1;
    if (width === 1 && areWhole(data)) classes ??= data;
    else if (isWithin(finiteRange(data), 0, 1) && scores === null)
      scores = (row) => {
        const index = greatestOf(data, row * width, width);
        return { score: data[row * width + index]!, index };
      };
  }
  if (scores === null || classes === null) return scores;
  const [scoreOf, ids] = [scores, classes];
  return (row) => ({ ...scoreOf(row), index: ids[row]! });
}

function areWhole(data: ArrayLike<number>): boolean {
  for (let at = 0; at < data.length; at++) if (!Number.isInteger(data[at]!)) return false;
  return true;
}

type Scored = (row: number) => { readonly score: number | null; readonly index: number | null };

/** Score and class of a row by what follows its coordinates. */
function scoreOf(rows: BoxRows): Scored {
  const { width, at } = rows;
  if (width === 4) return () => ({ score: null, index: null });
  if (width === 5) return (row) => ({ score: at(row, 4), index: null });
  if (width === 6) {
    // A score and a class, or an objectness and the score of the only class.
    const isClass = Array.from({ length: Math.min(rows.count, 100) }, (_, row) => at(row, 5)).every(
      Number.isInteger,
    );
    if (isClass) return (row) => ({ score: at(row, 4), index: at(row, 5) });
  }
  // The heads of YOLO: an objectness first (v5, 85 columns for 80 classes), or scores alone (v8, 84 columns).
  const hasObjectness = (width - 5) % 10 === 0 || width === 6;
  const from = hasObjectness ? 5 : 4;
  return (row) => {
    let best = from;
    for (let column = from + 1; column < width; column++)
      if (at(row, column) > at(row, best)) best = column;
    const score = at(row, best) * (hasObjectness ? at(row, 4) : 1);
    return { score, index: best - from };
  };
}

/** The order that most boxes fit: ends at or after their starts, or else a centre and a size. */
export function guessOrder(rows: BoxRows, isRunByLitert: boolean): BoxOrder {
  let ordered = 0;
  const tried = Math.min(rows.count, 200);
  for (let row = 0; row < tried; row++)
    if (rows.at(row, 2) >= rows.at(row, 0) && rows.at(row, 3) >= rows.at(row, 1)) ordered++;
  if (ordered < 0.9 * tried || rows.width > 6) return 'center x y, w h';
  // TensorFlow's detection models put y first.
  return isRunByLitert ? 'y1 x1 y2 x2' : 'x1 y1 x2 y2';
}

function cornersOf(order: BoxOrder, a: number, b: number, c: number, d: number): number[] {
  if (order === 'x1 y1 x2 y2') return [a, b, c, d];
  if (order === 'y1 x1 y2 x2') return [b, a, d, c];
  if (order === 'x1 y1, w h') return [a, b, a + c, b + d];
  return [a - c / 2, b - d / 2, a + c / 2, b + d / 2];
}

/** What fractions of the input coordinates are: 1 where all of them are fractions already. */
export function unitOf(most: number, input: Reading['input']): readonly [number, number] {
  if (most <= 2) return [1, 1];
  return input === null ? [most, most] : [input.width, input.height];
}

/** The overlap of two boxes: the area of both over that of either. */
export function overlapOf(a: Box, b: Box): number {
  const across = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1);
  const down = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1);
  if (!(across > 0 && down > 0)) return 0;
  const area = ({ x1, y1, x2, y2 }: Box): number => (x2 - x1) * (y2 - y1);
  return (across * down) / (area(a) + area(b) - across * down);
}

/** Boxes of one side, the highest score first, without those that a better one of their class covers. */
export function boxesOf(
  sides: { readonly name: string; readonly value: Numbered; readonly side: 'before' | 'after' },
  order: BoxOrder,
  reading: Reading,
): Box[] {
  const rows = boxRows(sides.value)!;
  const scored = companion(rows, sides.side, sides.name, reading) ?? scoreOf(rows);
  let most = 0;
  for (let row = 0; row < rows.count; row++)
    for (let column = 0; column < 4; column++) most = Math.max(most, rows.at(row, column) || 0);
  const [width, height] = unitOf(most, reading.input);
  const found: Box[] = [];
  for (let row = 0; row < rows.count; row++) {
    const { score, index } = scored(row);
    if (score !== null && !(score >= LEAST_SCORE)) continue;
    const [x1, y1, x2, y2] = cornersOf(
      order,
      rows.at(row, 0),
      rows.at(row, 1),
      rows.at(row, 2),
      rows.at(row, 3),
    );
    const box = { x1: x1! / width, y1: y1! / height, x2: x2! / width, y2: y2! / height };
    if (!Object.values(box).every(Number.isFinite) || box.x2 <= box.x1 || box.y2 <= box.y1)
      continue;
    const label =
      index === null
        ? null
        : (labelOf(reading.names, index, reading.names?.length ?? 0) ?? String(index));
    found.push({ ...box, score, label });
  }
  found.sort((a, b) => (b.score ?? 0) - (a.score ?? 0));
  return withoutCovered(found.slice(0, MOST_CANDIDATES));
}

function withoutCovered(boxes: readonly Box[]): Box[] {
  const kept: Box[] = [];
  for (const box of boxes) {
    if (kept.length === MOST_BOXES) break;
    const isCovered = kept.some(
      (other) => other.label === box.label && box.score !== null && overlapOf(other, box) > OVERLAP,
    );
    if (!isCovered) kept.push(box);
  }
  return kept;
}

/** How many boxes of either side have no partner of their class at the same place on the other side. */
export function unmatched(before: readonly Box[], after: readonly Box[]): number {
  const left = new Set(after);
  let missing = 0;
  for (const box of before) {
    let best: Box | null = null;
    let most = SAME_OVERLAP;
    for (const other of left) {
      const overlap = other.label === box.label ? overlapOf(box, other) : 0;
      if (overlap >= most) [best, most] = [other, overlap];
    }
    if (best === null) missing++;
    else left.delete(best);
  }
  return missing + left.size;
}

/** Boxes over the input. */
export const boxes: AnswerReader = {
  kind: 'boxes',
  refusal: (value) =>
    boxRows(value) === null ? 'The output has no rows of four numbers or more.' : null,
  read: ({ name, before, after }, reading) => {
    const order = reading.order ?? guessOrder(boxRows(before)!, reading.runtime === 'LiteRT');
    const was = boxesOf({ name, value: before, side: 'before' }, order, reading);
    const is = boxesOf({ name, value: after, side: 'after' }, order, reading);
    return {
      answer: { kind: 'boxes', before: was, after: is, order },
      agreement: { wrong: unmatched(was, is), of: was.length, unit: 'boxes' },
    };
  },
};

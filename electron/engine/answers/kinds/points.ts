import { MOST_POINTS, type BoxOrder, type Point } from '../../../../shared/answers.ts';
import type { AnswerReader, Numbered, Reading } from '../read.ts';
import { unitOf } from './boxes.ts';

/** Points that are off by more than this share of the input's longer side differ visibly. */
const FAR = 0.02;

/** Columns of a row of points: [..., K, 2] or [..., K, 3], and otherwise a flat list of pairs or triples. */
function columnsOf({ dims, data }: Numbered): number | null {
  const last = dims.at(-1) ?? 0;
  if (dims.length > 1 && (last === 2 || last === 3)) return last;
  if (data.length < 2) return null;
  return data.length % 3 === 0 ? 3 : data.length % 2 === 0 ? 2 : null;
}

function pointsOf(value: Numbered, isYFirst: boolean, { input }: Reading): Point[] {
  const columns = columnsOf(value)!;
  const count = Math.min(MOST_POINTS, Math.floor(value.data.length / columns));
  let most = 0;
  for (let at = 0; at < count * columns; at++)
    if (at % columns < 2) most = Math.max(most, value.data[at]! || 0);
  const [width, height] = unitOf(most, input);
  return Array.from({ length: count }, (_, point) => {
    const [first, second] = [value.data[point * columns]!, value.data[point * columns + 1]!];
    return isYFirst
      ? { x: second / width, y: first / height }
      : { x: first / width, y: second / height };
  });
}

/** Keypoints over the input: pairs of x and y, and maybe a third number, which is not drawn. */
export const points: AnswerReader = {
  kind: 'points',
  refusal: (value) =>
    columnsOf(value) === null ? 'The output has no pairs or triples of numbers.' : null,
  read: ({ before, after }, reading) => {
    const order: BoxOrder = reading.order ?? 'x1 y1 x2 y2';
    const isYFirst = order === 'y1 x1 y2 x2';
    const [was, is] = [pointsOf(before, isYFirst, reading), pointsOf(after, isYFirst, reading)];
    const wrong = was.filter(({ x, y }, at) => {
      const other = is[at]!;
      return !(Math.hypot(other.x - x, other.y - y) <= FAR);
    }).length;
    return {
      answer: { kind: 'points', before: was, after: is, order },
      agreement: { wrong, of: was.length, unit: 'points' },
    };
  },
};

import { TOP, type Ranked } from '../../../../shared/answers.ts';
import {
  finiteRange,
  greatestOf,
  hasSameGreatest,
  isWithin,
  labelOf,
  type AnswerReader,
  type Numbered,
} from '../read.ts';

/** Names of outputs that are not scores of classes, though they have their shape. */
const OTHERS =
  /embed|feature|hidden|state|box|coord|landmark|keypoint|pose|offset|latent|mel\b|wav|audio/i;
/** How far the probabilities of a row may be from a sum of 1: quantized softmax has steps of 1/256. */
const SUM_TOLERANCE = 0.05;

/** The classes of a row, the highest score first; equal ones by their number, as numpy's stable argsort of the negated row. */
export function topClasses(
  data: ArrayLike<number>,
  start: number,
  width: number,
  most = TOP,
): number[] {
  const best: number[] = [];
  const key = (index: number): number => {
    const value = data[start + index]!;
    return Number.isNaN(value) ? -Infinity : value;
  };
  for (let index = 0; index < width; index++) {
    if (best.length === most && !(key(index) > key(best[most - 1]!))) continue;
    let place = best.length;
    while (place > 0 && key(index) > key(best[place - 1]!)) place--;
    best.splice(place, 0, index);
    if (best.length > most) best.pop();
  }
  return best;
}

/** Whether each row is of probabilities that sum up to 1. */
export function areProbabilities({ dims, data }: Numbered): boolean {
  const width = dims.at(-1) ?? 0;
  if (width < 2 || !isWithin(finiteRange(data), 0, 1 + 1e-3)) return false;
  for (let start = 0; start + width <= data.length; start += width) {
    let sum = 0;
    for (let at = 0; at < width; at++) sum += data[start + at]!;
    if (Math.abs(sum - 1) > SUM_TOLERANCE) return false;
  }
  return data.length > 0;
}

/**
 * Whether an output is of class scores: [samples, classes], neither named otherwise nor rows of length 1, as
 * embeddings are. Where only top-1 agreement would depend on it, a wrong yes costs a figure that says little.
 */
export function areScores(name: string, value: Numbered): boolean {
  const [rows, width] = value.dims;
  if (value.dims.length !== 2 || rows === undefined || width === undefined || width < 2)
    return false;
  if (areProbabilities(value)) return true;
  if (OTHERS.test(name) || value.data.length === 0) return false;
  return !(width > 4 && hasUnitRows(value.data, width)) && !(rows > 1 && width === 4);
}

function hasUnitRows(data: ArrayLike<number>, width: number): boolean {
  for (let start = 0; start + width <= data.length; start += width) {
    let squares = 0;
    for (let at = 0; at < width; at++) squares += data[start + at]! ** 2;
    if (!(Math.abs(Math.sqrt(squares) - 1) < 1e-3)) return false;
  }
  return true;
}

function shares(
  data: ArrayLike<number>,
  width: number,
  isSoftmax: boolean,
): (index: number) => number {
  if (!isSoftmax) return (index) => data[index]!;
  const most = data[greatestOf(data, 0, width)]!;
  let sum = 0;
  for (let at = 0; at < width; at++) {
    const term = Math.exp(data[at]! - most);
    if (!Number.isNaN(term)) sum += term;
  }
  return (index) => Math.exp(data[index]! - most) / sum;
}

/** Scores of classes: the top five of the first row, and in how many rows the first class is the same. */
export const scores: AnswerReader = {
  kind: 'scores',
  refusal: ({ dims, data }) =>
    (dims.at(-1) ?? 0) >= 2 && data.length > 0 ? null : 'The output has fewer than two classes.',
  read: ({ before, after }, { names }) => {
    const width = before.dims.at(-1)!;
    const isSoftmax = !isWithin(finiteRange(before.data), 0, 1 + 1e-3);
    const ranks = ({ data }: Numbered): readonly Ranked[] => {
      const share = shares(data, width, isSoftmax);
      return topClasses(data, 0, width).map((index) => ({
        index,
        label: labelOf(names, index, width),
        score: data[index]!,
        share: Math.max(0, Math.min(1, share(index) || 0)),
      }));
    };
    let [wrong, of] = [0, 0];
    for (let start = 0; start + width <= before.data.length; start += width, of++)
      if (!hasSameGreatest(before.data, after.data, start, width)) wrong++;
    return {
      answer: { kind: 'scores', before: ranks(before), after: ranks(after), isSoftmax },
      agreement: { wrong, of, unit: 'first classes' },
    };
  },
};

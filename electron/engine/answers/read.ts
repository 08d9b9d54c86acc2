import type { Agreement, Answer, AnswerKind, BoxOrder } from '../../../shared/answers.ts';
import type { RuntimeName } from '../../../shared/formats.ts';
import type { Vocabulary } from './vocabulary.ts';
import type { OutputValue } from '../runtime/runnable.ts';

/** An output of numbers, as a runtime gave it. */
export interface Numbered {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

/** What both models gave for an output; shapes are equal. */
export interface Sides {
  readonly name: string;
  readonly before: Numbered;
  readonly after: Numbered;
}

/** What an answer is read with, besides its numbers. */
export interface Reading {
  readonly runtime: RuntimeName;
  /** Labels or the characters of a dictionary, by their class; null for none. */
  readonly names: readonly string[] | null;
  /** Of the tokenizer; null for none. */
  readonly vocabulary: Vocabulary | null;
  /** The picture that the model was given; null for none. */
  readonly input: { readonly width: number; readonly height: number } | null;
  readonly order: BoxOrder | null;
  /** Every output of the sample. */
  readonly outputs: ReadonlyMap<
    string,
    { readonly before: OutputValue; readonly after: OutputValue }
  >;
}

/** One kind of answer: how it is shown, and what of it agrees. */
export interface AnswerReader {
  readonly kind: AnswerKind;
  /** Why an output cannot be shown as this, a sentence; null where it can. */
  refusal(value: Numbered, reading: Reading): string | null;
  read(
    sides: Sides,
    reading: Reading,
  ): { readonly answer: Answer; readonly agreement: Agreement | null };
}

/** Place of the greatest value of a row; the first of equal ones, as numpy's argmax. NaN is never chosen over a number. */
export function greatestOf(
  data: ArrayLike<number>,
  start: number,
  width: number,
  step = 1,
): number {
  let best = 0;
  for (let at = 1; at < width; at++) {
    const [value, most] = [data[start + at * step]!, data[start + best * step]!];
    if (value > most || (Number.isNaN(most) && !Number.isNaN(value))) best = at;
  }
  return best;
}

/** Whether the greatest value of a row is at the same place; never where a value is NaN on one side alone. */
export function hasSameGreatest(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  start: number,
  width: number,
): boolean {
  for (let at = start; at < start + width; at++)
    if (Number.isNaN(before[at]) !== Number.isNaN(after[at])) return false;
  return greatestOf(before, start, width) === greatestOf(after, start, width);
}

/** The least and the greatest finite value; NaN where there are none. */
export function finiteRange(data: ArrayLike<number>): readonly [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (let at = 0; at < data.length; at++) {
    const value = data[at]!;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? [NaN, NaN] : [low, high];
}

export function isWithin(
  [low, high]: readonly [number, number],
  least: number,
  most: number,
): boolean {
  return low >= least && high <= most;
}

/** The label of a class. A list with one entry less has none for the background, class 0; with one more it has it first. */
export function labelOf(
  names: readonly string[] | null,
  index: number,
  classes: number,
): string | null {
  if (names === null) return null;
  const shift = names.length === classes - 1 ? -1 : names.length === classes + 1 ? 1 : 0;
  if (index + shift < 0) return 'background';
  return names[index + shift] ?? null;
}

import { READERS } from '../../../electron/engine/answers/readers.ts';
import type { AnswerReader, Reading } from '../../../electron/engine/answers/read.ts';
import type { AnswerKind } from '../../../shared/answers.ts';

export function reading(with_: Partial<Reading> = {}): Reading {
  return {
    ...{ runtime: 'onnxruntime', names: null, vocabulary: null, input: null, order: null },
    outputs: new Map(),
    ...with_,
  };
}

/** Reads an output y as a kind. */
export function read(
  kind: AnswerKind,
  dims: readonly number[],
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  with_: Partial<Reading> = {},
): ReturnType<AnswerReader['read']> {
  const reader = READERS[kind];
  const refusal = reader.refusal({ dims, data: before }, reading(with_));
  if (refusal !== null) throw new Error(refusal);
  const sides = { name: 'y', before: { dims, data: before }, after: { dims, data: after } };
  return reader.read(sides, reading(with_));
}

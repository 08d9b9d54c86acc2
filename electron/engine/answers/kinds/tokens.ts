import { MOST_CHARACTERS } from '../../../../shared/answers.ts';
import type { AnswerReader, Numbered } from '../read.ts';
import { bestOfSteps, stepsOf, textAnswer } from './text.ts';

/** Numbers of tokens: [batch, steps] of whole numbers, or the best of [batch, steps, vocabulary]; of a batch the first. */
export function tokenIds(value: Numbered): number[] | null {
  const { dims, data } = value;
  if (dims.length === 3) {
    const steps = stepsOf(value);
    return steps === null ? null : bestOfSteps(steps);
  }
  const length = dims.length === 0 || dims.length > 2 ? 0 : dims.at(-1)!;
  const ids = Array.from({ length }, (_, at) => data[at]!);
  return length > 0 && ids.every((id) => Number.isInteger(id) && id >= 0) ? ids : null;
}

/** Text of tokens, by the tokenizer of the model. Each token is one piece, so that a change of one does not move the others. */
export const tokens: AnswerReader = {
  kind: 'tokens',
  refusal: (value, { vocabulary }) => {
    if (tokenIds(value) === null)
      return 'The output has no numbers of tokens, and no scores of them.';
    return vocabulary === null ? 'Choose a tokenizer.json to read the tokens.' : null;
  },
  read: ({ before, after }, { vocabulary }) => {
    const pieces = (value: Numbered): string[] =>
      vocabulary!.decode(tokenIds(value)!.slice(0, MOST_CHARACTERS));
    return textAnswer('tokens', pieces(before), pieces(after));
  },
};

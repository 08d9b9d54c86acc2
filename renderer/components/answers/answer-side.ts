import type { OutputAnswer } from '../../../shared/answers.ts';
import type { Candidate } from '../../state/runs.svelte.ts';

/** What one candidate answers, beside the original. */
export interface AnswerSide {
  readonly candidate: Candidate;
  readonly output: OutputAnswer;
}

/** The answers of one kind, all sides; the original's is the same in each. */
export type Of<K> = {
  readonly candidate: Candidate;
  readonly answer: Extract<NonNullable<OutputAnswer['answer']>, { readonly kind: K }>;
};

/** The sides whose answer is of these kinds. */
export function sidesOf<K extends NonNullable<OutputAnswer['answer']>['kind']>(
  sides: readonly AnswerSide[],
  ...kinds: readonly K[]
): readonly Of<K>[] {
  return sides.flatMap(({ candidate, output: { answer } }) =>
    answer !== null && (kinds as readonly string[]).includes(answer.kind)
      ? [{ candidate, answer: answer as Of<K>['answer'] }]
      : [],
  );
}

/** What a side is called. */
export function sideName(candidate: Candidate): string {
  return candidate === 'file' ? 'the file' : candidate.toUpperCase();
}

/** The colour of a side's marks. */
export function sideColour(candidate: Candidate): string {
  return candidate === 'file' ? 'var(--axis)' : `var(--${candidate})`;
}

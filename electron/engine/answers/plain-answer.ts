import type { Answer, NumberFacts, Ranked, TextPiece } from '../../../shared/answers.ts';

/** One side of an answer as plain data for --json; pictures and waveforms are not among them. */
export type PlainAnswer =
  | string
  | NumberFacts
  | readonly Readonly<Record<string, number | string | null>>[]
  | null;

/** Both sides of an answer as plain data. */
export function plainAnswer(answer: Answer | null): { before: PlainAnswer; after: PlainAnswer } {
  if (answer === null) return { before: null, after: null };
  switch (answer.kind) {
    case 'scores': {
      const plain = (classes: readonly Ranked[]): PlainAnswer =>
        classes.map(({ index, label, score }) => ({ index, label, score }));
      return { before: plain(answer.before), after: plain(answer.after) };
    }
    case 'mask': {
      const plain = (side: 'before' | 'after'): PlainAnswer =>
        answer.classes.map(({ index, label, [side]: share }) => ({ index, label, share }));
      return { before: plain('before'), after: plain('after') };
    }
    case 'ctc':
    case 'tokens':
      return { before: textOf(answer.before), after: textOf(answer.after) };
    case 'boxes':
    case 'points': {
      const plain = (places: readonly object[]): PlainAnswer =>
        places as readonly Readonly<Record<string, number | string | null>>[];
      return { before: plain(answer.before), after: plain(answer.after) };
    }
    case 'numbers':
      return { before: answer.before, after: answer.after };
    default:
      return { before: null, after: null };
  }
}

function textOf(pieces: readonly TextPiece[]): string {
  return pieces.map(({ text }) => text).join('');
}

/** One side of an answer in a few words; null for pictures, waveforms and what is not shown. */
export function answerInWords(answer: Answer | null, side: 'before' | 'after'): string | null {
  if (answer === null) return null;
  switch (answer.kind) {
    case 'scores':
      return answer[side]
        .slice(0, 2)
        .map(({ index, label, score }) => `${label ?? index} ${score.toPrecision(3)}`)
        .join(', ');
    case 'mask':
      return answer.classes
        .slice(0, 3)
        .map(({ index, label, [side]: share }) => `${label ?? index} ${(share * 100).toFixed(1)} %`)
        .join(', ');
    case 'ctc':
    case 'tokens':
      // Spaces at its ends are part of a text.
      return `"${textOf(answer[side])}"`;
    case 'boxes':
      return `${answer[side].length} boxes`;
    case 'points':
      return `${answer[side].length} points`;
    case 'numbers': {
      const { min, max, mean } = answer[side];
      return `${min.toPrecision(4)} to ${max.toPrecision(4)}, mean ${mean.toPrecision(4)}`;
    }
    default:
      return null;
  }
}

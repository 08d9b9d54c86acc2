import { MOST_CHARACTERS, type Agreement, type TextPiece } from '../../../../shared/answers.ts';
import { greatestOf, type AnswerReader, type Numbered } from '../read.ts';

/** Which characters of two texts differ, and the fewest changes that turn one into the other (Levenshtein). */
export interface TextDifference {
  readonly before: readonly boolean[];
  readonly after: readonly boolean[];
  readonly distance: number;
}

/** Aligns two texts of at most MOST_CHARACTERS each, so that the table of distances has at most 4 million cells. */
export function textDifference(
  before: readonly string[],
  after: readonly string[],
): TextDifference {
  const [rows, columns] = [before.length + 1, after.length + 1];
  const table = new Uint16Array(rows * columns);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      if (row === 0 || column === 0) {
        table[at] = row + column;
        continue;
      }
      const changed = before[row - 1] === after[column - 1] ? 0 : 1;
      table[at] = Math.min(
        table[at - columns]! + 1,
        table[at - 1]! + 1,
        table[at - columns - 1]! + changed,
      );
    }
  return { ...traced(table, before, after), distance: table.at(-1)! };
}

function traced(
  table: Uint16Array,
  before: readonly string[],
  after: readonly string[],
): Pick<TextDifference, 'before' | 'after'> {
  const marks = { before: before.map(() => true), after: after.map(() => true) };
  let [row, column] = [before.length, after.length];
  while (row > 0 && column > 0) {
    const at = row * (after.length + 1) + column;
    const diagonal = table[at - after.length - 2]!;
    const isSame = before[row - 1] === after[column - 1];
    if (table[at] === diagonal + (isSame ? 0 : 1)) {
      row--;
      column--;
      marks.before[row] = marks.after[column] = !isSame;
    } else if (table[at] === table[at - 1]! + 1) column--;
    else row--;
  }
  return marks;
}

/** Neighbours of the same mark as one piece. */
export function piecesOf(characters: readonly string[], marks: readonly boolean[]): TextPiece[] {
  const pieces: { text: string; differs: boolean }[] = [];
  for (const [at, text] of characters.entries()) {
    const last = pieces.at(-1);
    const differs = marks[at]!;
    if (last?.differs === differs) last.text += text;
    else pieces.push({ text, differs });
  }
  return pieces;
}

/** Two texts as an answer. */
export function textAnswer(
  kind: 'ctc' | 'tokens',
  before: readonly string[],
  after: readonly string[],
): ReturnType<AnswerReader['read']> {
  const [first, second] = [before.slice(0, MOST_CHARACTERS), after.slice(0, MOST_CHARACTERS)];
  const found = textDifference(first, second);
  return {
    answer: {
      kind,
      before: piecesOf(first, found.before),
      after: piecesOf(second, found.after),
    },
    agreement: agreementOf(kind, first.length, found.distance),
  };
}

function agreementOf(kind: 'ctc' | 'tokens', of: number, wrong: number): Agreement {
  return { wrong, of, unit: kind === 'ctc' ? 'characters' : 'tokens' };
}

/** Scores of steps: [batch, steps, classes], [steps, 1, classes] or [steps, classes]; of a batch the first item. */
export interface Steps {
  readonly steps: number;
  readonly classes: number;
  readonly data: ArrayLike<number>;
}

export function stepsOf({ dims, data }: Numbered): Steps | null {
  const [first, second, classes = 0] = dims.length === 2 ? [1, ...dims] : dims;
  if (dims.length < 2 || dims.length > 3 || first === undefined || second === undefined)
    return null;
  const steps = second === 1 ? first : second;
  return steps === 0 || classes < 2 ? null : { steps, classes, data };
}

/** The class of each step. */
export function bestOfSteps({ steps, classes, data }: Steps): number[] {
  return Array.from({ length: steps }, (_, step) => greatestOf(data, step * classes, classes));
}

interface Alphabet {
  readonly characters: readonly string[];
  readonly blank: number;
}

const BLANK = /^(<?blank>?|\[blank\]|<eps>|<pad>|\[pad\]|<s>|)$/i;

/**
 * The characters of a model's classes by a dictionary. CTC adds a blank: PaddleOCR puts it first, and a space last
 * where the model was trained with one; Keras puts it last. Where the dictionary is one short, the blank is the end
 * that the original chooses more often. null where the dictionary is not of so many classes.
 */
export function alphabetFor(
  names: readonly string[],
  classes: number,
  best: readonly number[],
): Alphabet | null {
  const last = classes - 1;
  if (names.length === classes) {
    const isLast = !BLANK.test(names[0]!) && BLANK.test(names[last]!);
    return { characters: names, blank: isLast ? last : 0 };
  }
  if (names.length === classes - 2) return { characters: ['', ...names, ' '], blank: 0 };
  if (names.length !== classes - 1) return null;
  const count = (wanted: number): number => best.filter((each) => each === wanted).length;
  return count(last) > count(0)
    ? { characters: [...names, ''], blank: last }
    : { characters: ['', ...names], blank: 0 };
}

/** The characters that CTC reads greedily: the best class of each step, repeats and blanks left out. */
export function ctcCharacters(best: readonly number[], { characters, blank }: Alphabet): string[] {
  return best.flatMap((each, at) =>
    each === blank || each === best[at - 1] ? [] : [characters[each] ?? '�'],
  );
}

/** Lines of text by connectionist temporal classification. */
export const ctc: AnswerReader = {
  kind: 'ctc',
  refusal: (value, { names }) => {
    const steps = stepsOf(value);
    if (steps === null) return 'The output has no steps of class scores.';
    if (steps.steps === 1)
      return 'The output has class scores of one step, and text has many: show it as class scores.';
    if (names === null) return 'Choose a dictionary, one character a line, to read the text.';
    if (alphabetFor(names, steps.classes, []) !== null) return null;
    return `The dictionary has ${names.length} entries and the output ${steps.classes} classes; it must have ${steps.classes}, or one or two fewer.`;
  },
  read: ({ before, after }, { names }) => {
    const best = bestOfSteps(stepsOf(before)!);
    const alphabet = alphabetFor(names!, stepsOf(before)!.classes, best)!;
    const other = bestOfSteps(stepsOf(after)!);
    return textAnswer('ctc', ctcCharacters(best, alphabet), ctcCharacters(other, alphabet));
  },
};

import { printable } from '../../shared/errors.ts';

const TAIL_LENGTH = 6;

/** What gives way has at least so many characters: two of them would not be worth the dots. */
const LEAST_HEAD = 4;

/** The longest end of a module path that always stays. */
const PATH_TAIL_LENGTH = 32;

/** The ends of a module path that say the most, best first: from its block's number on, its last two parts, its last. */
const PATH_ENDS = [/\.(\d+(?:\.\.\d+)?(?:\.[^.\d][^.]*)+)$/, /\.([^.]+\.[^.]+)$/, /\.([^.]+)$/];

/** A name in the two parts between which it gives way when there is no room: all but the end, and the end. */
export function middleParts(name: string): { readonly head: string; readonly tail: string } {
  const shown = printable(name);
  const characters = Array.from(shown);
  const tail = PATH_ENDS.map((pattern) => pattern.exec(shown)?.[1] ?? '').find(
    ({ length }) =>
      length >= TAIL_LENGTH && length <= PATH_TAIL_LENGTH && shown.length - length >= LEAST_HEAD,
  );
  if (tail !== undefined) return { head: shown.slice(0, -tail.length), tail };
  if (characters.length < TAIL_LENGTH + LEAST_HEAD) return { head: characters.join(''), tail: '' };
  return {
    head: characters.slice(0, -TAIL_LENGTH).join(''),
    tail: characters.slice(-TAIL_LENGTH).join(''),
  };
}

/** A name as people are shown it: its characters, with those that do not print escaped. */
export function shownName(name: string): string {
  return name === '' ? '(no name)' : printable(name);
}

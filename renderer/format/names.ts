import { printable } from '../../shared/errors.ts';

const TAIL_LENGTH = 6;

/** A name in the two parts between which it gives way when there is no room: all but the end, and the end. */
export function middleParts(name: string): { readonly head: string; readonly tail: string } {
  const characters = Array.from(printable(name));
  if (characters.length <= TAIL_LENGTH) return { head: characters.join(''), tail: '' };
  return {
    head: characters.slice(0, -TAIL_LENGTH).join(''),
    tail: characters.slice(-TAIL_LENGTH).join(''),
  };
}

/** A name as people are shown it: its characters, with those that do not print escaped. */
export function shownName(name: string): string {
  return name === '' ? '(no name)' : printable(name);
}

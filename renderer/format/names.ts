import { printable } from '../../shared/errors.ts';

/** A name as people are shown it: its characters, with those that do not print escaped. */
export function shownName(name: string): string {
  return name === '' ? '(no name)' : printable(name);
}

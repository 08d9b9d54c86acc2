/** Where a key leads from a row; null when it leads nowhere. −1 is the head, above the first row. */
export function targetRow(key: string, at: number, count: number, page: number): number | null {
  if (count === 0) return null;
  const within = (row: number): number => Math.min(count - 1, Math.max(0, row));
  switch (key) {
    case 'ArrowDown':
      return within(at + 1);
    case 'ArrowUp':
      return at <= 0 ? -1 : at - 1;
    case 'PageDown':
      return within(at + page);
    case 'PageUp':
      return within(at - page);
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return null;
  }
}

/** Letters typed within this time of each other are one search. */
const PAUSE = 800;

/** Finds rows by the beginning of their name as it is typed. */
export class TypeToFind {
  #typed = '';
  #at = 0;

  /**
   * The row to go to after this character, searched from the current one on and around the end; null
   * when no name begins so. The same letter again goes to the next name that begins with it.
   */
  find(character: string, names: readonly string[], from: number, now: number): number | null {
    if (now - this.#at > PAUSE) this.#typed = '';
    this.#at = now;
    this.#typed += character.toLowerCase();
    const isRepeated = [...this.#typed].every((typed) => typed === this.#typed[0]);
    const sought = isRepeated ? character.toLowerCase() : this.#typed;
    const start = from + (isRepeated ? 1 : 0);
    for (let step = 0; step < names.length; step++) {
      const index = (start + step + names.length) % names.length;
      if (names[index]?.toLowerCase().startsWith(sought) === true) return index;
    }
    return null;
  }
}

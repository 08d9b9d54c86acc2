import { smallest } from './lists.ts';

/** The known words that a misspelt one is nearest to, "int8 or int4"; undefined when it is like none. */
export function nearestOf(word: string, known: readonly string[]): string | undefined {
  const like = [...new Set(known)]
    .map((each) => ({ each, changes: changesBetween(word, each) }))
    .filter(({ each, changes }) => changes <= Math.max(1, each.length / 3));
  const least = smallest(like.map(({ changes }) => changes));
  const nearest = like.filter(({ changes }) => changes === least).map(({ each }) => each);
  return nearest.length === 0 ? undefined : nearest.join(' or ');
}

/** How many characters must be added, removed or replaced to make one word of the other (Levenshtein). */
function changesBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let at = 0; at < from.length; at++) {
    const next = [at + 1];
    for (let other = 0; other < to.length; other++)
      next.push(
        Math.min(
          row[other + 1]! + 1,
          next[other]! + 1,
          row[other]! + (from[at]!.toLowerCase() === to[other]!.toLowerCase() ? 0 : 1),
        ),
      );
    row = next;
  }
  return row.at(-1)!;
}

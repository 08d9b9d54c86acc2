import { expect } from 'vitest';

/** Shorter lists are compared fast enough, and matches of regular expressions, which are lists with more to them, are short. */
const LONG = 64;

const isPlain = (value: unknown): boolean =>
  typeof value === 'number' || typeof value === 'string' || typeof value === 'bigint';

/** Whether two long lists of numbers or text are equal; undefined where toEqual must look for itself. */
function sameList(a: unknown, b: unknown): true | undefined {
  const [first, second] = [a, b].map((list) =>
    Array.isArray(list) || (ArrayBuffer.isView(list) && !(list instanceof DataView))
      ? (list as ArrayLike<unknown>)
      : null,
  );
  if (first === null || second === null) return undefined;
  if (first === undefined || second === undefined || first.length < LONG) return undefined;
  if (first.length !== second.length || first.constructor !== second.constructor) return undefined;
  for (let at = 0; at < first.length; at++)
    if (!Object.is(first[at], second[at]) || !isPlain(first[at])) return undefined;
  return true;
}

// toEqual lists the keys of both lists to compare them, which took a fifth of the time of some files. What is not
// equal it still compares, and shows, itself.
const known = globalThis as { hasFastEquality?: true };
if (known.hasFastEquality === undefined) expect.addEqualityTesters([sameList]);
known.hasFastEquality = true;

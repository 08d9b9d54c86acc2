/**
 * Lists of any length. A call with a spread list puts every element on the stack, which overflows at
 * about 100,000: `push(...list)` and `Math.max(...list)` are for short lists only.
 */

/** A list of numbers or a typed array of them: what is as long as a tensor is a typed array. */
export interface Numbers extends Iterable<number> {
  readonly length: number;
  readonly [index: number]: number;
}

/** Add all elements to the end of a list. */
export function append<T>(into: T[], from: Iterable<T>): void {
  for (const element of from) into.push(element);
}

/** Add a value to the list that a map has of a key: copying the list for each would take quadratic time. */
export function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** The largest of some numbers, or `-Infinity` of none. */
export function largest(values: Iterable<number>): number {
  let most = -Infinity;
  for (const value of values) most = Math.max(most, value);
  return most;
}

/** The smallest of some numbers, or `Infinity` of none. */
export function smallest(values: Iterable<number>): number {
  let least = Infinity;
  for (const value of values) least = Math.min(least, value);
  return least;
}

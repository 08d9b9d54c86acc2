/**
 * How many characters of a stored decimal are those of the exact one, from the left. None are where
 * the whole parts differ in length: the same digit is worth something else there.
 */
export function agreeingDigits(stored: string, exact: string): number {
  if (stored.indexOf('.') !== exact.indexOf('.')) return 0;
  let same = 0;
  while (same < stored.length && stored[same] === exact[same]) same++;
  return same;
}

/** Standard errors that a mean must be from 0: of eight samples or more, chance alone leaves it in less than 1 of 100 (Student). */
const STANDARD_ERRORS = 3;
const FEWEST_SAMPLES = 8;

/**
 * Whether what one copy of a model loses on samples is less than what another loses beyond chance: the mean of the
 * differences, sample by sample, is further below 0 than their spread explains. What a few samples alone decide, or
 * fewer than eight, is left to chance.
 * @param one, other what each loses on the same samples
 */
export function isLessBeyondChance(one: readonly number[], other: readonly number[]): boolean {
  const count = one.length;
  if (count < FEWEST_SAMPLES) return false;
  const differences = one.map((each, at) => each - other[at]!);
  const mean = differences.reduce((sum, each) => sum + each, 0) / count;
  const squares = differences.reduce((sum, each) => sum + (each - mean) ** 2, 0);
  const standardError = Math.sqrt(squares / (count - 1) / count);
  return mean < -STANDARD_ERRORS * standardError;
}

/**
 * Standard errors that a mean must be below 0. Of 32 samples chance alone leaves it in less than 1 of 100 (Student), so
 * that of five copies that are no better one is taken in less than 1 of 20.
 */
const STANDARD_ERRORS = 2.5;
/** Samples of which fewer decide nothing. */
export const FEWEST_SAMPLES = 8;

/** What is added to each loss, of the mean loss: samples that lose next to nothing either way tell nothing. */
const NEGLIGIBLE = 0.01;

/**
 * Whether one copy of a model loses less on samples than another beyond chance: less in all, and sample by sample by a
 * factor whose mean is further from 1 than its spread explains. Losses of samples differ by powers of ten, so that their sum
 * is that of a few; one sample alone, or fewer than eight, decide nothing here.
 * @param one, other what each loses on the same samples, not below 0
 */
export function isLessBeyondChance(one: readonly number[], other: readonly number[]): boolean {
  const count = one.length;
  const sums = [sumOf(one), sumOf(other)] as const;
  if (count < FEWEST_SAMPLES || !(sums[0] < sums[1])) return false;
  const added = (NEGLIGIBLE * sums[1]) / count;
  const factors = one.map((each, at) => Math.log((each + added) / (other[at]! + added)));
  const mean = sumOf(factors) / count;
  const variance = sumOf(factors.map((each) => (each - mean) ** 2)) / (count - 1);
  return mean < -STANDARD_ERRORS * Math.sqrt(variance / count);
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0);
}

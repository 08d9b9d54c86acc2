import { expect, test } from 'vitest';
import { isLessBeyondChance } from '../../../electron/engine/margin.ts';
import { normalValues, randomNumbers } from '../../helpers/random.ts';

/** Losses of 32 samples, and of the same with so much less on average, spread by 1. */
function losses(less: number, seed: number, count = 32): [number[], number[]] {
  const base = Array.from(normalValues(count, seed), (value) => 10 + 3 * value);
  const spread = normalValues(count, seed + 1000);
  return [base.map((each, at) => each - less + spread[at]!), base];
}

test('tells losses apart that differ by more than their differences spread, whatever the samples themselves spread', () => {
  const found = Array.from({ length: 50 }, (_, seed) => isLessBeyondChance(...losses(1, seed)));
  expect(found.filter((each) => each).length).toBeGreaterThan(45);
});

test('takes no losses apart that differ by chance', () => {
  const found = Array.from({ length: 1000 }, (_, seed) => isLessBeyondChance(...losses(0, seed)));
  expect(found.filter((each) => each).length).toBeLessThan(10);
  const few = Array.from({ length: 1000 }, (_, seed) => isLessBeyondChance(...losses(0, seed, 8)));
  expect(few.filter((each) => each).length).toBeLessThan(20);
});

test('lets neither one sample alone decide, nor fewer than eight', () => {
  const base = Array.from({ length: 32 }, (_, at) => (at === 5 ? 1000 : 1));
  const random = randomNumbers(3);
  const other = base.map(() => 1 + random());
  expect(isLessBeyondChance(other, base)).toBe(false);
  const less = (count: number) => Array.from({ length: count }, (_, at) => 1 + at / 100);
  const more = (count: number) => less(count).map((each) => each + 5);
  expect([7, 8].map((count) => isLessBeyondChance(less(count), more(count)))).toEqual([
    false,
    true,
  ]);
  expect(isLessBeyondChance(more(8), less(8))).toBe(false);
  expect(isLessBeyondChance(less(8), less(8))).toBe(false);
});

import { expect, test } from 'vitest';
import { SampleClock } from '../../../electron/engine/runtime/run-progress.ts';

/** Rounds of two samples each; what fraction was told before each run. */
function clockOf(rounds: number) {
  const fractions: number[] = [];
  const clock = new SampleClock(({ fraction }) => fractions.push(fraction), 'Sample', rounds, 2);
  const round = (): void => {
    for (const index of [0, 1]) clock.sample(index);
    clock.nextRound();
  };
  return { clock, fractions, round };
}

test('all rounds in equal parts', () => {
  const { fractions, round } = clockOf(2);
  for (let count = 0; count < 2; count++) round();
  expect(fractions).toEqual([0, 1 / 4, 2 / 4, 3 / 4]);
});

test('rounds that are added count as soon as they are announced', () => {
  const { clock, fractions, round } = clockOf(1);
  clock.sample(0);
  clock.sample(1);
  clock.nextRound();
  clock.addRounds(2);
  for (let count = 0; count < 2; count++) round();
  expect(fractions).toEqual([0, 1 / 2, 2 / 6, 3 / 6, 4 / 6, 5 / 6]);
});

test('rounds of work that fails are left out, and what ran of them counts', async () => {
  const { clock, fractions, round } = clockOf(3);
  const failing = clock.take(2, () => {
    clock.sample(0);
    clock.sample(1);
    return Promise.reject(new Error('rejected'));
  });
  await expect(failing).rejects.toThrow('rejected');
  // One run has ended, and a round of two is left.
  clock.addRounds(1);
  for (let count = 0; count < 2; count++) round();
  expect(fractions).toEqual([0, 1 / 6, 1 / 5, 2 / 5, 3 / 5, 4 / 5]);
});

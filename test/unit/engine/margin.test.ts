import { expect, test } from 'vitest';
import { isLessBeyondChance } from '../../../electron/engine/margin.ts';
import { normalValues } from '../../helpers/random.ts';

/** Losses of samples over four powers of ten, and of the same samples by a factor that spreads as much as itself. */
function losses(factor: number, seed: number, count = 32): [number[], number[]] {
  const other = Array.from(normalValues(count, seed), (value) => 10 ** value);
  const spread = normalValues(count, seed + 1000);
  return [other.map((each, at) => each * factor * Math.exp(spread[at]! * 0.7)), other];
}

function share(count: number, found: (seed: number) => boolean): number {
  return (
    Array.from({ length: count }, (_, seed) => found(seed)).filter((each) => each).length / count
  );
}

test('finds a loss of half as much on 32 samples, however much the samples differ', () => {
  expect(share(100, (seed) => isLessBeyondChance(...losses(0.4, seed)))).toBeGreaterThan(0.9);
});

test('takes what differs by chance for equal, on few samples too', () => {
  expect(share(1000, (seed) => isLessBeyondChance(...losses(1, seed)))).toBeLessThan(0.02);
  expect(share(1000, (seed) => isLessBeyondChance(...losses(1, seed, 8)))).toBeLessThan(0.04);
});

test('lets neither one sample decide, nor fewer than eight, nor many that lose less while all lose more', () => {
  const some = Array.from({ length: 32 }, (_, at) => 1 + (at % 5) / 10);
  const oneLess = some.map((each, at) => (at === 5 ? each : each * (1 + (at % 3) / 100)));
  const oneMore = oneLess.map((each, at) => (at === 5 ? 1000 : each));
  expect(isLessBeyondChance(some, oneMore)).toBe(false);
  const halved = (count: number) => some.slice(0, count).map((each) => each / 2);
  const less = [7, 8].map((count) => isLessBeyondChance(halved(count), some.slice(0, count)));
  expect(less).toEqual([false, true]);
  expect(isLessBeyondChance([...halved(31), 1000], some)).toBe(false);
  expect(isLessBeyondChance(some, some)).toBe(false);
  expect(isLessBeyondChance([0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0])).toBe(false);
  expect(isLessBeyondChance([0, 0, 0, 0, 0, 0, 0, 0], some.slice(0, 8))).toBe(true);
});

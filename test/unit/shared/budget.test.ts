import { describe, expect, test } from 'vitest';
import { frontier, leastWithin, sumOf, type Cost, type Options } from '../../../shared/budget.ts';
import { randomNumbers } from '../../helpers/random.ts';

/** Tensors of seeded sizes with four schemes each, whose noise falls by about 6 dB a bit. */
function randomOptions(tensors: number, seed: number): Options {
  const random = randomNumbers(seed);
  return Array.from({ length: tensors }, () => {
    const elements = 100 + Math.floor(random() * 10_000);
    return [4, 8, 16, 32].map((bits): Cost => ({
      limited: Math.ceil((elements * bits) / 8) + Math.floor(random() * 200),
      least: bits === 32 ? 0 : elements * random() * 2 ** (-2 * bits),
    }));
  });
}

function swapped(options: Options): Options {
  return options.map((item) =>
    item.map(({ limited, least }) => ({ limited: least, least: limited })),
  );
}

/** The least sum over every choice there is; Infinity when none is within the limit. */
function exhaustive(options: Options, limit: number, item = 0): number {
  if (limit < 0) return Infinity;
  if (item === options.length) return 0;
  return Math.min(
    ...options[item]!.map(
      ({ limited, least }) => least + exhaustive(options, limit - limited, item + 1),
    ),
  );
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

describe('leastWithin', () => {
  test.each(SEEDS)('fits bytes within 2 % of the least noise there is, seed %i', (seed) => {
    const options = randomOptions(6, seed);
    const points = frontier(options);
    const [low, high] = [points[0]!.limited, points[points.length - 1]!.limited];
    for (const share of [0, 0.1, 0.23, 0.4, 0.6, 0.85, 1]) {
      const limit = Math.ceil(low + share * (high - low));
      const chosen = leastWithin(options, limit)!;
      expect(sumOf(options, chosen, 'limited')).toBeLessThanOrEqual(limit);
      expect(sumOf(options, chosen, 'least')).toBeLessThanOrEqual(
        exhaustive(options, limit) * 1.02,
      );
    }
  });

  test.each(SEEDS)('keeps noise low within 2 % of the fewest bytes there are, seed %i', (seed) => {
    const options = swapped(randomOptions(6, seed));
    for (const limit of [1e-6, 1e-3, 0.1, 10]) {
      const chosen = leastWithin(options, limit)!;
      expect(sumOf(options, chosen, 'limited')).toBeLessThanOrEqual(limit);
      expect(sumOf(options, chosen, 'least')).toBeLessThanOrEqual(
        exhaustive(options, limit) * 1.02,
      );
    }
  });

  test('says so when nothing stays within the limit', () => {
    const options = randomOptions(5, 1);
    const fewest = frontier(options)[0]!.limited;
    expect(leastWithin(options, fewest - 1)).toBeNull();
    expect(leastWithin(options, fewest)).not.toBeNull();
  });

  test('of many tensors leaves less room unspent than any single tensor takes', () => {
    const options = randomOptions(2000, 3);
    const points = frontier(options);
    const limit = Math.round((points[0]!.limited + points[points.length - 1]!.limited) / 2);
    const used = sumOf(options, leastWithin(options, limit)!, 'limited');
    expect(used).toBeLessThanOrEqual(limit);
    expect(limit - used).toBeLessThan(400);
  });
});

describe('frontier', () => {
  test('rises in what is limited and falls in what is to be least', () => {
    const points = frontier(randomOptions(200, 9));
    expect(points.length).toBeGreaterThan(200);
    for (const [index, point] of points.slice(1).entries()) {
      expect(point.limited).toBeGreaterThan(points[index]!.limited);
      expect(point.least).toBeLessThan(points[index]!.least);
    }
  });
});

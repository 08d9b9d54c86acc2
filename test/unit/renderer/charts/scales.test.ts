import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  countScale,
  crisp,
  labelledTicks,
  LEVEL_GAP,
  levelStride,
  linearScale,
  niceTicks,
  paddedExtent,
  powersOfTen,
  roundDown,
  symmetricTicks,
} from '../../../../renderer/charts/scales.ts';

describe('linearScale', () => {
  test('maps the ends of the domain onto the ends of the range', () => {
    const scale = linearScale([-1, 3], [10, 50]);
    expect([scale(-1), scale(1), scale(3)]).toEqual([10, 30, 50]);
  });

  test('a domain without width lies in the middle', () => {
    expect(linearScale([2, 2], [0, 10])(2)).toBe(5);
  });
});

test('crisp is the middle of a pixel', () => {
  expect([crisp(3.2), crisp(3.7)]).toEqual([3.5, 4.5]);
});

describe('niceTicks', () => {
  test('never gives more ticks than asked, all inside the range', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
        fc.integer({ min: 2, max: 8 }),
        (lo, span, count) => {
          fc.pre(lo + span > lo);
          const ticks = niceTicks(lo, lo + span, count);
          expect(ticks.length).toBeLessThanOrEqual(count);
          for (const tick of ticks) {
            expect(tick).toBeGreaterThanOrEqual(lo);
            expect(tick).toBeLessThanOrEqual(lo + span);
          }
        },
      ),
    );
  });

  test('are round', () => {
    expect(niceTicks(-1.1, 0.51, 5)).toEqual([-1, -0.5, 0, 0.5]);
  });

  test('a range without width has its one value', () => {
    expect(niceTicks(4, 4, 5)).toEqual([4]);
  });
});

describe('countScale', () => {
  test.each(['linear', 'log', 'sqrt'] as const)(
    '%s: no count stands on the base, more stands higher, all under the top',
    (kind) => {
      const { y } = countScale(kind, 1000, 90, 10);
      expect(y(0)).toBe(90);
      const heights = [1, 10, 500, 1000].map(y);
      expect(heights).toEqual([...heights].sort((a, b) => b - a));
      expect(y(1)).toBeLessThan(90);
      expect(y(1000)).toBeGreaterThanOrEqual(10);
    },
  );

  test.each(['linear', 'log', 'sqrt'] as const)('%s: an empty histogram has a scale', (kind) => {
    const { y } = countScale(kind, 0, 90, 10);
    expect(y(0)).toBe(90);
  });

  test('logarithmic ticks are powers of ten, the linear ones whole counts', () => {
    expect(countScale('log', 17_023, 90, 10).ticks).toEqual([1, 10, 100, 1000, 10_000]);
    expect(countScale('linear', 2, 90, 10).ticks).toEqual([1, 2]);
  });
});

test('powersOfTen leaves powers out evenly where there are too many', () => {
  expect(powersOfTen(1000, 5)).toEqual([1, 10, 100, 1000]);
  expect(powersOfTen(2e9, 5)).toEqual([1, 100, 1e4, 1e6, 1e8]);
});

test('roundDown goes to the next 1, 2 or 5', () => {
  expect([999, 1000, 4.9, 0.7, 0].map(roundDown)).toEqual([500, 1000, 2, 0.5, 0]);
});

describe('levelStride', () => {
  test('keeps lines a gap apart, and no further than needed', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-4, max: 100, noNaN: true }), (pixels) => {
        const stride = levelStride(pixels);
        expect(pixels * stride).toBeGreaterThanOrEqual(LEVEL_GAP);
        if (stride > 1) expect((pixels * stride) / 2).toBeLessThan(LEVEL_GAP);
      }),
    );
  });

  test('levels without distance have no lines', () => {
    expect([levelStride(0), levelStride(NaN)]).toEqual([Infinity, Infinity]);
  });
});

describe('paddedExtent', () => {
  test('widens the extent by its share and passes over what is not finite', () => {
    expect(paddedExtent([0, NaN, 10, Infinity], 0.1)).toEqual([-1, 11]);
  });

  test('equal values and none at all still have a width', () => {
    expect(paddedExtent([3, 3], 0.1)).toEqual([0, 6]);
    expect(paddedExtent([], 0.1)).toEqual([-1, 1]);
  });
});

test('symmetricTicks lie at the same distance on both sides', () => {
  expect(symmetricTicks(0.0404)).toEqual([-0.02, 0, 0.02]);
  expect(symmetricTicks(0)).toEqual([0]);
});

test('labelledTicks has fewer ticks where their labels are long', () => {
  expect(labelledTicks(-0.5, 0.5, 5, String)).toEqual([-0.4, -0.2, 0, 0.2, 0.4]);
  expect(labelledTicks(-5e-31, 5e-31, 5, (tick) => tick.toExponential(3)).length).toBeLessThan(4);
});

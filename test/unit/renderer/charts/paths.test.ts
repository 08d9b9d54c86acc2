import { describe, expect, test } from 'vitest';
import {
  areaPath,
  barsPath,
  diamondPath,
  outlinePath,
  verticalLines,
} from '../../../../renderer/charts/paths.ts';

const y = (count: number): number => 20 - count;

describe('histograms', () => {
  const bins = { counts: [1, 0, 3], left: 10, step: 5 };

  test('an area stands on its base and has one step per bin', () => {
    expect(areaPath(bins, y, 20)).toBe('M10 20V19H15V20H20V17H25V20Z');
  });

  test('an outline begins at the height of the first bin', () => {
    expect(outlinePath(bins, y)).toBe('M10 19V19H15V20H20V17H25');
  });

  test('without bins there is nothing', () => {
    const none = { counts: [], left: 0, step: 1 };
    expect([areaPath(none, y, 20), outlinePath(none, y)]).toEqual(['', '']);
  });

  test('positions are rounded to a tenth of a pixel', () => {
    expect(areaPath({ counts: [1 / 3], left: 0, step: 10 / 3 }, y, 20)).toBe('M0 20V19.7H3.3V20Z');
  });
});

test('a diamond has its four corners at the radius', () => {
  expect(diamondPath(10, 20, 4)).toBe('M10 16L14 20L10 24L6 20Z');
});

test('vertical lines share their ends', () => {
  expect(verticalLines([1, 2.25], 0, 6)).toBe('M1 0V6M2.3 0V6');
});

test('bars are at least one pixel high', () => {
  expect(
    barsPath(
      [
        { x: 0, top: 2, bottom: 10 },
        { x: 3, top: 5, bottom: 5 },
      ],
      2,
    ),
  ).toBe('M0.00 2h2.00v8h-2.00ZM3.00 5h2.00v1h-2.00Z');
});

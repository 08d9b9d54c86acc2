import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stepCorners, stepPath } from '../../../../renderer/charts/size-error.ts';
import { placeLabels, type Labelled } from '../../../../renderer/charts/labels.ts';

const bounds = { left: 0, right: 300, top: 0, bottom: 200 };
const label = (x: number, y: number, rest: Partial<Labelled> = {}): Labelled => ({
  text: 'plan 20.2 dB',
  x,
  y,
  width: 70,
  isOptional: false,
  ...rest,
});

test('a label at an edge stays whole', () => {
  for (const [x, y] of [
    [2, 100],
    [298, 100],
    [150, 2],
    [150, 198],
  ] as const) {
    const [place] = placeLabels([label(x, y)], bounds);
    expect(place!.x).toBeGreaterThanOrEqual(0);
    expect(place!.x + 70).toBeLessThanOrEqual(300);
    expect(place!.y).toBeGreaterThanOrEqual(9);
    expect(place!.y).toBeLessThanOrEqual(197);
  }
});

test('labels of marks that lie on each other do not', () => {
  const places = placeLabels([label(150, 100), label(152, 101)], bounds);
  const [a, b] = places as { x: number; y: number }[];
  const apart = Math.abs(a!.x - b!.x) >= 70 || Math.abs(a!.y - b!.y) >= 12;
  expect(apart).toBe(true);
});

test('a label stands on no line where another place is free', () => {
  // Up to the mark and on to the right, where a label stands first.
  const rising = [
    { x: 0, y: 150 },
    { x: 100, y: 100 },
    { x: 300, y: 90 },
  ];
  expect(placeLabels([label(100, 100)], bounds)[0]).toEqual({ x: 108, y: 95 });
  expect(placeLabels([label(100, 100)], bounds, [rising])[0]).toEqual({ x: 22, y: 95 });
});

test('the corners of a step curve are those that its path goes by', () => {
  const scale = (value: number): number => value;
  const curve = [
    { bytes: 1, sqnrDb: 10 },
    { bytes: 5, sqnrDb: 20 },
  ];
  expect(stepPath(curve, scale as never, scale as never)).toBe('M1 10H5V20');
  expect(stepCorners(curve, scale as never, scale as never)).toEqual([
    { x: 1, y: 10 },
    { x: 5, y: 10 },
    { x: 5, y: 20 },
  ]);
});

test('optional labels never touch another, and leave where they would', () => {
  const mark = fc.record({
    x: fc.integer({ min: 0, max: 300 }),
    y: fc.integer({ min: 0, max: 200 }),
  });
  fc.assert(
    fc.property(fc.array(mark, { minLength: 1, maxLength: 20 }), (marks) => {
      const labels = marks.map(({ x, y }) => label(x, y, { isOptional: true }));
      const boxes = placeLabels(labels, bounds).flatMap((place) => (place === null ? [] : [place]));
      for (const [at, a] of boxes.entries())
        for (const b of boxes.slice(at + 1))
          expect(Math.abs(a.x - b.x) >= 70 || Math.abs(a.y - b.y) >= 12).toBe(true);
    }),
  );
});

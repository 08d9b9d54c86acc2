import { expect, test } from 'vitest';
import { summarizeScales } from '../../../shared/scales.ts';

test('the widest group of scales is that furthest from 0, whatever its sign', () => {
  const { widest, min, max, count } = summarizeScales({ scale: [0.5, -2, 1], zeroPoint: [] });
  expect(widest).toEqual({ group: 1, scale: -2, zeroPoint: 0 });
  expect([min, max, count]).toEqual([-2, 1, 3]);
  expect(summarizeScales({ scale: [], zeroPoint: [] }).widest).toBeNull();
});

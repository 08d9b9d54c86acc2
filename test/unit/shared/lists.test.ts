import { expect, test } from 'vitest';
import { append, largest, smallest } from '../../../shared/lists.ts';

test('lists longer than the stack are appended, and their extremes found', () => {
  const list = Array.from({ length: 1_000_000 }, (_, index) => index);
  const into = [-1];
  append(into, list);
  expect(into).toHaveLength(1_000_001);
  expect([smallest(into), largest(into)]).toEqual([-1, 999_999]);
  expect([smallest([]), largest([])]).toEqual([Infinity, -Infinity]);
  expect(largest([1, NaN, 2])).toBeNaN();
});

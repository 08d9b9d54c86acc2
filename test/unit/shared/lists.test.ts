import { expect, test } from 'vitest';
import { addTo, append, largest, smallest } from '../../../shared/lists.ts';

test('lists longer than the stack are appended, and their extremes found', () => {
  const list = Array.from({ length: 1_000_000 }, (_, index) => index);
  const into = [-1];
  append(into, list);
  expect(into).toHaveLength(1_000_001);
  expect([smallest(into), largest(into)]).toEqual([-1, 999_999]);
  expect([smallest([]), largest([])]).toEqual([Infinity, -Infinity]);
  expect(largest([1, NaN, 2])).toBeNaN();
});

test('values are added to the lists of their keys, in order', () => {
  const lists = new Map<string, number[]>();
  for (const value of [1, 2, 3, 4]) addTo(lists, value % 2 === 0 ? 'even' : 'odd', value);
  expect([...lists]).toEqual([
    ['odd', [1, 3]],
    ['even', [2, 4]],
  ]);
});

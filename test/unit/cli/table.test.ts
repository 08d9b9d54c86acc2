import { expect, test } from 'vitest';
import { shortened, toTable, widthOf } from '../../../electron/cli/table.ts';

const RIGHT = new Set([1]);
const rows = [
  ['tensor', 'bytes', 'shape'],
  ['/encoder/layers.0/self_attention/out_projection/MatMul', '123456789', '1x128x256x3x3'],
  ['/encoder/layers.1/self_attention/out_projection/MatMul', '1', '2'],
];

test('a table fits the width by shortening names in the middle, and keeps every number whole', () => {
  const lines = toTable(rows, RIGHT, { whole: new Set([2]), width: 50 }).split('\n');
  for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(50);
  expect(lines[1]).toMatch(/^\/encoder\/.*….*MatMul {2}123456789 {2}1x128x256x3x3$/);
});

test('a table that cannot fit keeps its numbers and 12 places of each name', () => {
  const [, line] = toTable(rows, RIGHT, { whole: new Set([2]), width: 5 }).split('\n');
  expect(line).toBe('/encod…atMul  123456789  1x128x256x3x3');
});

test('a table has no limit where there is no terminal', () => {
  expect(toTable(rows, RIGHT)).toContain(rows[1]![0]);
});

test('wide characters and emoji count two places and are never cut in half', () => {
  expect(widthOf('層a👩‍👩‍👧é')).toBe(6);
  for (let width = 1; width < 12; width++) {
    const text = shortened('層層層👩‍👩‍👧層層層', width);
    expect(widthOf(text)).toBeLessThanOrEqual(width);
    expect(text).not.toMatch(/[\ud800-\udbff](?![\udc00-\udfff])/);
  }
  const lines = toTable(
    [
      ['層', '1'],
      ['ab', '22'],
    ],
    RIGHT,
  ).split('\n');
  expect(lines).toEqual(['層   1', 'ab  22']);
});

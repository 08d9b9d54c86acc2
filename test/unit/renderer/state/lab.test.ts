import { expect, test } from 'vitest';
import { Lab } from '../../../../renderer/state/lab.svelte.ts';
import { NUMBER_FORMATS } from '../../../../shared/number-formats.ts';

const formatOf = (name: string) => NUMBER_FORMATS.find((format) => format.name === name)!;

test('what is typed and is no number leaves the value and its name', () => {
  const lab = new Lab();
  lab.write('-1e-3');
  expect([lab.isNumber, lab.at, lab.name]).toEqual([true, -0.001, '−1e−3']);
  lab.write('-1e-');
  expect([lab.isNumber, lab.at, lab.name]).toEqual([false, -0.001, '−1e−3']);
});

test('a long number is called by some of its digits', () => {
  const lab = new Lab();
  lab.take(0.1);
  expect(lab.text).toBe('0.1000000000000000055511151231257827021181583404541015625');
  expect(lab.name).toBe('0.1');
});

test('a bit that is turned over makes the number that the format then holds', () => {
  const lab = new Lab();
  lab.write('1.5');
  lab.flip(formatOf('int8'), 0);
  expect(lab.text).toBe('-126');
  lab.flip(formatOf('float16'), 0);
  expect(lab.text).toBe('126');
});

test('infinity and NaN are told and taken for no number', () => {
  const lab = new Lab();
  lab.write('1');
  lab.flip(formatOf('float32'), 1);
  expect(lab.notice).toBe('float32 7f800000 is infinity, not a number. The value stays 1.');
  lab.write('1.75');
  expect(lab.notice).toBe('');
  lab.flip(formatOf('float8_e4m3fn'), 1);
  expect(lab.notice).toBe('');
  expect(lab.text).toBe('448');
  lab.flip(formatOf('float8_e4m3fn'), 7);
  expect([lab.notice, lab.text]).toEqual([
    'float8_e4m3fn 7f is NaN, not a number. The value stays 448.',
    '448',
  ]);
});

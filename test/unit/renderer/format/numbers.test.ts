import { expect, test } from 'vitest';
import * as numbers from '../../../../renderer/format/numbers.ts';

const T = numbers.THIN;
const M = numbers.MINUS;

test('thousands are parted by a narrow no-break space from 1 000 on', () => {
  expect(numbers.integer(999)).toBe('999');
  expect(numbers.integer(614228)).toBe(`614${T}228`);
  expect(numbers.integer(-1234567n)).toBe(`${M}1${T}234${T}567`);
});

test('MB has three significant digits and never a power of ten', () => {
  expect(numbers.megabytes(703456)).toBe('0.703');
  expect(numbers.megabytes(2456912)).toBe('2.46');
  expect(numbers.megabytes(990_000_000)).toBe('990');
  expect(numbers.megabytes(2_080_376_655)).toBe(`2${T}080`);
  expect(numbers.megabytes(999_600_000)).toBe(`1${T}000`);
  expect(numbers.megabytes(0)).toBe('0');
});

test('kB has one decimal, with thousands parted', () => {
  expect(numbers.kilobytes(147456)).toBe('147.5');
  expect(numbers.kilobytes(2435456)).toBe(`2${T}435.5`);
});

test('a size takes the unit that suits it', () => {
  expect(numbers.byteSize(16)).toBe(`16${T}B`);
  expect(numbers.byteSize(9728)).toBe(`9.7${T}kB`);
  expect(numbers.byteSize(703456)).toBe(`0.703${T}MB`);
});

test('SQNR without error reads exact, without signal a dash', () => {
  expect(numbers.decibels(45.18)).toBe('45.2');
  expect(numbers.decibels(-3.25, 2)).toBe(`${M}3.25`);
  expect(numbers.decibels(Infinity)).toBe('exact');
  expect(numbers.decibels(null)).toBe(numbers.NONE);
  expect(numbers.decibels(NaN)).toBe(numbers.NONE);
  expect(numbers.decibelsWithUnit(45.18)).toBe(`45.2${T}dB`);
  expect(numbers.decibelsWithUnit(Infinity)).toBe('exact');
});

test('a change has its sign, unless it rounds to nothing', () => {
  expect(numbers.change(8.61)).toBe('+8.6');
  expect(numbers.change(-8.61)).toBe(`${M}8.6`);
  expect(numbers.change(-0.04)).toBe('0.0');
  expect(numbers.percent(-0.714)).toBe(`${M}71.4${T}%`);
});

test('reals have four significant digits, and a power of ten outside 1e-4 to 1e6', () => {
  expect(numbers.real(0.06123456)).toBe('0.06123');
  expect(numbers.real(-1.101023)).toBe(`${M}1.101`);
  expect(numbers.real(3.34e-6, 3)).toBe(`3.34e${M}6`);
  expect(numbers.real(1e6)).toBe('1e6');
  expect(numbers.real(123456)).toBe(`123${T}500`);
  expect(numbers.real(0)).toBe('0');
  expect(numbers.real(-Infinity)).toBe(`${M}∞`);
  expect(numbers.real(NaN)).toBe('NaN');
});

test('nine digits tell a float32 from its neighbours', () => {
  for (const value of [Math.fround(0.1), Math.fround(1 / 3), Math.fround(16777217.5), 1.4e-45]) {
    const text = numbers.exactFloat32(Math.fround(value));
    expect(Math.fround(Number(text))).toBe(Math.fround(value));
    expect(text).toMatch(/^[-+.e\d]+$/);
  }
});

test('axis counts are short and shapes are joined by the multiplication sign', () => {
  expect(numbers.shortCount(500)).toBe('500');
  expect(numbers.shortCount(20000)).toBe('20k');
  expect(numbers.shortCount(3_000_000)).toBe('3M');
  expect(numbers.shape([64, 64, 3, 3])).toBe('64×64×3×3');
  expect(numbers.shape([])).toBe('scalar');
});

test('time that remains is told in one unit', () => {
  expect(numbers.timeLeft(0.4)).toBe(`under 1${T}s left`);
  expect(numbers.timeLeft(12.3)).toBe(`12${T}s left`);
  expect(numbers.timeLeft(600)).toBe(`10${T}min left`);
});

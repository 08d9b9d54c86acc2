import { afterEach, expect, test } from 'vitest';
import { setNumberStyle } from '../../../../renderer/format/number-marks.svelte.ts';
import * as numbers from '../../../../renderer/format/numbers.ts';
import { activationSentence, rangeWord } from '../../../../renderer/format/schemes.ts';
import { fieldText, plainText, typedNumber } from '../../../../renderer/format/typed-numbers.ts';
import { Lab } from '../../../../renderer/state/lab.svelte.ts';
import {
  DEFAULT_NUMBER_STYLE,
  marksOf,
  NUMBER_STYLES,
  numberLocale,
} from '../../../../shared/number-styles.ts';

afterEach(() => setNumberStyle(DEFAULT_NUMBER_STYLE, 'en'));

const T = numbers.THIN;
const M = numbers.MINUS;

test('every figure is written in the language of numbers', () => {
  const figures = (): string[] => [
    numbers.fixed(-1234567.891, 2),
    numbers.integer(614228),
    numbers.real(0.06123456),
    numbers.real(3.34e-6, 3),
    numbers.byteSize(2_080_376_655),
    numbers.byteSize(703456),
    numbers.decibelsWithUnit(45.18),
    numbers.percent(-0.714),
    numbers.milliseconds(13_612),
    numbers.shortCount(1500),
    numbers.digits('-0.5'),
    activationSentence({ range: { percentile: 99.99 } }),
  ];
  const rest = [`0,703${T}MB`, `45,2${T}dB`, `${M}71,4${T}%`];
  setNumberStyle('point-comma', 'en');
  expect(figures()).toEqual([
    ...[`${M}1.234.567,89`, '614.228', '0,06123', `3,34e${M}6`, `2.080${T}MB`],
    ...[...rest, '13.600', '1,5k', `${M}0,5`, 'p 99,99'],
  ]);
  setNumberStyle('space-comma', 'en');
  expect(figures()).toEqual([
    ...[`${M}1${T}234${T}567,89`, `614${T}228`, '0,06123', `3,34e${M}6`, `2${T}080${T}MB`],
    ...[...rest, `13${T}600`, '1,5k', `${M}0,5`, 'p 99,99'],
  ]);
  setNumberStyle('comma-point', 'en');
  expect(numbers.fixed(-1234567.891, 2)).toBe(`${M}1,234,567.89`);
  setNumberStyle('apostrophe-point', 'en');
  expect(numbers.fixed(-1234567.891, 2)).toBe(`${M}1’234’567.89`);
});

test('what goes to the clipboard or names a range is the same in every language', () => {
  setNumberStyle('point-comma', 'en');
  expect(numbers.exactFloat32(Math.fround(0.1))).toBe('0.100000001');
  expect(rangeWord({ percentile: 99.99 })).toBe('p 99.99');
});

test("the style of the system has its locale's marks, and those of the default where the locale is unknown", () => {
  expect(marksOf('system', 'de-DE')).toEqual({ group: '.', decimal: ',' });
  expect(marksOf('system', 'en-US')).toEqual({ group: ',', decimal: '.' });
  expect(marksOf('system', 'fr-FR')).toEqual({ group: T, decimal: ',' });
  expect(marksOf('system', 'es-ES')).toEqual({ group: '.', decimal: ',' });
  expect(marksOf('system', 'nb-NO')).toEqual({ group: T, decimal: ',' });
  expect(marksOf('system', 'not a locale')).toEqual(marksOf(DEFAULT_NUMBER_STYLE, ''));
});

test('numbers follow LC_ALL, then LC_NUMERIC, then LANG, then the locale that Electron found', () => {
  const all = { LC_ALL: 'fr_FR.UTF-8', LC_NUMERIC: 'de_DE.UTF-8', LANG: 'en_US.UTF-8' };
  expect(numberLocale(all, 'en-GB')).toBe('fr-FR');
  expect(numberLocale({ ...all, LC_ALL: '' }, 'en-GB')).toBe('de-DE');
  expect(numberLocale({ LANG: 'sr_RS@latin' }, 'en-GB')).toBe('sr-RS');
  expect(numberLocale({ LANG: 'C.UTF-8' }, 'en-GB')).toBe('en-GB');
  expect(numberLocale({}, 'pl')).toBe('pl');
});

test('what a figure shows is read back from a field, in every style', () => {
  for (const style of NUMBER_STYLES) {
    setNumberStyle(style, 'de-CH');
    for (const value of [0, 0.123, 1.234, -1.5, 999, 1234, 1234.5, -1234567.25, 1e-7, 123456.789]) {
      expect(typedNumber(numbers.fixed(value, 7)), `${value} shown in ${style}`).toBe(value);
      expect(typedNumber(fieldText(value)), `${value} in a field of ${style}`).toBe(value);
    }
  }
});

test('a mark is read as the language has it, and as another has it only where it can mean one thing', () => {
  const read = (...typed: string[]): number[] => typed.map(typedNumber);
  setNumberStyle('point-comma', 'en');
  expect(read('1.234', '1,234', '1.234.567,5', '0.5', '0.123', '1.5', ',5')).toEqual([
    ...[1234, 1.234, 1234567.5, 0.5, 0.123, 1.5, 0.5],
  ]);
  setNumberStyle('comma-point', 'en');
  expect(read('1,234', '1.234', '0,5', '12,34', '1,234.5')).toEqual([
    1234, 1.234, 0.5, 12.34, 1234.5,
  ]);
  setNumberStyle('space-point', 'en');
  expect(read('1 234.5', `1${T}234`, "1'234", '0,703', '1.5e-3', `${M}2`)).toEqual([
    ...[1234.5, 1234, 1234, 0.703, 0.0015, -2],
  ]);
  // A thousand, or one and some? Not guessed.
  expect(read('1,234', '1.2.3', '1,2,3', '12 34', '', 'x')).toEqual(Array(6).fill(NaN));
});

test('fractions and hex of the lab are read in the language too', () => {
  setNumberStyle('space-comma', 'en');
  expect(plainText('1,5/3')).toBe('1.5/3');
  expect(plainText('0xff')).toBe('0xff');
  expect(plainText(' 2,5e-3 ')).toBe('2.5e-3');
  const lab = new Lab();
  lab.write('0,1');
  expect([lab.isNumber, lab.at, lab.name, lab.text]).toEqual([true, 0.1, '0,1', '0,1']);
  lab.take(0.5);
  expect([lab.text, lab.name, lab.at]).toEqual(['0,5', '0,5', 0.5]);
});

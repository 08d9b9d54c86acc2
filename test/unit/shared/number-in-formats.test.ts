import { describe, expect, test } from 'vitest';
import {
  flipBit,
  fromDouble,
  numberText,
  parseNumber,
  storeNumber,
  toDouble,
  type Rational,
  type StoredNumber,
} from '../../../shared/number-in-formats.ts';
import { NUMBER_FORMATS, type NumberFormat } from '../../../shared/number-formats.ts';
import { readGolden } from '../quantize/goldens.ts';

const golden = readGolden<{
  values: { format: string; value: string; hex: string; text: string }[];
}>('number_values.json');

function format(name: string): NumberFormat {
  const found = NUMBER_FORMATS.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no format is called ${name}`);
  return found;
}

function number(text: string): Rational {
  const value = parseNumber(text);
  if (value === null) throw new Error(`${text} is no number`);
  return value;
}

function store(name: string, text: string): StoredNumber {
  return storeNumber(format(name), number(text));
}

describe('a value in a format', () => {
  test.each(golden.values)("$value in $format is torch's, in Python's decimals", (expected) => {
    const { hex, stored } = store(expected.format, expected.value);
    expect({ hex, stored }).toEqual({ hex: expected.hex, stored: expected.text });
  });

  test.each(NUMBER_FORMATS)('nothing is past the ends of $name', ({ name, min, max }) => {
    expect(store(name, min)).toMatchObject({ overflows: false, below: null });
    expect(store(name, max)).toMatchObject({ overflows: false, above: null });
  });

  test('all patterns of the small formats are kept, whatever they hold', () => {
    const lost: string[] = [];
    for (const facts of NUMBER_FORMATS.filter(({ bits }) => bits <= 16))
      for (let pattern = 0; pattern < 2 ** facts.bits; pattern++) {
        const bits = pattern.toString(2).padStart(facts.bits, '0');
        // Turned over twice, a bit is as it was: so the pattern's own value is asked for.
        const turned = (pattern ^ 1).toString(2).padStart(facts.bits, '0');
        const value = flipBit(facts, turned, facts.bits - 1);
        if (value === null || (value.n === 0n && pattern !== 0)) continue;
        if (storeNumber(facts, value).bits !== bits) lost.push(`${facts.name} ${bits}`);
      }
    expect(lost).toEqual([]);
  });

  test('float8 and fixed point saturate, IEEE floats go to infinity', () => {
    expect(store('float8_e4m3fn', '1e9')).toMatchObject({ hex: '7e', overflows: true });
    expect(store('float8_e4m3fn', '-465').hex).toBe('fe');
    expect(store('float8_e5m2', '1e9').hex).toBe('7b');
    expect(store('q7', '1')).toMatchObject({ hex: '7f', overflows: true });
    expect(store('q15', '-3').hex).toBe('8000');
    expect(store('uint8', '-1').hex).toBe('00');
    expect(store('float16', '1e9')).toMatchObject({ stored: 'inf', overflows: true, ulps: null });
  });

  test('ties go to the even neighbour', () => {
    expect(store('int8', '0.5').hex).toBe('00');
    expect(store('int8', '1.5').hex).toBe('02');
    expect(store('int8', '-2.5').hex).toBe('fe');
    expect(store('q7', '1/256').hex).toBe('00');
    expect(store('q7', '3/256').hex).toBe('02');
  });

  test('errors and neighbours', () => {
    expect(store('float16', '1/3')).toMatchObject({
      hex: '3555',
      absoluteError: -1 / 12288,
      relativeError: -1 / 4096,
      ulps: -1 / 3,
      below: `0.3330078125${'0'.repeat(50)}`,
      above: `0.33349609375${'0'.repeat(49)}`,
      stepsBelow: 1,
      stepsAbove: 1,
    });
    expect(store('float32', '0').relativeError).toBeNull();
    expect(store('int8', '-1.25')).toMatchObject({ absoluteError: 0.25, relativeError: -0.2 });
  });

  test('the step halves below a power of two, and an end has no neighbour', () => {
    expect(store('float16', '1')).toMatchObject({ stepsBelow: 0.5, stepsAbove: 1 });
    expect(store('float16', '-1')).toMatchObject({ stepsBelow: 1, stepsAbove: 0.5 });
    expect(store('float16', '0')).toMatchObject({ stepsBelow: 1, stepsAbove: 1 });
    expect(store('int8', '500')).toMatchObject({ stepsBelow: 1, stepsAbove: null });
    expect(store('q15', '0.5')).toMatchObject({ stepsBelow: 1, stepsAbove: 1 });
  });

  test('the smallest double and its errors are finite', () => {
    const { value, hex } = store('float64', `1/${2n ** 1074n}`);
    expect([toDouble(value!), hex]).toEqual([Number.MIN_VALUE, '0000000000000001']);
    expect(store('float64', '1.7976931348623157e308').overflows).toBe(false);
  });
});

describe('numbers as text', () => {
  test('decimals, fractions and hex', () => {
    expect(number('-1.25e1')).toEqual({ n: -25n, d: 2n });
    expect(number(' 1 / -3 ')).toEqual({ n: -1n, d: 3n });
    expect(number('0xFF')).toEqual({ n: 255n, d: 1n });
    expect(number('.5')).toEqual({ n: 1n, d: 2n });
  });

  test.each(['', '.', '1/0', '1/2/3', 'nan', '0x', '1e99999', 'e5', '9'.repeat(900)])(
    '%j is none',
    (text) => expect(parseNumber(text)).toBeNull(),
  );

  test('doubles are taken exactly', () => {
    expect(fromDouble(0.1)).toEqual({ n: 3602879701896397n, d: 36028797018963968n });
    expect(fromDouble(Number.MIN_VALUE)).toEqual({ n: 1n, d: 2n ** 1074n });
    expect(fromDouble(-3)).toEqual({ n: -3n, d: 1n });
    for (const value of [0, -0.75, Math.PI, Number.MAX_VALUE, 2 ** -1022])
      expect(toDouble(fromDouble(value))).toBe(value);
  });

  test('what is written is read again exactly', () => {
    for (const text of ['1/3', '-0.333251953125', '0', '-12', `1/${2n ** 1074n}`])
      expect(numberText(number(text))).toBe(text);
  });
});

import { describe, expect, test } from 'vitest';
import {
  codeEnds,
  codeValue,
  patternCode,
  toFixedPoint,
} from '../../../shared/fixed-point-number.ts';
import { NUMBER_FORMATS } from '../../../shared/number-formats.ts';
import {
  fromDouble,
  parseNumber,
  storeNumber,
  toDouble,
} from '../../../shared/number-in-formats.ts';
import { bytesOf, float32Of, readGolden } from '../quantize/goldens.ts';

const golden = readGolden<{
  values: string;
  cases: { dtype: 'q7' | 'q15' | 'q31'; rounding: 'even' | 'zero'; codes: string }[];
}>('fixed.json');
const q7 = { integerBits: 0, fractionBits: 7 };
const convert = (text: string, format = q7, rounding: 'even' | 'zero' = 'even') =>
  toFixedPoint(parseNumber(text)!, format, rounding);

describe('a real number in fixed point', () => {
  test.each(golden.cases)("$dtype, rounding $rounding, is CMSIS-DSP's", (expected) => {
    const { dtype, rounding, codes } = expected;
    const format = { integerBits: 0, fractionBits: { q7: 7, q15: 15, q31: 31 }[dtype] };
    const found = [...float32Of(golden.values)].map((value) =>
      Number(toFixedPoint(fromDouble(value), format, rounding).code),
    );
    const { buffer } = Uint8Array.from(bytesOf(codes));
    const read = { q7: Int8Array, q15: Int16Array, q31: Int32Array }[dtype];
    expect(found).toEqual([...new read(buffer)]);
  });

  test('every step of it is there', () => {
    expect(convert('1/3')).toEqual({
      scaled: { n: 128n, d: 3n },
      rounded: 43n,
      code: 43n,
      saturates: false,
      bits: '00101011',
      stored: { n: 43n, d: 128n },
      error: 1 / 384,
      steps: 1 / 3,
    });
    expect(convert('1/3', q7, 'zero')).toMatchObject({ rounded: 42n, steps: -2 / 3 });
    expect(convert('-1/3', q7, 'zero').rounded).toBe(-42n);
  });

  test('saturates past its ends, and not at them', () => {
    expect(convert('1')).toMatchObject({ rounded: 128n, code: 127n, saturates: true });
    expect(convert('-1')).toMatchObject({ code: -128n, saturates: false, bits: '10000000' });
    expect(convert('-1.01')).toMatchObject({ code: -128n, saturates: true });
    // Rounded first: what rounds up to the end's successor is past it.
    expect(convert('0.997')).toMatchObject({ rounded: 128n, saturates: true });
    expect(convert('0.997', q7, 'zero')).toMatchObject({ rounded: 127n, saturates: false });
  });

  test('Qm.n has its point where it is put', () => {
    const q34 = { integerBits: 3, fractionBits: 4 };
    expect(codeEnds(q34)).toEqual({ low: -128n, high: 127n });
    expect(convert('3.8125', q34)).toMatchObject({ code: 61n, error: 0 });
    expect(codeValue(q34, patternCode(q34, 0xf0n))).toEqual({ n: -1n, d: 1n });
    const whole = { integerBits: 63, fractionBits: 0 };
    expect(convert('1e30', whole)).toMatchObject({ code: 2n ** 63n - 1n, saturates: true });
  });

  test.each(['q7', 'q15', 'q31'])('%s is what the table of formats stores', (name) => {
    const facts = NUMBER_FORMATS.find((format) => format.name === name)!;
    const format = { integerBits: 0, fractionBits: facts.fractionBits };
    for (const text of ['1/3', '-0.1', '0.5', '-1', '2', '-5', '1/256', '3/65536', '0']) {
      const held = storeNumber(facts, parseNumber(text)!);
      expect(convert(text, format)).toMatchObject({
        bits: held.bits,
        saturates: held.overflows,
        error: held.absoluteError,
      });
      expect(toDouble(convert(text, format).stored)).toBe(toDouble(held.value!));
    }
  });
});

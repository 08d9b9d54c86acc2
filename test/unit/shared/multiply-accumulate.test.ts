import { describe, expect, test } from 'vitest';
import { multiplyAccumulate } from '../../../shared/multiply-accumulate.ts';

const INT16 = 65536n;

/** Floor division, so that nothing here depends on BigInt's own shifts and cuts. */
function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value % divisor < 0n ? quotient - 1n : quotient;
}

function wrapped(value: bigint, modulus: bigint): bigint {
  return value - modulus * floorDivide(value + modulus / 2n, modulus);
}

function clamped(value: bigint, modulus: bigint): bigint {
  const half = modulus / 2n;
  return value < -half ? -half : value > half - 1n ? half - 1n : value;
}

describe('multiply and accumulate', () => {
  test("the course's example, on the same bits as int8 and as Q7", () => {
    const lab = multiplyAccumulate('q7', { a: -50n, b: 30n, accumulator: 500n });
    expect(lab.a).toEqual({ value: -50n, bits: '11001110' });
    expect(lab.b).toEqual({ value: 30n, bits: '00011110' });
    expect(lab.product).toEqual({ value: -1500n, bits: '1111101000100100' });
    expect(lab.shifted).toEqual({ value: -12n, bits: '1111111111110100' });
    expect(lab.integerSum).toEqual({ value: -1000n, bits: '1111110000011000' });
    expect(lab.fixedSum).toEqual({ value: 488n, bits: '0000000111101000' });
    expect(lab.narrowedInteger).toEqual({ value: 24n, bits: '00011000' });
    expect(lab.narrowedFixed).toEqual({ value: 127n, bits: '01111111' });
    expect([lab.narrowedWraps, lab.narrowedSaturates]).toEqual([true, true]);
    expect(Number(lab.a.value) / 2 ** 7).toBe(-0.390625);
    expect(Number(lab.fixedSum.value) / 2 ** 7).toBe(3.8125);
    expect(Number(lab.product.value) / 2 ** 14).toBe(-0.091552734375);
  });

  test.each([-32768n, 0n, 500n, 32767n])('all 65,536 products, on %d', (accumulator) => {
    const wrong: string[] = [];
    for (let a = -128n; a < 128n; a++)
      for (let b = -128n; b < 128n; b++) {
        const lab = multiplyAccumulate('q7', { a, b, accumulator });
        const shifted = floorDivide(a * b, 128n);
        const integer = wrapped(accumulator + a * b, INT16);
        const fixed = clamped(accumulator + shifted, INT16);
        const right =
          lab.product.value === a * b &&
          lab.shifted.value === shifted &&
          lab.integerSum.value === integer &&
          lab.fixedSum.value === fixed &&
          lab.integerWraps === (integer !== accumulator + a * b) &&
          lab.fixedSaturates === (fixed !== accumulator + shifted) &&
          lab.narrowedInteger.value === wrapped(integer, 256n) &&
          lab.narrowedFixed.value === clamped(fixed, 256n);
        if (!right) wrong.push(`${a} x ${b}`);
      }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['q7', 8n],
    ['q15', 16n],
    ['q31', 32n],
  ] as const)('-1 times -1 in %s is just too much, and saturates', (format, width) => {
    const least = -(2n ** (width - 1n));
    const lab = multiplyAccumulate(format, { a: least, b: least, accumulator: 0n });
    expect(lab.shifted.value).toBe(-least);
    expect(lab.narrowedFixed.value).toBe(-least - 1n);
    expect(lab.narrowedSaturates).toBe(true);
    expect(lab.product.bits).toHaveLength(Number(2n * width));
  });

  test('numbers that do not fit are refused', () => {
    expect(() => multiplyAccumulate('q7', { a: 128n, b: 0n, accumulator: 0n })).toThrow(
      'A is from -128 to 127, not 128',
    );
    expect(() => multiplyAccumulate('q15', { a: 0n, b: 0n, accumulator: 2n ** 31n })).toThrow(
      RangeError,
    );
  });
});

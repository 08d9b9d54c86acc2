import type { AffineDtype } from '../../shared/affine.ts';
import type { FixedPointFormat, FixedPointRounding } from '../../shared/fixed-point-number.ts';
import type { FixedFormat } from '../../shared/multiply-accumulate.ts';
import type { NumberFormat } from '../../shared/number-formats.ts';
import {
  flipBit,
  fromDouble,
  numberText,
  parseNumber,
  storeNumber,
  toDouble,
  type Rational,
} from '../../shared/number-in-formats.ts';
import { digits, MINUS, real } from '../format/numbers.ts';
import { fieldText, plainText } from '../format/typed-numbers.ts';

const FIRST = '1/3';

/** What is multiplied and accumulated: whole numbers as they are typed, and the format that they are in. */
export interface Operands {
  format: FixedFormat;
  a: string;
  b: string;
  accumulator: string;
}

/** The course's worked example. */
export const COURSE: Readonly<Operands> = {
  format: 'q7',
  a: `${MINUS}50`,
  b: '30',
  accumulator: '500',
};

/** A range of real values and the integers that it is mapped onto. */
export interface LinearRange {
  low: number;
  high: number;
  sample: number;
  dtype: AffineDtype;
  symmetric: boolean;
}

/** The fixed-point format that a number is converted to. */
class FixedPointChoice {
  kind = $state<FixedFormat | 'other'>('q7');
  integerBits = $state(0);
  fractionBits = $state(7);
  rounding = $state<FixedPointRounding>('even');
  readonly format = $derived<FixedPointFormat>({
    integerBits: this.integerBits,
    fractionBits: this.fractionBits,
  });
}

/** The number that the number formats lab is about: typed, turned bit by bit, or taken from a model. */
export class Lab {
  /** The text of the field, a number or not, in the language of numbers. */
  text = $state(FIRST);
  /** The last number that was given: it stays while another is typed. */
  value = $state.raw<Rational>(numberOf(FIRST));
  #plain = $state(FIRST);
  /** What a bit that was turned over came to, where that is no number. */
  notice = $state('');
  /** The range that is mapped onto integers, and a value of it. */
  readonly linear = $state<LinearRange>({
    low: -1.2,
    high: 0.8,
    sample: 0.3,
    dtype: 'int8',
    symmetric: false,
  });
  /** The format whose neighbours and errors are shown in full. */
  opened = $state<string | null>('float16');
  readonly fixedPoint = new FixedPointChoice();
  /** The fields of multiply and accumulate; the course's worked example at first. */
  readonly operands = $state<Operands>({ ...COURSE });
  readonly isNumber = $derived(parseNumber(plainText(this.text)) !== null);
  readonly at = $derived(toDouble(this.value));
  /** How the number is called: as it was written where that is short, else in some digits. */
  readonly name = $derived(this.#plain.length <= 12 ? digits(this.#plain) : real(this.at, 6));

  /** Takes what is typed, in the language of numbers. */
  write(text: string): void {
    this.text = text;
    this.notice = '';
    const parsed = parseNumber(plainText(text));
    if (parsed === null) return;
    this.value = parsed;
    this.#plain = plainText(text);
  }

  /** Takes a number as programming languages write it. */
  set(plain: string): void {
    this.write(fieldText(plain));
  }

  /** Take a value as it is stored in a model, exactly. */
  take(value: number): void {
    this.set(numberText(fromDouble(value)));
  }

  /** Turn a bit of what a format holds. Infinity and NaN are no numbers to go on from: they are told instead. */
  flip(format: NumberFormat, index: number): void {
    const { bits } = storeNumber(format, this.value);
    const flipped = flipBit(format, bits, index);
    if (flipped !== null) return this.set(numberText(flipped));
    const turned = BigInt(`0b${bits}`) ^ (1n << BigInt(format.bits - 1 - index));
    const hex = turned.toString(16).padStart(format.bits / 4, '0');
    const isInfinite = BigInt.asUintN(format.fractionBits, turned) === 0n;
    this.notice = `${format.name} ${hex} is ${isInfinite ? 'infinity' : 'NaN'}, not a number. The value stays ${this.name}.`;
  }
}

function numberOf(text: string): Rational {
  const value = parseNumber(text);
  if (value === null) throw new RangeError(`${text} is no number`);
  return value;
}

import { AppError } from '../../../shared/errors.ts';
import { float16Bits } from '../../../shared/float16.ts';
import { normal, uniform } from './random.ts';

/** A tensor as plain data; `data` is the typed array that onnxruntime takes for its type. */
export interface ArrayValue {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: ArrayData;
}

export type ArrayData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** What a runtime says of one input: each dimension a number, or a name or nothing where it is free. */
export interface InputFacts {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** What the graph says of integer inputs: how many rows the table has that they index. */
export type IndexLimits = Readonly<Record<string, number>>;

/**
 * Sizes for free dimensions, tried in this order until the original model runs: images and
 * sequences of common sizes (224 is ImageNet's; 512 samples are a speech frame at 16 kHz).
 */
export const SIZE_TRIES: readonly {
  readonly image: readonly [number, number];
  readonly sequence: number;
}[] = [
  { image: [224, 224], sequence: 16 },
  { image: [48, 192], sequence: 512 },
  { image: [64, 64], sequence: 64 },
  { image: [32, 32], sequence: 128 },
  { image: [320, 320], sequence: 256 },
  { image: [256, 256], sequence: 1 },
  { image: [640, 640], sequence: 80 },
];

/** No single random input is larger: a free dimension must not ask for all the memory. */
const MAX_INPUT_ELEMENTS = 1 << 26;

/**
 * Seeded inputs for a model. Free dimensions: the first is the batch, 1; of a 4-D input the last two
 * are an image's; any other is a sequence's, and equal names get equal sizes. Floats are standard
 * normal; states, caches and masks have their neutral value; integers that index a table stay in it.
 * @throws AppError UNSUPPORTED for a type that cannot be made up.
 */
export function makeInputs(
  inputs: readonly InputFacts[],
  limits: IndexLimits,
  seed: number,
  attempt: number,
): Record<string, ArrayValue> {
  const named = new Map<string, number>();
  const next = uniform(seed);
  const made = inputs.map((input): [string, ArrayValue] => {
    const dims = fillShape(input, attempt, named);
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (count > MAX_INPUT_ELEMENTS)
      throw new AppError('LIMIT', 'an input is too large to make up', {
        field: input.name,
        found: dims.join(' x '),
        expected: `at most ${MAX_INPUT_ELEMENTS} elements; give it with --inputs`,
      });
    return [input.name, { type: input.type, dims, data: fill(input, count, dims, limits, next) }];
  });
  // So that an input may be called __proto__.
  return Object.fromEntries(made);
}

function fillShape(
  { name: input, shape }: InputFacts,
  attempt: number,
  named: Map<string, number>,
): number[] {
  return shape.map((dim, axis) => {
    if (typeof dim === 'number' && dim > 0) return dim;
    const name = typeof dim === 'string' ? dim : '';
    const known = named.get(name);
    if (name !== '' && known !== undefined) return known;
    const size = freeSize(input, shape, axis, name, attempt);
    if (name !== '') named.set(name, size);
    return size;
  });
}

function freeSize(
  input: string,
  shape: InputFacts['shape'],
  axis: number,
  dim: string,
  attempt: number,
): number {
  const { image, sequence } = SIZE_TRIES[attempt]!;
  // Nothing has been seen yet: a cache is empty, a state is one step of one item.
  if (/^past/i.test(dim)) return 0;
  if (/batch|^n$/i.test(dim) || STATE.test(input)) return 1;
  if (axis === 0 && shape.length > 1) return 1;
  return shape.length === 4 && axis >= 2 ? image[axis - 2]! : sequence;
}

/** Inputs that carry something from step to step, and start as zeros. */
const STATE = /state|hidden|cell|past|cache|memory|mems|^[hc]_?0$/i;
const MASK = /mask/i;
const RATE = /^sr$|sample_?rate/i;
const LENGTH = /length|_len$|lens$/i;

function fill(
  { name, type }: InputFacts,
  count: number,
  dims: readonly number[],
  limits: IndexLimits,
  next: () => number,
): ArrayData {
  if (type === 'float32' || type === 'float64' || type === 'float16') {
    const values = new Float64Array(count);
    const draw = normal(next);
    if (!STATE.test(name))
      for (let index = 0; index < count; index++) values[index] = MASK.test(name) ? 1 : draw();
    if (type === 'float64') return values;
    return type === 'float32' ? Float32Array.from(values) : Uint16Array.from(values, float16Bits);
  }
  if (type === 'bool') return new Uint8Array(count).fill(1);
  const limit = Object.hasOwn(limits, name) ? limits[name]! : 2;
  const integer = (): number => {
    if (STATE.test(name)) return 0;
    if (MASK.test(name)) return 1;
    if (RATE.test(name)) return 16000;
    if (LENGTH.test(name)) return dims[0] ?? 1;
    return Math.floor(next() * limit);
  };
  return integers(name, type, Array.from({ length: count }, integer));
}

function integers(name: string, type: string, values: readonly number[]): ArrayData {
  switch (type) {
    case 'int64':
      return BigInt64Array.from(values, BigInt);
    case 'uint64':
      return BigUint64Array.from(values, BigInt);
    case 'int32':
      return Int32Array.from(values);
    case 'uint32':
      return Uint32Array.from(values);
    case 'int16':
      return Int16Array.from(values);
    case 'uint16':
      return Uint16Array.from(values);
    case 'int8':
      return Int8Array.from(values);
    case 'uint8':
      return Uint8Array.from(values);
    default:
      throw new AppError('UNSUPPORTED', 'an input of a type that cannot be made up', {
        field: name,
        found: type,
        expected: 'a float, integer or bool type; give it with --inputs',
      });
  }
}

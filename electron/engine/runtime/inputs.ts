import type { ScaleZeroPoint } from '../../../shared/affine.ts';
import { AppError } from '../../../shared/errors.ts';
import type { RuntimeName } from '../../../shared/formats.ts';
import { float16Bits } from '../../../shared/float16.ts';
import { solveSizes, type InputFacts } from './dimensions.ts';
import { normal, uniform } from './random.ts';
import { carriedInputs } from './states.ts';

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
  | BigUint64Array
  | readonly string[];

/** What the structure of a model's file tells about its inputs and its runs. */
export interface RunHints {
  /** What runs it. */
  readonly runtime: RuntimeName;
  /** For integer inputs that index a table: how many rows it has. */
  readonly limits: Readonly<Record<string, number>>;
  /** Inputs that are the first state of a recurrent operator. */
  readonly states: readonly string[];
  /**
   * Operators whose next run goes on from the one before, as 'RandomNormal "n1"': they draw random numbers, or
   * keep a state. With a seed, and from a state, a model that is loaded again does the same again.
   */
  readonly random: readonly { readonly operator: string; readonly isSeeded: boolean }[];
  /** Inputs and outputs of types that the runtime's Node interface cannot pass. */
  readonly unpassable: readonly {
    readonly kind: 'input' | 'output';
    readonly name: string;
    readonly type: string;
  }[];
  /** Outputs that are one tensor, by their names. */
  readonly sharedOutputs?: readonly (readonly string[])[];
  /** Outputs that are inputs of the model, unchanged. */
  readonly passedOn?: readonly string[];
  /** Inputs and outputs that are codes, by their names; a run may be given the numbers that they stand for. */
  readonly quantized?: {
    readonly inputs: Readonly<Record<string, ScaleZeroPoint>>;
    readonly outputs: Readonly<Record<string, ScaleZeroPoint>>;
  };
}

/** Of an ONNX model whose structure tells nothing. */
export const NO_HINTS: RunHints = {
  runtime: 'onnxruntime',
  limits: {},
  states: [],
  random: [],
  unpassable: [],
};

/** Sizes for the free dimensions of one attempt. */
export interface SizeTry {
  readonly image: readonly [number, number];
  readonly sequence: number;
  /** Steps that a cache holds already. */
  readonly past: number;
}

/** Images and sequences of common sizes (224 is ImageNet's; 512 samples are a speech frame at 16 kHz). */
const SIZES: readonly Omit<SizeTry, 'past'>[] = [
  { image: [224, 224], sequence: 16 },
  { image: [48, 192], sequence: 512 },
  { image: [64, 64], sequence: 64 },
  { image: [32, 32], sequence: 128 },
  { image: [320, 320], sequence: 256 },
  { image: [256, 256], sequence: 1 },
  { image: [640, 640], sequence: 80 },
];

/** Sizes for free dimensions, tried in this order until the original runs; a cache is empty first, then short. */
export function sizeTries(inputs: readonly InputFacts[]): readonly SizeTry[] {
  const hasPast = inputs.some(({ shape }) => shape.some((dim) => PAST.test(String(dim))));
  return SIZES.flatMap((size) => (hasPast ? [0, 4] : [0]).map((past) => ({ ...size, past })));
}

/** No single random input is larger: a free dimension must not ask for all the memory. */
const MAX_INPUT_ELEMENTS = 1 << 26;

/** What samples are made or read for: a model's inputs, and what tells which of them carry a state. */
export interface ModelFacts {
  readonly inputs: readonly InputFacts[];
  readonly outputs: readonly InputFacts[];
  readonly hints: RunHints;
}

/** Everything that random inputs are made from, besides the seed. */
export interface InputsWanted extends ModelFacts {
  readonly sizes: SizeTry;
}

/**
 * Seeded inputs for a model. Free dimensions: the first is the batch, 1; of a 4-D input the last two
 * are an image's; any other is a sequence's; equal names get equal sizes, and names that are
 * expressions of others their value. Floats are standard normal; recurrent states are zero, as at the
 * start of a sequence; masks are 1; integers that index a table stay in it.
 * @param isMade which inputs are made; all by default
 * @throws AppError UNSUPPORTED for a type that cannot be generated, LIMIT for an input over 2^26 elements.
 */
export function makeInputs(
  wanted: InputsWanted,
  seed: number,
  isMade: (input: InputFacts) => boolean = () => true,
): Record<string, ArrayValue> {
  const { inputs, sizes } = wanted;
  const states = stateInputs(wanted);
  const size = (name: string, input: InputFacts | null, axis: number): number =>
    freeSize(name, input, axis, sizes, states);
  const named = solveSizes(inputs, size);
  const next = uniform(seed);
  const made = inputs.filter(isMade).map((input): [string, ArrayValue] => {
    const dims = input.shape.map((dim, axis) => {
      if (typeof dim === 'number') return dim;
      return dim === '' ? size('', input, axis) : named.get(dim)!;
    });
    const count = dims.reduce((product, dim) => product * dim, 1);
    if (count > MAX_INPUT_ELEMENTS)
      throw new AppError('LIMIT', 'the input is too large to generate', {
        field: input.name,
        found: dims.join(' x '),
        expected: `at most ${MAX_INPUT_ELEMENTS} elements; give it with --inputs`,
      });
    const data = fill({ input, count, dims, wanted, isState: states.has(input.name), next });
    return [input.name, { type: input.type, dims, data }];
  });
  // So that an input may be called __proto__.
  return Object.fromEntries(made);
}

/**
 * Inputs that are proven to carry a state, and so are zero at first. When nothing but masks and
 * lengths would be left, they are the model's data, and none is zero: a model fed zeros computes nothing.
 */
export function stateInputs({ inputs, outputs, hints }: ModelFacts): ReadonlySet<string> {
  const states = new Set([...carriedInputs(inputs, outputs).keys(), ...hints.states]);
  return inputs.some((input) => !states.has(input.name) && !isControl(input)) ? states : new Set();
}

/** Whether an input is a mask, a length, a sample rate or positions: it says how to read the model's data. */
export function isControl({ name, type }: InputFacts): boolean {
  return type === 'bool' || CONTROLS.some((control) => control.test(name));
}

const PAST = /past/i;
const TOTAL = /^(total|kv)_?(seq|len)/i;

function freeSize(
  dim: string,
  input: InputFacts | null,
  axis: number,
  { image, sequence, past }: SizeTry,
  states: ReadonlySet<string>,
): number {
  if (PAST.test(dim)) return past;
  if (/batch|^n$/i.test(dim)) return 1;
  if (TOTAL.test(dim)) return past + sequence;
  if (input === null) return sequence;
  const rank = input.shape.length;
  if (axis === 0 && rank > 1) return 1;
  if (PAST.test(input.name) && rank === 4) return past;
  // A state without a name for its size is one step of one item.
  if (states.has(input.name)) return dim === '' ? 1 : sequence;
  // A mask with a length of its own covers what the cache holds too.
  if (MASK.test(input.name) && /mask/i.test(dim)) return past + sequence;
  return rank === 4 && axis >= 2 ? image[axis - 2]! : sequence;
}

const MASK = /(^|[^a-z])masks?[^a-z]*$|attention_?mask/i;
const RATE = /^sr$|sample_?rate/i;
const LENGTH = /length|_len$|lens$/i;
const POSITION = /position_?ids?/i;
const CONTROLS = [MASK, RATE, LENGTH, POSITION];

interface Filled {
  readonly input: InputFacts;
  readonly count: number;
  readonly dims: readonly number[];
  readonly wanted: InputsWanted;
  readonly isState: boolean;
  readonly next: () => number;
}

function fill(filled: Filled): ArrayData {
  const { input, count, isState, next } = filled;
  const { name, type } = input;
  if (type === 'string') return Array.from({ length: count }, () => word(next));
  if (type === 'bool') return new Uint8Array(count).fill(1);
  if (type !== 'float32' && type !== 'float64' && type !== 'float16')
    return integers(name, type, Array.from({ length: count }, integerOf(filled)));
  const values = new Float64Array(count);
  const draw = normal(next);
  if (!isState)
    for (let index = 0; index < count; index++) values[index] = MASK.test(name) ? 1 : draw();
  if (type === 'float64') return values;
  return type === 'float32' ? Float32Array.from(values) : Uint16Array.from(values, float16Bits);
}

/** A word of one to eight letters. */
function word(next: () => number): string {
  return Array.from({ length: 1 + Math.floor(next() * 8) }, () =>
    String.fromCharCode(97 + Math.floor(next() * 26)),
  ).join('');
}

/** The values of an integer input by their index. */
function integerOf({
  input,
  dims,
  wanted,
  isState,
  next,
}: Filled): (_: unknown, index: number) => number {
  const { name, type } = input;
  const { hints, sizes } = wanted;
  const limit = Object.hasOwn(hints.limits, name) ? hints.limits[name]! : null;
  if (isState) return () => 0;
  if (MASK.test(name)) return () => 1;
  if (RATE.test(name)) return () => 16000;
  if (LENGTH.test(name)) return () => sizes.sequence;
  if (POSITION.test(name))
    return (_, index) => (sizes.past + (index % (dims.at(-1) ?? 1))) % (limit ?? Infinity);
  // Pixels, and samples of a quantized input, use the whole range of 8 bits.
  const isPixels = limit === null && (dims.length === 4 || type === 'uint8' || type === 'int8');
  const least = isPixels && type === 'int8' ? -128 : 0;
  return () => least + Math.floor(next() * (isPixels ? 256 : (limit ?? 2)));
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
      throw new AppError('UNSUPPORTED', "onnxruntime's Node interface cannot pass the input", {
        field: name,
        found: type,
        expected: 'float16, float32, float64, bool, string or integers of 8 to 64 bits',
      });
  }
}

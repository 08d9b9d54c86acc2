import fc from 'fast-check';
import type { SourceDtype } from '../../../shared/dtypes.ts';
import { groupingOf, type Grouping } from '../../../electron/engine/quantize/layout.ts';
import {
  schemeOf,
  type Granularity,
  type RangeMethod,
  type Scheme,
  type SchemeFields,
} from '../../../shared/scheme.ts';

const sourceDtype = fc.constantFrom<SourceDtype>('float32', 'float16', 'bfloat16', 'float64');

/** A tensor's shape with a channel axis: small sizes, some of them 1, and inner sizes about 4 and 16. */
const shape: fc.Arbitrary<Sizes> = fc
  .array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 20 })), { minLength: 1, maxLength: 4 })
  .chain((sizes) => fc.record({ shape: fc.constant(sizes), axis: fc.nat(sizes.length - 1) }));

interface Sizes {
  readonly shape: readonly number[];
  readonly axis: number;
}

function elementsOf(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1);
}

/** Shapes of more than a block of the kernels, and more than a small window. */
const largeShape = fc.constantFrom<Sizes>(
  { shape: [3, 30_000], axis: 0 },
  { shape: [30_000, 3], axis: 1 },
  { shape: [70_001], axis: 0 },
  { shape: [9_000, 9], axis: 0 },
  { shape: [5, 129, 129], axis: 1 },
);

const HALF_BITS = fc.integer({ min: 0, max: 0xffff });

/** Kinds of numbers: any finite bits; ordinary; ordinary with ties of a power-of-two scale; tiny. */
function float32Numbers(kind: number): fc.Arbitrary<number> {
  switch (kind) {
    case 0:
      return fc.float({ noNaN: true, noDefaultInfinity: true });
    case 1:
      return fc.float({ noNaN: true, min: -4, max: 4 });
    case 2:
      return fc.integer({ min: -600, max: 600 }).map((value) => value / 4);
    default:
      return fc.float({ noNaN: true, min: Math.fround(-1e-37), max: Math.fround(1e-37) });
  }
}

/** The same in float64: also beside the float32, float16 and bfloat16 that lie half way between two. */
function float64Numbers(kind: number): fc.Arbitrary<number> {
  const beside = fc.constantFrom(0, 2 ** -52, -(2 ** -52), 2 ** -30);
  return fc.tuple(float32Numbers(kind), beside).map(([value, by]) => value * (1 + by));
}

/** Values that cover a tensor of any size by going round, started from a seed list. */
function tensorBytes(
  dtype: SourceDtype,
  elements: number,
  { finite }: { finite: boolean },
): fc.Arbitrary<Uint8Array> {
  const numbers = dtype === 'float64' ? float64Numbers : float32Numbers;
  const seeds =
    dtype === 'float32' || dtype === 'float64'
      ? fc
          .nat(3)
          .chain((kind) => fc.array(numbers(kind), { minLength: 1, maxLength: 97 }))
          .chain((values) => withSpecials(values, finite))
      : fc.array(HALF_BITS, { minLength: 1, maxLength: 97 });
  return seeds.map((values) => bytesOf(dtype, elements, values, finite));
}

function withSpecials(values: number[], finite: boolean): fc.Arbitrary<number[]> {
  if (finite) return fc.constant(values);
  const special = fc.constantFrom(NaN, Infinity, -Infinity, 0, -0);
  return fc.tuple(fc.nat(values.length - 1), special).map(([at, value]) => values.with(at, value));
}

function bytesOf(
  dtype: SourceDtype,
  elements: number,
  seeds: readonly number[],
  finite: boolean,
): Uint8Array {
  const at = (index: number): number => seeds[(index * 31 + (index >> 5)) % seeds.length]!;
  if (dtype === 'float32')
    return new Uint8Array(Float32Array.from({ length: elements }, (_, index) => at(index)).buffer);
  if (dtype === 'float64')
    return new Uint8Array(Float64Array.from({ length: elements }, (_, index) => at(index)).buffer);
  const exponent = dtype === 'float16' ? 0x7c00 : 0x7f80;
  const words = Uint16Array.from({ length: elements }, (_, index) => {
    const bits = at(index);
    // Clearing an exponent bit makes infinities and NaN finite.
    return finite && (bits & exponent) === exponent ? bits & ~0x4000 : bits;
  });
  return new Uint8Array(words.buffer);
}

/** The grouping of a shape by some granularity. */
function groupings(sizes: readonly number[], axis: number): fc.Arbitrary<Grouping> {
  return fc
    .constantFrom<Granularity>('tensor', 'channel', { block: 16 }, { block: 3 })
    .map((granularity) => groupingOf(sizes, axis, granularity));
}

/** Integer schemes that are possible. */
export const integerScheme: fc.Arbitrary<Scheme> = fc
  .oneof(
    fc.record({
      dtype: fc.constantFrom('int8', 'uint8', 'int16', 'uint16', 'int4', 'uint4'),
      symmetric: fc.boolean(),
      granularity: fc.constantFrom<Granularity>('tensor', 'channel', { block: 16 }),
      range: fc.constantFrom<RangeMethod>('minmax', { percentile: 90 }),
      signedScale: fc.boolean(),
    }),
    fc.record({
      dtype: fc.constantFrom('int8', 'int4'),
      symmetric: fc.constant(true),
      granularity: fc.constantFrom('tensor', 'channel'),
      range: fc.constantFrom<RangeMethod>('minmax', { percentile: 90 }),
      narrowRange: fc.constant(true),
    }),
    fc.record({
      dtype: fc.constantFrom('q7', 'q15', 'q31'),
      symmetric: fc.constant(true),
      granularity: fc.constantFrom('tensor', 'channel'),
      range: fc.constant('minmax'),
      powerOfTwo: fc.boolean(),
      rounding: fc.constantFrom('even', 'zero'),
    }),
    fc.record({
      dtype: fc.constant('int32'),
      symmetric: fc.constant(true),
      granularity: fc.constantFrom('tensor', 'channel'),
      range: fc.constant('minmax'),
    }),
  )
  .map((fields: Partial<SchemeFields>) => schemeOf(fields));

/** A tensor of some type, seen with some grouping; it prints itself shortly. */
export interface Tensor {
  readonly bytes: Uint8Array;
  readonly dtype: SourceDtype;
  readonly sizes: readonly number[];
  readonly axis: number;
  readonly grouping: Grouping;
}

/** Tensors of all types and many shapes, small and large. */
export function tensors({ finite }: { finite: boolean }): fc.Arbitrary<Tensor> {
  const sizes = fc.oneof({ weight: 11, arbitrary: shape }, { weight: 1, arbitrary: largeShape });
  return fc
    .tuple(sizes, sourceDtype)
    .chain(([{ shape: given, axis }, dtype]) =>
      fc
        .tuple(tensorBytes(dtype, elementsOf(given), { finite }), groupings(given, axis))
        .map(([bytes, grouping]) => printable({ bytes, dtype, sizes: given, axis, grouping })),
    );
}

function printable(tensor: Tensor): Tensor {
  const { bytes, dtype, sizes, axis, grouping } = tensor;
  const hex = Buffer.from(bytes.subarray(0, 256)).toString('hex');
  const text = `${dtype} [${sizes.join(', ')}] axis ${axis} ${grouping.kind} ${grouping.block}: ${hex}...`;
  return Object.assign(tensor, { [fc.toStringMethod]: () => text });
}

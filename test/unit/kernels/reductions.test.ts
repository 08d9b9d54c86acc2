import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainReductions } from '../../../electron/engine/kernels/reference/plain-reductions.ts';
import { simdReductions } from '../../../electron/engine/kernels/simd-reductions.ts';
import { edgedBins } from '../../../electron/engine/quantize/reductions.ts';
import { buildKernels } from './kernels.ts';

const simd = simdReductions(buildKernels());

/** Values of which many are 0, on an edge or the largest, as those behind a Relu or a Clip are; long enough for blocks. */
const activations = fc.record({
  some: fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -8, max: 8 }), {
    minLength: 1,
    maxLength: 50,
  }),
  others: fc.array(fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 1e-40, 3e38), {
    maxLength: 3,
  }),
  scale: fc.constantFrom(1, 1e-3, 1e-42, 1e30, 0),
  length: fc.constantFrom(1, 7, 5000, 70_001),
});

type Activations = typeof activations extends fc.Arbitrary<infer T> ? T : never;

function valuesOf({ some, others, scale, length }: Activations): Float32Array {
  const limit = Math.max(...some.map(Math.abs)) * scale;
  const { edges } = edgedBins(Math.fround(limit), 4096);
  const onEdge = some.map((value) => edges[Math.floor(Math.abs(value) * 500)]!);
  const pool = [...some.map((value) => value * scale), ...others, ...onEdge];
  return Float32Array.from({ length }, (_, at) => pool[(at * 7919) % pool.length]!);
}

test('SIMD reductions of activations equal those of the reference implementation', () => {
  fc.assert(
    fc.property(activations, fc.constantFrom(4096, 64, 63), (given, count) => {
      const values = valuesOf(given);
      const [found, expected] = [simd.sums(values), plainReductions.sums(values)];
      // Adding 0 makes -0 a 0.
      for (const key of ['min', 'max', 'finite'] as const)
        expect(found[key] + 0).toBe(expected[key] + 0);
      expect(Math.abs(found.squares - expected.squares)).toBeLessThanOrEqual(
        1e-11 * expected.squares,
      );
      const size = Math.sqrt(expected.squares * Math.max(1, expected.finite));
      expect(Math.abs(found.sum - expected.sum)).toBeLessThanOrEqual(1e-11 * size);

      // A second run may give values beyond the limits of the first.
      for (const part of [1, 0.5]) {
        const limit = Math.fround(Math.max(Math.abs(expected.min), Math.abs(expected.max)) * part);
        const bins = edgedBins(limit, count);
        const [counts, wanted] = [new Float64Array(count), new Float64Array(count)];
        simd.addCounts(values, bins, counts);
        plainReductions.addCounts(values, bins, wanted);
        expect(counts).toEqual(wanted);
      }
    }),
    { numRuns: 60 },
  );
});

test('bins are those of numpy.linspace in float32, and a value on an edge belongs to the bin above', () => {
  const { edges } = edgedBins(3, 4);
  expect([...edges]).toEqual([-3, -1.5, 0, 1.5, 3]);
  const counts = new Float64Array(4);
  plainReductions.addCounts(
    Float32Array.of(-9, -3, -1.5, 0, -0, 1.4, 3, 9, NaN),
    edgedBins(3, 4),
    counts,
  );
  expect([...counts]).toEqual([2, 1, 3, 2]);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binsOver } from '../../../electron/engine/quantize/histogram.ts';
import { groupingOf, layoutOf } from '../../../electron/engine/quantize/layout.ts';
import type { EncodeJob, Encoded, Passes } from '../../../electron/engine/quantize/passes.ts';
import { prepareTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import type { Cast, FloatCast } from '../../../shared/scheme.ts';
import type { KernelScheme } from '../../../electron/engine/quantize/scheme.ts';
import { computeStatistics, signalOf } from '../../../electron/engine/quantize/statistics.ts';
import { bothPasses, buildKernels } from './kernels.ts';
import { integerScheme, tensors } from './arbitraries.ts';

const kernels = buildKernels();

const castScheme: fc.Arbitrary<Cast> = fc
  .constantFrom<FloatCast>('float16', 'bfloat16', 'float8_e4m3fn', 'float8_e5m2')
  .map((dtype) => ({ kind: 'cast', dtype }));

function jobFor(
  passes: Passes,
  sizes: readonly number[],
  axis: number,
  scheme: KernelScheme,
): EncodeJob {
  const statistics = computeStatistics(passes, layoutOf(sizes, axis), 4);
  return prepareTensor({ name: 'w', source: passes, shape: sizes, axis, scheme, statistics });
}

/** Sums in another order agree to some ten digits of what they are sums of. */
function expectSame(found: Encoded, expected: Encoded, signal: number): void {
  expect(found.clipped).toBe(expected.clipped);
  expect(found.levelsUsed).toBe(expected.levelsUsed);
  expect(found.sums.maxAbsError).toBe(expected.sums.maxAbsError);
  const { noise, cross } = expected.sums;
  const close = (a: number, b: number, size: number): void => {
    if (Number.isFinite(b)) expect(Math.abs(a - b)).toBeLessThanOrEqual(1e-11 * size);
    else expect(a).toBe(b);
  };
  close(found.sums.noise, noise, noise);
  close(found.sums.cross, cross, Math.sqrt(signal) * Math.sqrt(noise));
}

function bytesOf(passes: Passes, job: EncodeJob): { bytes: Buffer; encoded: Encoded } {
  const pieces: Uint8Array[] = [];
  const encoded = passes.encode({ ...job, sink: (piece) => pieces.push(piece) });
  return { bytes: Buffer.concat(pieces), encoded };
}

describe('SIMD codes and errors equal those of the reference implementation', () => {
  test.each([
    { name: 'integers', scheme: integerScheme, finite: true },
    { name: 'casts, NaN and infinities among the values', scheme: castScheme, finite: false },
  ])('$name', ({ scheme, finite }) => {
    fc.assert(
      fc.property(tensors({ finite }), scheme, ({ bytes, dtype, sizes, axis }, given) => {
        const { simd, plain } = bothPasses(kernels, bytes, dtype);
        const job = jobFor(plain, sizes, axis, given);
        const signal = signalOf(computeStatistics(plain, null, 1).statistics);
        const [found, expected] = [bytesOf(simd, job), bytesOf(plain, job)];
        expect(found.bytes.equals(expected.bytes)).toBe(true);
        expectSame(found.encoded, expected.encoded, signal);
        expectSame(simd.encode(job), expected.encoded, signal);
      }),
      { numRuns: 400 },
    );
  });

  test('casts alone, measured by nobody, are the patterns of measured ones', () => {
    fc.assert(
      fc.property(
        tensors({ finite: false }),
        castScheme,
        ({ bytes, dtype, sizes, axis }, given) => {
          const { simd, plain } = bothPasses(kernels, bytes, dtype);
          const expected = bytesOf(plain, jobFor(plain, sizes, axis, given)).bytes;
          for (const passes of [simd, plain, simd]) {
            const pieces: Uint8Array[] = [];
            passes.cast(given.dtype, (piece) => pieces.push(piece.slice()));
            expect(Buffer.concat(pieces).equals(expected)).toBe(true);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  test('casts of more values than are cast at a time are whole, and leave other passes right', () => {
    const values = Float32Array.from({ length: 3 * 32768 * 2 + 7 }, (_, at) => Math.sin(at) * 9);
    const { simd, plain } = bothPasses(kernels, new Uint8Array(values.buffer), 'float32');
    const job = jobFor(plain, [values.length], 0, { kind: 'cast', dtype: 'bfloat16' });
    const expected = bytesOf(plain, job);
    const before = simd.encode(job);
    const pieces: Uint8Array[] = [];
    simd.cast('bfloat16', (piece) => pieces.push(piece.slice()));
    expect(Buffer.concat(pieces).equals(expected.bytes)).toBe(true);
    expect(simd.encode(job)).toEqual(before);
  });

  test.each([
    { name: 'integers', scheme: integerScheme, finite: true },
    { name: 'casts', scheme: castScheme, finite: false },
  ])('so does what the inspector shows of $name', ({ scheme, finite }) => {
    fc.assert(
      fc.property(
        tensors({ finite }),
        scheme,
        fc.boolean(),
        ({ bytes, dtype, sizes, axis }, given, withChannels) => {
          const { simd, plain } = bothPasses(kernels, bytes, dtype);
          const job = jobFor(plain, sizes, axis, given);
          const channels = withChannels ? groupingOf(sizes, axis, 'channel') : null;
          const { sums: _, ...expected } = plain.inspect(job, channels, 64);
          const { sums: __, ...found } = simd.inspect(job, channels, 64);
          expect(found).toEqual(expected);
          const bins = binsOver(-expected.largestFiniteError, expected.largestFiniteError, 40);
          expect(simd.errorCounts(job, bins)).toEqual(plain.errorCounts(job, bins));
        },
      ),
      { numRuns: 200 },
    );
  });
});

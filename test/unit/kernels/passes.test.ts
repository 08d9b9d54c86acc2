import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binsOver } from '../../../electron/engine/quantize/histogram.ts';
import { integerFormatOf } from '../../../electron/engine/quantize/integer-format.ts';
import { parameterRule } from '../../../electron/engine/quantize/parameters.ts';
import type { Cells, Passes, ValueSums } from '../../../electron/engine/quantize/passes.ts';
import { groupingOf } from '../../../electron/engine/quantize/layout.ts';
import { bothPasses, buildKernels } from './kernels.ts';
import { integerScheme, tensors } from './arbitraries.ts';
import { granularityOf } from '../../../shared/scheme.ts';

const kernels = buildKernels();

/** Equal bit for bit, but for the sign of zero; arrays this long print badly. */
function isSame(found: Float64Array, expected: Float64Array): boolean {
  return found.length === expected.length && found.every((value, at) => value === expected[at]);
}

/** Sums in another order agree to some ten digits. */
function expectClose(found: number, expected: number, size: number): void {
  expect(Math.abs(found - expected)).toBeLessThanOrEqual(1e-11 * size);
}

function expectSameSums(found: ValueSums, expected: ValueSums, size: number): void {
  expect({ ...found, sum: 0 }).toEqual({ ...expected, sum: 0 });
  expectClose(found.sum, expected.sum, size);
}

function magnitudeOf(passes: Passes): number {
  const { ranges, sums } = passes.firstPass(groupingOf([passes.elements], null, 'tensor'));
  return sums.finite === 0 ? 0 : Math.max(-ranges.min[0]!, ranges.max[0]!);
}

describe('SIMD kernels equal their reference implementation on random shapes, alignments and tails', () => {
  test('ranges of groups, counts and sums, NaN and infinities among the values', () => {
    fc.assert(
      fc.property(tensors({ finite: false }), ({ bytes, dtype, grouping }) => {
        const { simd, plain } = bothPasses(kernels, bytes, dtype);
        const [found, expected] = [simd.firstPass(grouping), plain.firstPass(grouping)];
        expect(isSame(found.ranges.min, expected.ranges.min)).toBe(true);
        expect(isSame(found.ranges.max, expected.ranges.max)).toBe(true);
        expectSameSums(found.sums, expected.sums, plain.elements * magnitudeOf(plain));
        expect(isSame(simd.ranges(grouping).min, expected.ranges.min)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('histograms and squared deviations', () => {
    fc.assert(
      fc.property(
        tensors({ finite: false }),
        fc.constantFrom(1, 7, 64, 2048),
        ({ bytes, dtype, grouping }, count) => {
          const { simd, plain } = bothPasses(kernels, bytes, dtype);
          const { ranges, sums } = plain.firstPass(grouping);
          const min = Math.min(...(sums.finite === 0 ? [0] : ranges.min));
          const max = Math.max(...(sums.finite === 0 ? [0] : ranges.max));
          const bins = binsOver(min, max, count);
          const allFinite = sums.finite === plain.elements;
          const found = simd.secondPass(bins, 0.25, allFinite);
          const expected = plain.secondPass(bins, 0.25, allFinite);
          expect(isSame(found.counts, expected.counts)).toBe(true);
          expectClose(found.squares, expected.squares, expected.squares);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('counts of leading and following digits, of values and of magnitudes', () => {
    fc.assert(
      fc.property(
        tensors({ finite: false }),
        fc.boolean(),
        fc.nat(),
        ({ bytes, dtype, grouping }, magnitudes, pick) => {
          const { simd, plain } = bothPasses(kernels, bytes, dtype);
          const within = pick % 2 === 0 ? null : { grouping, group: pick % grouping.groups };
          const first = plain.countDigits([[]], magnitudes, within);
          expect(isSame(simd.countDigits([[]], magnitudes, within)[0]!, first[0]!)).toBe(true);
          const used = [...first[0]!.keys()].filter((digit) => first[0]![digit]! > 0);
          const prefixes = used.slice(0, 2).map((digit) => [digit]);
          if (prefixes.length === 0) return;
          const found = simd.countDigits(prefixes, magnitudes, within);
          for (const [at, table] of plain.countDigits(prefixes, magnitudes, within).entries())
            expect(isSame(found[at]!, table)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('values by rank within groups', () => {
    fc.assert(
      fc.property(
        tensors({ finite: false }),
        fc.boolean(),
        fc.nat(),
        ({ bytes, dtype, grouping }, magnitudes, pick) => {
          const { simd, plain } = bothPasses(kernels, bytes, dtype);
          const first = pick % grouping.groups;
          const groups = Math.min(1 + (pick % 5), grouping.groups - first);
          const size = plain.elements;
          fc.pre(groups * size < 1e6);
          const found = simd.gather(grouping, first, groups, size, magnitudes);
          const expected = plain.gather(grouping, first, groups, size, magnitudes);
          for (let group = 0; group < groups; group++) {
            const count = expected.count(group);
            expect(found.count(group)).toBe(count);
            for (const rank of [0, 1, pick % (count + 1), count - 2, count - 1])
              if (rank >= 0 && rank < count)
                expect(found.ranked(group, rank)).toBe(expected.ranked(group, rank));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('squared errors of candidate scales', () => {
    fc.assert(
      fc.property(
        tensors({ finite: true }),
        integerScheme,
        ({ bytes, dtype, sizes, axis }, scheme) => {
          const { simd, plain } = bothPasses(kernels, bytes, dtype);
          const grouping = groupingOf(sizes, axis, granularityOf(scheme));
          const format = integerFormatOf(scheme);
          const rule = parameterRule(scheme, grouping.kind, format);
          const limit = magnitudeOf(plain);
          const first = grouping.groups > 2 ? 1 : 0;
          const groups = grouping.groups - first;
          const cells = (): Cells => {
            const made = [1, 0.5, 0.3].flatMap((factor) =>
              Array.from({ length: groups }, () => rule(-limit * factor ** 2, limit * factor)),
            );
            return {
              candidates: 3,
              groups,
              scale: Float64Array.from(made, ({ scale }) => scale),
              zeroPoint: Int32Array.from(made, ({ zeroPoint }) => zeroPoint),
              error: new Float64Array(made.length),
            };
          };
          const [found, expected] = [cells(), cells()];
          fc.pre(found.scale.every(Number.isFinite));
          simd.addCandidateErrors(grouping, first, found, format);
          plain.addCandidateErrors(grouping, first, expected, format);
          const isClose = found.error.every((error, cell) => {
            const sum = expected.error[cell]!;
            // Infinite where the restored value of a huge range overflows float32.
            return error === sum || Math.abs(error - sum) <= 1e-11 * sum;
          });
          expect(isClose).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('histograms about zero for the entropy search', () => {
    fc.assert(
      fc.property(tensors({ finite: true }), ({ bytes, dtype, grouping }) => {
        const { simd, plain } = bothPasses(kernels, bytes, dtype);
        fc.pre(grouping.groups < 300);
        const { min, max } = plain.ranges(grouping);
        const limits = max.map((value, group) => Math.max(value, -min[group]!));
        const few = limits.subarray(0, 20);
        const found = simd.signedHistograms(grouping, 0, few, 2048);
        expect(isSame(found, plain.signedHistograms(grouping, 0, few, 2048))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  test('first values', () => {
    fc.assert(
      fc.property(tensors({ finite: false }), ({ bytes, dtype }) => {
        const { simd, plain } = bothPasses(kernels, bytes, dtype);
        expect(simd.firstValues(64)).toEqual(plain.firstValues(64));
      }),
      { numRuns: 50 },
    );
  });
});

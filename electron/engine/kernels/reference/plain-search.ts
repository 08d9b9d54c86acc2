import { restoredValue, unclippedCode } from '../../../../shared/affine.ts';
import type { IntegerFormat } from '../../quantize/integer-format.ts';
import { forEachRun, type Grouping } from '../../quantize/layout.ts';
import type { Cells } from '../../quantize/passes.ts';
import type { ValueSource } from '../../quantize/values.ts';

/** Squared errors of candidate scales. The contract is Passes.addCandidateErrors. */
export function addCandidateErrors(
  source: ValueSource,
  grouping: Grouping,
  first: number,
  { candidates, groups, scale, zeroPoint, error }: Cells,
  { clip: { qmin, qmax }, rounding }: IntegerFormat,
): void {
  source.forEachChunk((values, start) => {
    forEachRun(grouping, start, values.length, (from, to, firstGroup, step) => {
      for (let index = from, group = firstGroup - first; index < to; index++, group += step) {
        if (group < 0 || group >= groups) continue;
        const value = values[index]!;
        for (let cell = group; cell < candidates * groups; cell += groups) {
          const unit = scale[cell]!;
          const zero = zeroPoint[cell]!;
          const exact = unclippedCode(value, unit, zero, rounding);
          const code = exact < qmin ? qmin : exact > qmax ? qmax : exact;
          const difference = restoredValue(code, unit, zero) - value;
          error[cell] = error[cell]! + difference * difference;
        }
      }
    });
  });
}

/** Counts over bins of [-limit, limit]. The contract is Passes.signedHistograms. */
export function signedHistograms(
  source: ValueSource,
  grouping: Grouping,
  first: number,
  limits: Float64Array,
  bins: number,
): Float64Array {
  const counts = new Float64Array(limits.length * bins);
  source.forEachChunk((values, start) => {
    forEachRun(grouping, start, values.length, (from, to, firstGroup, step) => {
      for (let index = from, group = firstGroup - first; index < to; index++, group += step) {
        if (group < 0 || group >= limits.length) continue;
        const limit = limits[group]!;
        if (limit === 0) continue;
        const bin = Math.floor((values[index]! + limit) * (bins / 2 / limit));
        const slot = group * bins + Math.min(bin, bins - 1);
        counts[slot] = counts[slot]! + 1;
      }
    });
  });
  return counts;
}

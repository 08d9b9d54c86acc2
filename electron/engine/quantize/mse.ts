import type { IntegerFormat } from './integer-format.ts';
import type { Grouping } from './layout.ts';
import type { ParameterRule } from './parameters.ts';
import type { Cells, GroupRanges, Passes } from './passes.ts';

/** The groups of one tensor, whose candidates are compared. */
export interface RangeSearch {
  readonly passes: Passes;
  readonly grouping: Grouping;
  readonly full: GroupRanges;
  readonly rule: ParameterRule;
  readonly format: IntegerFormat;
}

/** A range for each group: those of `from`, their ends multiplied. */
interface Candidate {
  readonly from: GroupRanges;
  readonly low: number;
  readonly high: number;
}

/** Candidates whose errors are summed at a time, over all groups: some 30 MB. */
const CELLS = 2 ** 20;

/** 2^(-i / 4) down to 1/54 of the range: outliers are seldom further out than that. */
const COARSE = Array.from({ length: 24 }, (_, index) => 2 ** (-index / 4));

/** Between the coarse steps, on both sides of the best. */
const FINE = Array.from({ length: 15 }, (_, index) => 2 ** ((index - 7) / 32));
const AROUND = Array.from({ length: 17 }, (_, index) => 2 ** ((index - 8) / 8));

/**
 * Ranges that lose least: for each group, the candidate whose codes have the least sum of squared
 * errors over the group's values, computed exactly as the scheme will. Both ends are first drawn
 * in together, in steps of 2^(1/4); then a symmetric range is refined in steps of 2^(1/32), and an
 * asymmetric one end by end in steps of 2^(1/8), the lower first. The full range is the first
 * candidate and wins ties, so that the error is never greater than with minmax. Three passes at
 * most over the values, for as many groups at a time as the cells allow.
 *
 * @param signedScale whether the ends of a symmetric range may differ, as scales of either sign have them
 */
export function leastErrorRanges(
  search: RangeSearch,
  symmetric: boolean,
  signedScale: boolean,
): GroupRanges {
  const { full } = search;
  const limits = symmetric ? widest(full) : full;
  const coarse = both(limits, COARSE).concat(signedScale ? both(full, COARSE) : []);
  const best = searchRound(search, limits, coarse);
  if (symmetric) return searchRound(search, limits, both(best, FINE));
  const low = AROUND.map((factor) => ({ from: best, low: factor, high: 1 }));
  const lower = searchRound(search, limits, low);
  const high = AROUND.map((factor) => ({ from: lower, low: 1, high: factor }));
  return searchRound(search, limits, high);
}

/**
 * Of each group the full range, or one as wide below 0 as above, whichever leaves the lesser squared error under
 * a rule of either sign. The latter, which other symmetric schemes have, wins ties.
 */
export function rangesOfEitherScale(search: RangeSearch): GroupRanges {
  const limits = widest(search.full);
  return searchRound(search, limits, [...both(limits, [1]), ...both(search.full, [1])]);
}

function both(from: GroupRanges, factors: readonly number[]): Candidate[] {
  return factors.map((factor) => ({ from, low: factor, high: factor }));
}

function widest({ min, max }: GroupRanges): GroupRanges {
  const high = max.map((value, group) => Math.max(value, -min[group]!));
  return { min: high.map((value) => -value), max: high };
}

/** The best of candidates, none of which may exceed the limits. Of equals the one that changes nothing wins, then the first. */
function searchRound(
  { passes, grouping, rule, format }: RangeSearch,
  limits: GroupRanges,
  candidates: readonly Candidate[],
): GroupRanges {
  const { from } = candidates[0]!;
  const isSame = (each: Candidate): boolean =>
    each.from === from && each.low === 1 && each.high === 1;
  const all = [{ from, low: 1, high: 1 }, ...candidates.filter((each) => !isSame(each))];
  const best = { min: from.min.slice(), max: from.max.slice() };
  const atOnce = Math.max(1, Math.floor(CELLS / all.length));
  for (let first = 0; first < grouping.groups; first += atOnce) {
    const groups = Math.min(atOnce, grouping.groups - first);
    const { low, high, cells } = candidateCells(limits, all, first, groups, rule);
    passes.addCandidateErrors(grouping, first, cells, format);
    for (let group = 0; group < groups; group++) {
      let least = group;
      for (let cell = group; cell < cells.error.length; cell += groups)
        if (cells.error[cell]! < cells.error[least]!) least = cell;
      best.min[first + group] = low[least]!;
      best.max[first + group] = high[least]!;
    }
  }
  return best;
}

function candidateCells(
  limits: GroupRanges,
  candidates: readonly Candidate[],
  first: number,
  groups: number,
  rule: ParameterRule,
): { low: Float64Array; high: Float64Array; cells: Cells } {
  const count = groups * candidates.length;
  const low = new Float64Array(count);
  const high = new Float64Array(count);
  const scale = new Float64Array(count);
  const zeroPoint = new Int32Array(count);
  let cell = 0;
  for (const { from, ...factor } of candidates) {
    for (let group = first; group < first + groups; group++, cell++) {
      low[cell] = Math.max(limits.min[group]!, from.min[group]! * factor.low);
      high[cell] = Math.min(limits.max[group]!, from.max[group]! * factor.high);
      const found = rule(low[cell]!, high[cell]!);
      scale[cell] = found.scale;
      zeroPoint[cell] = found.zeroPoint;
    }
  }
  const error = new Float64Array(count);
  return {
    low,
    high,
    cells: { candidates: candidates.length, groups, scale, zeroPoint, error },
  };
}

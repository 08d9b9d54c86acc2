import type { IntegerFormat } from './integer-format.ts';
import type { Grouping } from './layout.ts';
import type { ParameterRule } from './parameters.ts';
import type { Cells, GroupRanges, Passes } from './passes.ts';

/** What a range's ends are multiplied with to make a candidate. */
interface Candidate {
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
 */
export function leastErrorRanges(
  passes: Passes,
  grouping: Grouping,
  full: GroupRanges,
  symmetric: boolean,
  rule: ParameterRule,
  format: IntegerFormat,
): GroupRanges {
  const both = (factors: readonly number[]): Candidate[] =>
    factors.map((factor) => ({ low: factor, high: factor }));
  const rounds = symmetric
    ? [both(COARSE), both(FINE)]
    : [
        both(COARSE),
        AROUND.map((factor) => ({ low: factor, high: 1 })),
        AROUND.map((factor) => ({ low: 1, high: factor })),
      ];
  let best = symmetric ? widest(full) : full;
  const limits = best;
  for (const candidates of rounds)
    best = searchRound(passes, grouping, best, limits, candidates, rule, format);
  return best;
}

function widest({ min, max }: GroupRanges): GroupRanges {
  const high = max.map((value, group) => Math.max(value, -min[group]!));
  return { min: high.map((value) => -value), max: high };
}

/** The best of the present ranges and their candidates, none of which may exceed the limits. */
function searchRound(
  passes: Passes,
  grouping: Grouping,
  present: GroupRanges,
  limits: GroupRanges,
  candidates: readonly Candidate[],
  rule: ParameterRule,
  format: IntegerFormat,
): GroupRanges {
  const all = [
    { low: 1, high: 1 },
    ...candidates.filter(({ low, high }) => low !== 1 || high !== 1),
  ];
  const best = { min: present.min.slice(), max: present.max.slice() };
  const atOnce = Math.max(1, Math.floor(CELLS / all.length));
  for (let first = 0; first < grouping.groups; first += atOnce) {
    const groups = Math.min(atOnce, grouping.groups - first);
    const { low, high, cells } = candidateCells(present, limits, all, first, groups, rule);
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
  present: GroupRanges,
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
  for (const candidate of candidates) {
    for (let group = first; group < first + groups; group++, cell++) {
      low[cell] = Math.max(limits.min[group]!, present.min[group]! * candidate.low);
      high[cell] = Math.min(limits.max[group]!, present.max[group]! * candidate.high);
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

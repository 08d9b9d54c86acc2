import { restoredValue, unclippedCode } from './coder.ts';
import type { ValueSource } from './chunks.ts';
import type { IntegerFormat } from './integer-format.ts';
import { forEachRun, type Grouping } from './layout.ts';
import type { ParameterRule } from './parameters.ts';
import type { GroupRanges } from './statistics.ts';

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
  source: ValueSource,
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
    best = searchRound(source, grouping, best, limits, candidates, rule, format);
  return best;
}

function widest({ min, max }: GroupRanges): GroupRanges {
  const high = max.map((value, group) => Math.max(value, -min[group]!));
  return { min: high.map((value) => -value), max: high };
}

/** The best of the present ranges and their candidates, none of which may exceed the limits. */
function searchRound(
  source: ValueSource,
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
    const cells = candidateCells(present, limits, all, first, groups, rule);
    sumErrors(source, grouping, first, groups, all.length, cells, format);
    for (let group = 0; group < groups; group++) {
      let least = group * all.length;
      for (let cell = least + 1; cell < (group + 1) * all.length; cell++)
        if (cells.error[cell]! < cells.error[least]!) least = cell;
      best.min[first + group] = cells.low[least]!;
      best.max[first + group] = cells.high[least]!;
    }
  }
  return best;
}

interface Cells {
  readonly low: Float64Array;
  readonly high: Float64Array;
  readonly scale: Float64Array;
  readonly zeroPoint: Int32Array;
  readonly error: Float64Array;
}

function candidateCells(
  present: GroupRanges,
  limits: GroupRanges,
  candidates: readonly Candidate[],
  first: number,
  groups: number,
  rule: ParameterRule,
): Cells {
  const count = groups * candidates.length;
  const cells: Cells = {
    low: new Float64Array(count),
    high: new Float64Array(count),
    scale: new Float64Array(count),
    zeroPoint: new Int32Array(count),
    error: new Float64Array(count),
  };
  for (let group = 0, cell = 0; group < groups; group++) {
    const at = first + group;
    for (const candidate of candidates) {
      const low = Math.max(limits.min[at]!, present.min[at]! * candidate.low);
      const high = Math.min(limits.max[at]!, present.max[at]! * candidate.high);
      const { scale, zeroPoint } = rule(low, high);
      cells.low[cell] = low;
      cells.high[cell] = high;
      cells.scale[cell] = scale;
      cells.zeroPoint[cell] = zeroPoint;
      cell++;
    }
  }
  return cells;
}

function sumErrors(
  source: ValueSource,
  grouping: Grouping,
  first: number,
  groups: number,
  candidates: number,
  { scale, zeroPoint, error }: Cells,
  { clip: { qmin, qmax }, rounding }: IntegerFormat,
): void {
  source.forEachChunk((values, start) => {
    forEachRun(grouping, start, values.length, (from, to, firstGroup, step) => {
      for (let index = from, group = firstGroup - first; index < to; index++, group += step) {
        if (group < 0 || group >= groups) continue;
        const value = values[index]!;
        const end = (group + 1) * candidates;
        for (let cell = group * candidates; cell < end; cell++) {
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

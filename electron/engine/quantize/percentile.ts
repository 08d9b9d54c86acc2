import type { Grouping } from './layout.ts';
import type { Gathered, OneGroup, Passes } from './passes.ts';
import type { ValueSource } from './values.ts';
import { passesOf } from '../kernels/reference/plain-passes.ts';
import { orderStatistics } from './radix.ts';

/** The bounds that a percentile method gives one group, before they are extended to hold 0. */
export interface PercentileRange {
  readonly low: number;
  readonly high: number;
}

/** The two neighbours of a percentile in sorted order, and how far it lies between them. */
interface Position {
  readonly below: number;
  readonly above: number;
  readonly fraction: number;
}

/** numpy.percentile's virtual index (method "linear"): (n - 1) * (percent / 100), in float64. */
function positionOf(percent: number, count: number): Position {
  const index = (count - 1) * (percent / 100);
  const below = Math.min(Math.floor(index), count - 1);
  return { below, above: Math.min(below + 1, count - 1), fraction: index - below };
}

/** numpy's _lerp: from whichever end is nearer, so that it is monotonic. */
function interpolate(below: number, above: number, fraction: number): number {
  const difference = above - below;
  return fraction >= 0.5 ? above - difference * (1 - fraction) : below + difference * fraction;
}

/** Which percentiles bound the range: of |x| when symmetric, else one on each side. */
function percentsOf(percent: number, symmetric: boolean): readonly number[] {
  return symmetric ? [percent] : [100 - percent, percent];
}

function rangeFrom(bounds: readonly number[]): PercentileRange {
  const high = bounds.at(-1)!;
  return { low: bounds.length === 2 ? bounds[0]! : -high, high };
}

/**
 * The range between exact percentiles of a whole tensor, with bounded memory: [-p, p] of |x| when
 * symmetric, else [100 - p, p], interpolated linearly as numpy.percentile does on float64 data.
 * NaN and infinities are left out; a tensor without finite values gives [0, 0].
 *
 * @param percent over 0, at most 100
 * @param finite how many of the values are finite
 */
export function percentileOfTensor(
  source: Passes | ValueSource,
  percent: number,
  symmetric: boolean,
  finite: number,
  within: OneGroup | null = null,
): PercentileRange {
  if (finite === 0) return { low: 0, high: 0 };
  const positions = percentsOf(percent, symmetric).map((value) => positionOf(value, finite));
  const ranks = positions.flatMap(({ below, above }) => [below, above]);
  const found = orderStatistics(passesOf(source), ranks, symmetric, within);
  const at = (rank: number): number => found.get(rank)!;
  return rangeFrom(
    positions.map(({ below, above, fraction }) => interpolate(at(below), at(above), fraction)),
  );
}

/** Values that are gathered at a time for per-group percentiles: 16 MB of float32. */
const GATHER_BUDGET = 4 * 2 ** 20;

/**
 * The same per group. Groups are gathered and ranked, as many at a time as the budget holds;
 * a group over the budget is done by radix passes that leave the others out.
 */
export function percentilesOfGroups(
  source: Passes | ValueSource,
  grouping: Grouping,
  percent: number,
  symmetric: boolean,
  budget: number = GATHER_BUDGET,
): PercentileRange[] {
  const passes = passesOf(source);
  if (passes.elements === 0)
    return Array.from({ length: grouping.groups }, () => ({ low: 0, high: 0 }));
  const size = largestGroup(grouping);
  if (size > budget)
    return Array.from({ length: grouping.groups }, (_, group) => {
      const within = { grouping, group };
      const finite = finiteWithin(passes, within);
      return percentileOfTensor(passes, percent, symmetric, finite, within);
    });
  const ranges: PercentileRange[] = [];
  const atOnce = Math.max(1, Math.floor(budget / size));
  for (let first = 0; first < grouping.groups; first += atOnce) {
    const groups = Math.min(atOnce, grouping.groups - first);
    const gathered = passes.gather(grouping, first, groups, size, symmetric);
    for (let index = 0; index < groups; index++)
      ranges.push(percentileOfGathered(gathered, index, percent, symmetric));
  }
  return ranges;
}

function largestGroup({ kind, layout, block }: Grouping): number {
  const { outer, channels, inner } = layout;
  if (kind === 'block') return Math.min(block, channels);
  return kind === 'channel' ? outer * inner : outer * channels * inner;
}

function finiteWithin(passes: Passes, within: OneGroup): number {
  return passes.countDigits([[]], false, within)[0]!.reduce((sum, count) => sum + count, 0);
}

function percentileOfGathered(
  gathered: Gathered,
  group: number,
  percent: number,
  symmetric: boolean,
): PercentileRange {
  const count = gathered.count(group);
  if (count === 0) return { low: 0, high: 0 };
  return rangeFrom(
    percentsOf(percent, symmetric).map((value) => {
      const { below, above, fraction } = positionOf(value, count);
      const low = gathered.ranked(group, below);
      const high = above === below ? low : gathered.ranked(group, above);
      return interpolate(low, high, fraction);
    }),
  );
}

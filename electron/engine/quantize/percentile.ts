import type { Values, ValueSource } from './chunks.ts';
import { forEachRun, type Grouping } from './layout.ts';
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
  source: ValueSource,
  percent: number,
  symmetric: boolean,
  finite: number,
): PercentileRange {
  if (finite === 0) return { low: 0, high: 0 };
  const positions = percentsOf(percent, symmetric).map((value) => positionOf(value, finite));
  const ranks = positions.flatMap(({ below, above }) => [below, above]);
  const found = orderStatistics(source, ranks, symmetric);
  const at = (rank: number): number => found.get(rank)!;
  return rangeFrom(
    positions.map(({ below, above, fraction }) => interpolate(at(below), at(above), fraction)),
  );
}

/** Values that are gathered at a time for per-channel percentiles: 128 MB of float64 at most. */
const GATHER_BUDGET = 16 * 2 ** 20;

/**
 * The same per group. Groups are gathered and sorted, as many at a time as the budget holds;
 * a group over the budget is done by radix passes that leave the others out.
 */
export function percentilesOfGroups(
  source: ValueSource,
  grouping: Grouping,
  percent: number,
  symmetric: boolean,
  budget: number = GATHER_BUDGET,
): PercentileRange[] {
  if (source.elements === 0)
    return Array.from({ length: grouping.groups }, () => ({ low: 0, high: 0 }));
  const size = largestGroup(grouping);
  if (size > budget)
    return Array.from({ length: grouping.groups }, (_, group) => {
      const alone = groupSource(source, grouping, group);
      return percentileOfTensor(alone, percent, symmetric, countFinite(alone));
    });
  const ranges: PercentileRange[] = [];
  const atOnce = Math.max(1, Math.floor(budget / size));
  for (let first = 0; first < grouping.groups; first += atOnce) {
    const groups = Math.min(atOnce, grouping.groups - first);
    const gathered = gather(source, grouping, first, groups, size, symmetric);
    for (let index = 0; index < groups; index++)
      ranges.push(percentileOfSorted(gathered(index), percent, symmetric));
  }
  return ranges;
}

function largestGroup({ kind, layout, block }: Grouping): number {
  const { outer, channels, inner } = layout;
  if (kind === 'block') return Math.min(block, channels);
  return kind === 'channel' ? outer * inner : outer * channels * inner;
}

function percentileOfSorted(sorted: Values, percent: number, symmetric: boolean): PercentileRange {
  if (sorted.length === 0) return { low: 0, high: 0 };
  return rangeFrom(
    percentsOf(percent, symmetric).map((value) => {
      const { below, above, fraction } = positionOf(value, sorted.length);
      return interpolate(sorted[below]!, sorted[above]!, fraction);
    }),
  );
}

/** Gathers the finite values of some consecutive groups; the result sorts and gives one of them. */
function gather(
  source: ValueSource,
  grouping: Grouping,
  first: number,
  groups: number,
  size: number,
  symmetric: boolean,
): (index: number) => Values {
  const store =
    source.dtype === 'float64' ? new Float64Array(groups * size) : new Float32Array(groups * size);
  const counts = new Uint32Array(groups);
  source.forEachChunk((values, start) => {
    forEachRun(grouping, start, values.length, (from, to, firstGroup, step) => {
      for (let index = from, group = firstGroup - first; index < to; index++, group += step) {
        if (group < 0 || group >= groups) continue;
        const value = values[index]!;
        if (value - value !== 0) continue;
        const count = counts[group]!;
        store[group * size + count] = symmetric ? Math.abs(value) : value;
        counts[group] = count + 1;
      }
    });
  });
  return (index) => store.subarray(index * size, index * size + counts[index]!).sort();
}

/** The values of one group alone, as a source of its own. */
function groupSource(source: ValueSource, grouping: Grouping, wanted: number): ValueSource {
  return {
    elements: largestGroup(grouping),
    dtype: source.dtype,
    forEachChunk(visit) {
      let done = 0;
      source.forEachChunk((values, start) => {
        const picked = values.slice();
        let count = 0;
        forEachRun(grouping, start, values.length, (from, to, first, step) => {
          for (let index = from, group = first; index < to; index++, group += step)
            if (group === wanted) picked[count++] = values[index]!;
        });
        visit(picked.subarray(0, count), done);
        done += count;
      });
    },
  };
}

function countFinite(source: ValueSource): number {
  let finite = 0;
  source.forEachChunk((values) => {
    for (let index = 0; index < values.length; index++)
      if (values[index]! - values[index]! === 0) finite++;
  });
  return finite;
}

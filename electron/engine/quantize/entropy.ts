import type { Grouping } from './layout.ts';
import type { GroupRanges, Passes, ValueSource } from './passes.ts';
import { passesOf } from './plain-passes.ts';

/** Bins of the histogram that thresholds are searched on. */
export const ENTROPY_BINS = 2048;

/** Groups whose histograms are held at a time: 16 MB. */
const GROUPS_AT_ONCE = 1024;

/** Probability that stands for an empty bin (smooth_distribution of onnxruntime and MXNet). */
const EPSILON = 0.0001;

/**
 * Ranges whose clipped histogram, merged into the number of levels, diverges least from the
 * whole one (Kullback and Leibler): the method of onnxruntime's HistogramCollector
 * (get_entropy_threshold, after TensorRT's), over 2048 bins of [-absmax, absmax] of each group.
 * Divergences are float64 here and float32 there, so that candidates whose divergences differ by
 * less than float32's rounding may be chosen differently.
 *
 * @param levels bins that the histogram is merged into; 128 for 8-bit codes, as there. With as
 *   many levels as bins or more, one candidate is left, and the range is that of minmax.
 */
export function entropyRanges(
  source: Passes | ValueSource,
  grouping: Grouping,
  full: GroupRanges,
  levels: number,
): GroupRanges {
  if (levels >= ENTROPY_BINS) return full;
  const ranges = { min: full.min.slice(), max: full.max.slice() };
  for (let first = 0; first < grouping.groups; first += GROUPS_AT_ONCE) {
    const groups = Math.min(GROUPS_AT_ONCE, grouping.groups - first);
    const limits = Float64Array.from({ length: groups }, (_, group) =>
      Math.max(full.max[first + group]!, -full.min[first + group]!),
    );
    const counts = passesOf(source).signedHistograms(grouping, first, limits, ENTROPY_BINS);
    for (let group = 0; group < groups; group++) {
      const limit = limits[group]!;
      if (limit === 0) continue;
      const own = counts.subarray(group * ENTROPY_BINS, (group + 1) * ENTROPY_BINS);
      const half = leastDivergence(own, levels);
      const at = first + group;
      ranges.min[at] = Math.max(full.min[at]!, edge(ENTROPY_BINS / 2 - half, limit));
      ranges.max[at] = Math.min(full.max[at]!, edge(ENTROPY_BINS / 2 + half + 1, limit));
    }
  }
  return ranges;
}

/** numpy.linspace(-limit, limit) in float32, which the collector's edges are; the last is exact. */
function edge(index: number, limit: number): number {
  if (index >= ENTROPY_BINS) return limit;
  return Math.fround(Math.fround(index * ((2 * limit) / ENTROPY_BINS)) - limit);
}

/** The half-width, in bins, of the window around zero that diverges least. */
function leastDivergence(counts: Float64Array, levels: number): number {
  const zero = ENTROPY_BINS / 2;
  const before = new Float64Array(ENTROPY_BINS + 1);
  for (let bin = 0; bin < ENTROPY_BINS; bin++) before[bin + 1] = before[bin]! + counts[bin]!;
  let [best, least] = [Math.floor(levels / 2), Infinity];
  for (let half = Math.floor(levels / 2); half <= zero; half++) {
    const [start, end] = [zero - half, Math.min(zero + half + 1, ENTROPY_BINS)];
    const found = divergence(counts, before, start, end, levels);
    if (found < least) [best, least] = [half, found];
  }
  return best;
}

/** KL divergence of the window, outliers in its end bins, from itself merged into the levels. */
function divergence(
  counts: Float64Array,
  before: Float64Array,
  start: number,
  end: number,
  levels: number,
): number {
  const size = end - start;
  const reference = counts.slice(start, end);
  reference[0] = reference[0]! + before[start]!;
  reference[size - 1] = reference[size - 1]! + before[ENTROPY_BINS]! - before[end]!;
  const merged = new Float64Array(size);
  const width = Math.floor(size / levels);
  for (let level = 0; level < levels; level++) {
    const [from, to] = [level * width, (level + 1) * width];
    const upTo = level === levels - 1 ? size : to;
    const sum = before[start + upTo]! - before[start + from]!;
    let used = 0;
    for (let bin = from; bin < to; bin++) if (reference[bin] !== 0) used++;
    // Whole counts, and the tail behind the last level left at 0, as the reference has it.
    if (used > 0) merged.fill(Math.floor(sum / used), from, to);
  }
  const [p, q] = [smoothing(reference), smoothing(merged)];
  if (p === null || q === null) return Infinity;
  let sum = 0;
  for (let bin = 0; bin < size; bin++) {
    const own = p.of(reference[bin]!);
    sum += own * Math.log(own / q.of(merged[bin]!));
  }
  return sum;
}

/** Gives empty bins a little of what the others have, and normalizes; null when all are empty. */
function smoothing(counts: Float64Array): { of: (count: number) => number } | null {
  let [used, sum] = [0, 0];
  for (let bin = 0; bin < counts.length; bin++) {
    if (counts[bin] === 0) continue;
    used++;
    sum += counts[bin]!;
  }
  if (used === 0) return null;
  const empty = counts.length - used;
  const taken = (EPSILON * empty) / used;
  const total = sum - taken * used + EPSILON * empty;
  return { of: (count) => (count === 0 ? EPSILON : count - taken) / total };
}

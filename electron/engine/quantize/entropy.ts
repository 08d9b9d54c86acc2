import { DivergenceSearch } from './divergence.ts';
import type { Grouping } from './layout.ts';
import type { GroupRanges, Passes } from './passes.ts';
import type { ValueSource } from './values.ts';
import { passesOf } from '../kernels/reference/plain-passes.ts';

/** Bins of the histogram that thresholds are searched on. */
export const ENTROPY_BINS = 2048;

/** Groups whose histograms are held at a time: 16 MB. */
const GROUPS_AT_ONCE = 1024;

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
  const search = new DivergenceSearch(ENTROPY_BINS, levels);
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
      const half = search.least(own);
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

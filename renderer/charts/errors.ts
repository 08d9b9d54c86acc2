// Error histograms of two recipes on one scale, though each has its own bins.
import { max } from 'd3';
import type { Side } from '../../shared/protocol.ts';
import type { Histogram, SideDetail } from '../../shared/report.ts';

export interface ErrorSeries {
  readonly side: Side;
  readonly histogram: Histogram;
  /** Counts for bins of the common width, so that areas can be held against each other. */
  readonly counts: readonly number[];
  readonly most: number;
}

export interface ErrorSeriesSet {
  /** x goes from -limit to limit. */
  readonly limit: number;
  readonly most: number;
  readonly series: readonly ErrorSeries[];
}

/**
 * The series of those sides that have an error. Bins are as wide as those of the side whose errors
 * reach furthest; the counts of narrower ones are scaled up as if their bins were as wide.
 */
export function errorSeries(a: SideDetail | null, b: SideDetail | null): ErrorSeriesSet {
  const sides = [
    { side: 'a' as const, detail: a },
    { side: 'b' as const, detail: b },
  ].flatMap(({ side, detail }) => (hasError(detail) ? [{ side, detail }] : []));
  const widths = sides.map(({ detail }) => binWidth(detail.errorHistogram));
  const common = max(widths) ?? 0;
  const series = sides.map(({ side, detail }, index): ErrorSeries => {
    const histogram = detail.errorHistogram;
    const factor = common / (widths[index] ?? common);
    const counts = histogram.counts.map((count) => count * factor);
    return { side, histogram, counts, most: max(counts) ?? 0 };
  });
  return {
    limit: max(series, ({ histogram }) => Math.max(histogram.hi, -histogram.lo)) ?? 0,
    most: max(series, ({ most }) => most) ?? 0,
    series,
  };
}

function hasError(detail: SideDetail | null): detail is SideDetail {
  return detail !== null && detail.report.quantized && detail.report.maxAbsError > 0;
}

function binWidth({ lo, hi, counts }: Histogram): number {
  return (hi - lo) / Math.max(1, counts.length);
}

// Error histograms of two recipes over one x axis. Each has its own bins, and with them its own counts.
import { max } from 'd3';
import type { Side } from '../../shared/protocol.ts';
import type { Histogram, SideDetail } from '../../shared/report.ts';

export interface ErrorSeries {
  readonly side: Side;
  readonly histogram: Histogram;
  /** The most weights in one bin. */
  readonly most: number;
}

export interface ErrorSeriesSet {
  /** x goes from -limit to limit. */
  readonly limit: number;
  readonly series: readonly ErrorSeries[];
}

/** The series of those sides that have an error, with the counts that were measured. */
export function errorSeries(a: SideDetail | null, b: SideDetail | null): ErrorSeriesSet {
  const series = [
    { side: 'a' as const, detail: a },
    { side: 'b' as const, detail: b },
  ].flatMap(({ side, detail }): ErrorSeries[] => {
    if (!hasError(detail)) return [];
    const histogram = detail.errorHistogram;
    return [{ side, histogram, most: max(histogram.counts) ?? 0 }];
  });
  return {
    limit: max(series, ({ histogram }) => Math.max(histogram.hi, -histogram.lo)) ?? 0,
    series,
  };
}

function hasError(detail: SideDetail | null): detail is SideDetail {
  return detail !== null && detail.report.quantized && detail.report.maxAbsError > 0;
}

// A histogram's bins as marks and as a table.
import type { CsvRow } from '../../shared/csv.ts';
import type { Histogram } from '../../shared/report.ts';
import { counted, percent, real } from '../format/numbers.ts';
import type { Mark } from './marks.ts';
import type { Scale } from './scales.ts';

/** The lower edge of a bin; of the one after the last: the upper end. */
export function binEdge({ lo, hi, counts }: Histogram, bin: number): number {
  return lo + ((hi - lo) * bin) / Math.max(1, counts.length);
}

/** A mark for every bin that is not empty, as high as the plot. */
export function binMarks(
  histogram: Histogram,
  place: { readonly x: Scale; readonly top: number; readonly bottom: number },
  /** What is counted, in the singular. */
  what: string,
): Mark[] {
  const all = histogram.counts.reduce((sum, count) => sum + count, 0);
  return histogram.counts.flatMap((count, bin) => {
    if (count === 0) return [];
    const [lo, hi] = [binEdge(histogram, bin), binEdge(histogram, bin + 1)];
    return {
      x: place.x(lo),
      y: place.top,
      width: place.x(hi) - place.x(lo),
      height: place.bottom - place.top,
      title: `${real(lo)} to ${real(hi)}`,
      lines: [counted(count, what), `${percent(count / all).replace('+', '')} of all`],
    };
  });
}

/** The bins as rows: lower edge, upper edge, count. */
export function histogramRows(histogram: Histogram): CsvRow[] {
  return histogram.counts.map((count, bin) => [
    binEdge(histogram, bin),
    binEdge(histogram, bin + 1),
    count,
  ]);
}

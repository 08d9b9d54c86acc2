import type { Histogram } from '../../../shared/report.ts';
import type { Values } from './values.ts';

/** Equal bins over [lo, hi] with lo < hi, and the arithmetic that puts a value into one. */
export interface Bins {
  readonly lo: number;
  readonly hi: number;
  readonly count: number;
}

/**
 * Bins over a range of values. A range of no width is widened by 0.5 on both sides, as
 * numpy.histogram does (by half the value where 0.5 would vanish in it), so that it can be drawn.
 */
export function binsOver(min: number, max: number, count: number): Bins {
  if (min < max) return { lo: min, hi: max, count };
  const margin = Math.max(0.5, Math.abs(min) / 2);
  return Math.abs(min) < 2 ** 20
    ? { lo: min - 0.5, hi: min + 0.5, count }
    : { lo: min - margin, hi: min + margin, count };
}

/**
 * Adds finite values of [lo, hi] to the counts of their bins: floor((x - lo) * count / (hi - lo))
 * in float64, the last bin including hi. Values that are not finite are left out.
 */
export function addToHistogram(values: Values, bins: Bins, counts: Float64Array): void {
  // Halving keeps hi - lo finite when a float64 tensor spans more than the largest double.
  const half = Number.isFinite(bins.hi - bins.lo) ? 1 : 0.5;
  const lo = bins.lo * half;
  const perUnit = bins.count / (bins.hi * half - lo);
  const last = bins.count - 1;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (value - value !== 0) continue;
    const bin = (value * half - lo) * perUnit;
    const slot = bin < last ? Math.floor(bin) : last;
    counts[slot] = counts[slot]! + 1;
  }
}

export function histogramOf(bins: Bins, counts: Float64Array): Histogram {
  return { lo: bins.lo, hi: bins.hi, counts: Array.from(counts) };
}

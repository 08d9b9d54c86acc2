// Shapes of the charts as SVG path data, rounded to a tenth of a pixel.
import type { Scale } from './scales.ts';

function at(position: number): string {
  return String(Number(position.toFixed(1)));
}

/** Where the bins of a histogram lie: from `left` on, each `step` pixels wide. */
export interface Bins {
  readonly counts: readonly number[];
  readonly left: number;
  readonly step: number;
}

function steps({ counts, left, step }: Bins, y: Scale): string {
  return counts.map((count, index) => `V${at(y(count))}H${at(left + (index + 1) * step)}`).join('');
}

/** A histogram as a filled area that stands on `base`. */
export function areaPath(bins: Bins, y: Scale, base: number): string {
  if (bins.counts.length === 0) return '';
  return `M${at(bins.left)} ${at(base)}${steps(bins, y)}V${at(base)}Z`;
}

/** The upper edge of a histogram. */
export function outlinePath(bins: Bins, y: Scale): string {
  const [first] = bins.counts;
  if (first === undefined) return '';
  return `M${at(bins.left)} ${at(y(first))}${steps(bins, y)}`;
}

/** B's mark: a diamond about a point. */
export function diamondPath(x: number, y: number, radius: number): string {
  return `M${at(x)} ${at(y - radius)}L${at(x + radius)} ${at(y)}L${at(x)} ${at(y + radius)}L${at(x - radius)} ${at(y)}Z`;
}

/** Vertical lines of one length as one path. */
export function verticalLines(xs: readonly number[], top: number, bottom: number): string {
  return xs.map((x) => `M${at(x)} ${at(top)}V${at(bottom)}`).join('');
}

/** Bars between two y's as one path, each `width` wide from its x on and at least `least` high. */
export function barsPath(
  bars: readonly { readonly x: number; readonly top: number; readonly bottom: number }[],
  width: number,
  least = 1,
): string {
  return bars
    .map(({ x, top, bottom }) => {
      const height = Math.max(least, bottom - top);
      return `M${x.toFixed(2)} ${at(top)}h${width.toFixed(2)}v${at(height)}h${(-width).toFixed(2)}Z`;
    })
    .join('');
}

import type { Numbers } from './lists.ts';

/** The scales and zero points of one tensor: one of each for the tensor, each channel or each block. */
export interface Scales {
  readonly scale: Numbers;
  readonly zeroPoint: Numbers;
}

/** Scales of a tensor that a table shows: more rows than anyone reads. */
const SHOWN_SCALES = 256;

/** What a window shows of scales: an embedding in blocks has millions, and only a copy needs them all. */
export interface ScaleSummary {
  /** Of all scales. */
  readonly count: number;
  /** The least and the greatest of all; Infinity and -Infinity of none. */
  readonly min: number;
  readonly max: number;
  /** The first of the groups with the scale furthest from 0; null of none. */
  readonly widest: {
    readonly group: number;
    readonly scale: number;
    readonly zeroPoint: number;
  } | null;
  /** The first ones. */
  readonly first: Scales;
}

/** Sum up scales; where there are no zero points, they are 0. */
export function summarizeScales({ scale, zeroPoint }: Scales): ScaleSummary {
  let [min, max, widest, furthest] = [Infinity, -Infinity, -1, -Infinity];
  for (let at = 0; at < scale.length; at++) {
    const each = scale[at]!;
    if (each < min) min = each;
    if (each > max) max = each;
    if (Math.abs(each) > furthest) [furthest, widest] = [Math.abs(each), at];
  }
  return {
    count: scale.length,
    min,
    max,
    widest:
      widest === -1
        ? null
        : { group: widest, scale: scale[widest]!, zeroPoint: zeroPoint[widest] ?? 0 },
    first: { scale: firstOf(scale), zeroPoint: firstOf(zeroPoint) },
  };
}

function firstOf(numbers: Numbers): number[] {
  const length = Math.min(numbers.length, SHOWN_SCALES);
  return Array.from({ length }, (_, at) => numbers[at]!);
}

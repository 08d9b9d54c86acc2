// Scales and ticks shared by the charts: d3 computes, templates draw.
import { max as largest, min as smallest, scaleLinear, scaleLog, ticks as d3Ticks } from 'd3';

/** A position along one axis, in pixels, for a value in the axis' unit. */
export type Scale = (value: number) => number;

/** A linear scale; a domain without width maps everything to the middle. */
export function linearScale(
  [d0, d1]: readonly [number, number],
  [r0, r1]: readonly [number, number],
): Scale {
  if (d0 === d1) return () => (r0 + r1) / 2;
  return scaleLinear([d0, d1], [r0, r1]);
}

/** A scale that can be read backwards: what a dragged handle stands for. */
export interface InvertibleScale extends Scale {
  invert(position: number): number;
}

/** A scale of sizes: logarithmic where they span more than a factor of 2. Both ends are over 0. */
export function sizeScale(
  [d0, d1]: readonly [number, number],
  range: readonly [number, number],
): InvertibleScale {
  const isLog = d1 / d0 > 2;
  return isLog ? scaleLog([d0, d1], range) : scaleLinear([d0, d1], range);
}

/** Leading digits of ticks on a logarithmic scale, sparse ones first. */
const LOG_DIGITS = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 2, 3, 5, 7],
  [1, 1.5, 2, 3, 4, 5, 6, 8],
  [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9],
];

/** Round values for a size scale, at most `count` of them: those that the densest fitting set of digits gives. */
export function sizeTicks(lo: number, hi: number, count: number): number[] {
  if (hi / lo <= 2) return niceTicks(lo, hi, count);
  let best: number[] = [];
  for (const digits of LOG_DIGITS) {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(lo)); 10 ** power <= hi; power++)
      for (const digit of digits) ticks.push(Number(`${digit}e${power}`));
    const inside = ticks.filter((tick) => tick >= lo && tick <= hi);
    if (inside.length <= count && inside.length > best.length) best = inside;
  }
  return best;
}

/** The middle of the pixel at a position, on which a line of 1px stays sharp. */
export function crisp(position: number): number {
  return Math.round(position) + 0.5;
}

/** Round values inside [lo, hi], at most `count` of them where there is a choice. */
export function niceTicks(lo: number, hi: number, count: number): number[] {
  if (!(hi > lo)) return [lo];
  for (let wanted = count; wanted > 1; wanted--) {
    const ticks = d3Ticks(lo, hi, wanted);
    if (ticks.length <= count) return ticks;
  }
  return d3Ticks(lo, hi, 1);
}

/** Round values as niceTicks gives them, fewer where their labels are long: powers of ten. */
export function labelledTicks(
  lo: number,
  hi: number,
  count: number,
  label: (tick: number) => string,
): number[] {
  const ticks = niceTicks(lo, hi, count);
  return ticks.some((tick) => label(tick).length > 5) ? niceTicks(lo, hi, 3) : ticks;
}

/** Zero and a round value at the same distance on both sides, inside [-limit, limit]. */
export function symmetricTicks(limit: number): number[] {
  const tick = roundDown(limit);
  return tick > 0 ? [-tick, 0, tick] : [0];
}

/**
 * Heights of a histogram's counts, by the square root, the logarithm or the count itself.
 * Nothing stands for zero counts: their height is 0, and 1 is a little over it.
 */
export type CountScaleKind = 'linear' | 'log' | 'sqrt';

export interface CountScale {
  readonly kind: CountScaleKind;
  /** The y of a count; the base for a count of 0. */
  readonly y: Scale;
  readonly ticks: readonly number[];
}

/** Room under a count of 1 on a logarithmic scale, in powers of ten. */
const LOG_FLOOR = 0.35;

/** A scale of counts from 0 to `most`, between the y of the base and that of the top. */
export function countScale(
  kind: CountScaleKind,
  most: number,
  base: number,
  top: number,
  tickCount = 5,
): CountScale {
  const highest = Math.max(1, most);
  switch (kind) {
    case 'linear': {
      const y = linearScale([0, highest * 1.04], [base, top]);
      return { kind, y, ticks: niceTicks(0, highest, tickCount).filter(isCount) };
    }
    case 'sqrt': {
      const along = linearScale([0, Math.sqrt(highest * 1.04)], [base, top]);
      return { kind, y: (count) => along(Math.sqrt(count)), ticks: sqrtTicks(highest) };
    }
    case 'log': {
      const along = linearScale([-LOG_FLOOR, Math.log10(highest) + 0.1], [base, top]);
      const y: Scale = (count) => (count > 0 ? along(Math.log10(count)) : base);
      return { kind, y, ticks: powersOfTen(highest, tickCount) };
    }
  }
}

function isCount(tick: number): boolean {
  return tick > 0 && Number.isInteger(tick);
}

/** 1, 10, 100 ... up to `most`; every n-th power where there would be more than `count`. */
export function powersOfTen(most: number, count: number): number[] {
  const powers = Math.floor(Math.log10(most) + 1e-9);
  const step = Math.max(1, Math.ceil((powers + 1) / count));
  const ticks: number[] = [];
  for (let power = 0; power <= powers; power += step) ticks.push(10 ** power);
  return ticks;
}

/** Three round counts that lie evenly on a square-root scale. */
function sqrtTicks(most: number): number[] {
  const shares = [0.08, 0.35, 0.85];
  const ticks = shares.map((share) => roundDown(most * share)).filter((tick) => tick >= 1);
  return [...new Set(ticks)];
}

/** The greatest of 1, 2 or 5 times a power of ten that is not over `value`. */
export function roundDown(value: number): number {
  if (!(value > 0)) return 0;
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const digit = value / power;
  return power * (digit >= 5 ? 5 : digit >= 2 ? 2 : 1);
}

/** Level lines closer than this run together, in pixels. */
export const LEVEL_GAP = 6;

/** Every how many levels a line is drawn, so that lines stay at least `gap` pixels apart: a power of two. */
export function levelStride(pixelsPerLevel: number, gap = LEVEL_GAP): number {
  if (!(pixelsPerLevel > 0)) return Infinity;
  let stride = 1;
  while (pixelsPerLevel * stride < gap) stride *= 2;
  return stride;
}

/** The least and the greatest of finite values, widened by a share of their span at both ends. */
export function paddedExtent(values: readonly number[], share: number): [number, number] {
  const finite = values.filter(Number.isFinite);
  const lo = smallest(finite) ?? 0;
  const hi = largest(finite) ?? 0;
  if (lo === hi) return [lo - (Math.abs(lo) || 1), hi + (Math.abs(hi) || 1)];
  const room = (hi - lo) * share;
  return [lo - room, hi + room];
}

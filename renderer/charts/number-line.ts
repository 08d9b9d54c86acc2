// Where the values of a number format lie along a line, in double arithmetic: exact for all but 64-bit
// integers beyond 2^53, whose places on a screen are the same.
import { ticks as d3Ticks } from 'd3';
import type { NumberFormat } from '../../shared/number-formats.ts';

export type LineKind = 'linear' | 'log';

/** A window on the line, from one value to a greater one. */
export interface LineView {
  readonly lo: number;
  readonly hi: number;
}

/** Around zero the logarithmic line is linear up to here: a step of the least bits that networks use. */
const LINEAR_UP_TO = 1e-10;
/** The whole line; one order less than the doubles, so that sums of two ends are still finite. */
export const LINE_END = 1.7e308;
/** A window must leave doubles to tell its pixels apart. */
const LEAST_SHARE = 1e-11;
const LEAST_SPAN = 1e-300;

/** The axis along which a window moves: values for a linear line, their symmetric logarithm for the other. */
function along(kind: LineKind, value: number): number {
  if (kind === 'linear') return value;
  const ratio = Math.abs(value) / LINEAR_UP_TO;
  const size = Number.isFinite(ratio)
    ? Math.log1p(ratio)
    : Math.log(Math.abs(value)) - Math.log(LINEAR_UP_TO);
  return Math.sign(value) * size;
}

function valueAlong(kind: LineKind, position: number): number {
  if (kind === 'linear') return position;
  const size = Math.abs(position);
  const value =
    size < 700 ? Math.expm1(size) * LINEAR_UP_TO : Math.exp(size + Math.log(LINEAR_UP_TO));
  return Math.sign(position) * Math.min(LINE_END, value);
}

/** a + share * (b - a) without a difference that overflows. */
function between(a: number, b: number, share: number): number {
  return a * (1 - share) + b * share;
}

/** Pixels for values of a window, and back. */
export interface LineScale {
  readonly place: (value: number) => number;
  readonly value: (position: number) => number;
}

export function lineScale(
  kind: LineKind,
  { lo, hi }: LineView,
  [left, right]: readonly [number, number],
): LineScale {
  const [a, b] = [along(kind, lo), along(kind, hi)];
  const half = b / 2 - a / 2;
  return {
    place: (value) => left + ((along(kind, value) / 2 - a / 2) / half) * (right - left),
    value: (position) => valueAlong(kind, between(a, b, (position - left) / (right - left))),
  };
}

/** The window whose ends lie where these shares of the old one did: 0.5 and 1 zoom into its upper half. */
export function movedView(
  kind: LineKind,
  { lo, hi }: LineView,
  [from, to]: readonly [number, number],
): LineView {
  const [a, b] = [along(kind, lo), along(kind, hi)];
  const end = along(kind, LINE_END);
  const held = (position: number): number => Math.min(end, Math.max(-end, position));
  const moved = {
    lo: valueAlong(kind, held(between(a, b, from))),
    hi: valueAlong(kind, held(between(a, b, to))),
  };
  const least = Math.max(
    LEAST_SPAN,
    Math.max(Math.abs(moved.lo), Math.abs(moved.hi)) * LEAST_SHARE,
  );
  return moved.hi - moved.lo >= least ? moved : { lo, hi };
}

/** The window around a value, wide enough to tell 8 bits apart and narrow enough to see them. */
export function viewNear(value: number): LineView {
  const room = (Math.abs(value) || 1) / 4;
  return { lo: Math.max(-LINE_END, value - room), hi: Math.min(LINE_END, value + room) };
}

/** The greatest power of two that is not over a positive value, by its exponent. */
function exponentOf(value: number): number {
  const guess = Math.floor(Math.log2(value));
  if (2 ** guess > value) return guess - 1;
  return 2 ** (guess + 1) <= value ? guess + 1 : guess;
}

/** The step of a format at a magnitude, away from zero; never under what a double can tell apart there. */
export function stepOf(format: NumberFormat, magnitude: number): number {
  if (format.kind === 'float') {
    const lowest = 2 - 2 ** (format.exponentBits - 1);
    const exponent = magnitude === 0 ? lowest : Math.max(lowest, exponentOf(magnitude));
    return 2 ** (exponent - format.fractionBits);
  }
  const step = format.kind === 'fixed' ? 2 ** -format.fractionBits : 1;
  return magnitude === 0 ? step : Math.max(step, 2 ** (exponentOf(magnitude) - 52));
}

/** The least value of a format that is not under another; null past its end. */
export function valueFrom(format: NumberFormat, value: number): number | null {
  const [min, max] = [Number(format.min), Number(format.max)];
  if (value > max) return null;
  if (value <= min) return min;
  const step = stepOf(format, Math.abs(value));
  // -0 would be drawn apart from 0.
  return Math.min(max, Math.ceil(value / step) * step) + 0;
}

/** The next value of a format above one of its values; null past its end. */
export function valueAfter(format: NumberFormat, value: number): number | null {
  if (value >= Number(format.max)) return null;
  const size = Math.abs(value);
  const step = stepOf(format, size);
  // Towards zero the step of floats halves at a power of two, down to the smallest normal.
  const isHalved = value < 0 && format.kind === 'float' && size > (format.smallestNormal ?? 0);
  return value + (isHalved && size === 2 ** exponentOf(size) ? step / 2 : step);
}

/** Values too close to be drawn: how far they reach, in values, and how many share a pixel at least. */
export interface LineBand {
  readonly lo: number;
  readonly hi: number;
  /** Values per pixel, as a power of two rounded down. */
  readonly density: number;
}

/** What a row of the line shows: values with room between them, and bands of those without. */
export interface LineRow {
  readonly ticks: readonly number[];
  readonly bands: readonly LineBand[];
}

/** Values closer than this run together, in pixels. */
export const TICK_GAP = 3;

/** The values of a format in a window. At most one step is taken for every gap, however many there are. */
export function lineRow(format: NumberFormat, { lo, hi }: LineView, scale: LineScale): LineRow {
  const ticks: number[] = [];
  const bands: LineBand[] = [];
  let value = valueFrom(format, lo);
  while (value !== null && value <= hi) {
    const next = valueAfter(format, value);
    const place = scale.place(value);
    if (next === null || scale.place(next) - place >= TICK_GAP) {
      ticks.push(value);
      value = next;
      continue;
    }
    const edge = Math.min(hi, Math.max(next, scale.value(place + TICK_GAP)));
    const width = Math.max(scale.place(edge) - place, 1e-9);
    const step = stepOf(format, Math.max(Math.abs(value), Math.abs(edge)));
    const density = Math.floor(Math.log2(Math.max(1, edge / step - value / step) / width));
    const last = bands.at(-1);
    // A column ends between two values; the next one goes on from there.
    const isNext = last !== undefined && place - scale.place(last.hi) < TICK_GAP;
    if (isNext && last.density === density) bands[bands.length - 1] = { ...last, hi: edge };
    else bands.push({ lo: isNext ? last.hi : value, hi: edge, density });
    value = edge >= hi ? null : Math.max(next, valueFrom(format, edge) ?? Infinity);
  }
  return { ticks, bands };
}

/** Round values for the line's axis at least some pixels apart: zero and powers of ten on a logarithmic one. */
export function lineTicks(
  kind: LineKind,
  view: LineView,
  scale: LineScale,
  room: number,
): number[] {
  const width = scale.place(view.hi) - scale.place(view.lo);
  if (kind === 'log') {
    const span = along(kind, view.hi) - along(kind, view.lo);
    const decade = (Math.LN10 * width) / span;
    const powers = signedPowers(Math.ceil(room / decade));
    const found = powers.filter((tick) => tick >= view.lo && tick <= view.hi);
    if (found.length >= 3) return found;
  }
  // The difference of the line's ends is past the doubles: a quarter of it is not.
  const by = Number.isFinite(view.hi - view.lo) ? 1 : 4;
  const count = Math.max(2, Math.floor(width / room));
  return d3Ticks(view.lo / by, view.hi / by, count).map((tick) => tick * by);
}

/** 0 and every n-th power of ten on both of its sides. */
function signedPowers(stride: number): number[] {
  const first = Math.log10(LINEAR_UP_TO);
  const up: number[] = [];
  for (let power = first + stride; power <= 308; power += stride) up.push(Number(`1e${power}`));
  return [...up.map((tick) => -tick).reverse(), 0, ...up];
}

// What calibration makes of an activation's values: range, sums, and counts over bins with float32 edges.
// Reference implementation: reference/plain-reductions.ts.

import { countFour, SHIFTER } from './histogram';
import { PIECE } from './statistics';
import { squares } from './sums';

/** Five doubles: least, greatest, sum, sum of squares, and how many were finite. */
const observed: usize = memory.data(40, 16);

export function observedSums(): usize {
  return observed;
}

export function resetObserved(): void {
  store<f64>(observed, Infinity);
  store<f64>(observed, -Infinity, 8);
  memory.fill(observed + 16, 0, 24);
}

function add(low: f32, high: f32, sum: f64, power: f64, count: i32): void {
  store<f64>(observed, min(load<f64>(observed), f64(low)));
  store<f64>(observed, max(load<f64>(observed, 8), f64(high)), 8);
  store<f64>(observed, load<f64>(observed, 16) + sum, 16);
  store<f64>(observed, load<f64>(observed, 24) + power, 24);
  store<f64>(observed, load<f64>(observed, 32) + f64(count), 32);
}

/** Adds float32 values; those that are not finite are left out. */
export function addObserved(pointer: usize, count: i32): void {
  for (let at = 0; at < count; at += PIECE)
    observePiece(pointer + (usize(at) << 2), min(PIECE, count - at));
}

function observePiece(pointer: usize, count: i32): void {
  const end = pointer + (usize(count & ~7) << 2);
  let low = f32x4.splat(Infinity);
  let high = f32x4.splat(-Infinity);
  let sum = f64x2.splat(0);
  let sum2 = f64x2.splat(0);
  let power = f64x2.splat(0);
  let power2 = f64x2.splat(0);
  let from = pointer;
  for (; from < end; from += 32) {
    const a = v128.load(from);
    const b = v128.load(from, 16);
    low = f32x4.pmin(f32x4.pmin(low, a), b);
    high = f32x4.pmax(f32x4.pmax(high, a), b);
    sum = f64x2.add(sum, pairs(a));
    sum2 = f64x2.add(sum2, pairs(b));
    power = f64x2.add(power, squares(a));
    power2 = f64x2.add(power2, squares(b));
  }
  // No sum of the squares of this many finite float32 overflows a double.
  const total = both(f64x2.add(power, power2));
  if (total - total == 0)
    add(lane(low, true), lane(high, false), both(f64x2.add(sum, sum2)), total, count & ~7);
  else from = pointer;
  for (const last = pointer + (usize(count) << 2); from < last; from += 4) {
    const value = load<f32>(from);
    if (value - value == 0) add(value, value, f64(value), f64(value) * f64(value), 1);
  }
}

/** The sums of the first and third, and of the second and fourth, of four float32. */
function pairs(values: v128): v128 {
  return f64x2.add(
    f64x2.promote_low_f32x4(values),
    f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1)),
  );
}

function both(values: v128): f64 {
  return f64x2.extract_lane(values, 0) + f64x2.extract_lane(values, 1);
}

/** The least of four float32, or the greatest. */
function lane(values: v128, isLeast: bool): f32 {
  const a = f32x4.extract_lane(values, 0);
  const b = f32x4.extract_lane(values, 1);
  const c = f32x4.extract_lane(values, 2);
  const d = f32x4.extract_lane(values, 3);
  return isLeast ? min(min(a, b), min(c, d)) : max(max(a, b), max(c, d));
}

/** Bins of four uint32 each: neighbouring values often fall into one bin. All are 0 between one fold and the next. */
let cells: usize = 0;
let edges: usize = 0;
let bins: i32 = 0;
let limit: f64 = 0;
let perUnit: f64 = 0;

/** `newCells` is a multiple of 16; `newEdges` has one float32 more than there are bins, that in the middle 0. */
export function setEdges(newCells: usize, newEdges: usize, newBins: i32, newLimit: f64): void {
  cells = newCells;
  edges = newEdges;
  bins = newBins;
  limit = newLimit;
  perUnit = f64(newBins) / (2 * newLimit);
}

/**
 * Edges are off from where equal bins have them by the rounding of float32: up to a 4096th of a bin where there are
 * 4096. Values this close to one are compared with it.
 */
const MARGIN: f64 = 1.0 / 512;

/** Counts values in cells, those beyond the limits in the first or the last; others than finite ones are left out. */
export function countObserved(pointer: usize, count: i32): void {
  const end = pointer + (usize(count & ~3) << 2);
  const shifter = f64x2.splat(SHIFTER + f64(cells / 16));
  let from = pointer;
  for (; from < end; from += 16) {
    const values = v128.load(from);
    const low = scaled(f64x2.promote_low_f32x4(values));
    const high = scaled(f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1)));
    const lowFloor = f64x2.floor(low);
    const highFloor = f64x2.floor(high);
    if (!i64x2.all_true(v128.and(isInside(low, lowFloor), isInside(high, highFloor)))) {
      for (let each: usize = 0; each < 16; each += 4) countOne(load<f32>(from + each));
      continue;
    }
    const lowCells = f64x2.add(lowFloor, shifter);
    const highCells = f64x2.add(highFloor, shifter);
    countFour(lowCells, highCells);
  }
  for (const last = pointer + (usize(count) << 2); from < last; from += 4)
    countOne(load<f32>(from));
}

/**
 * Where two values lie among the bins. What a Relu or a Clip gives most is an edge: 0 is put in the midst of the bin
 * above, and the limit in that of the last bin.
 */
function scaled(values: v128): v128 {
  const places = f64x2.mul(f64x2.add(values, f64x2.splat(limit)), f64x2.splat(perUnit));
  const middle = f64x2.splat(f64(bins >> 1) + 0.5);
  const last = f64x2.splat(f64(bins) - 0.5);
  const inside = v128.bitselect(middle, places, f64x2.eq(values, f64x2.splat(0)));
  return v128.bitselect(last, inside, f64x2.eq(values, f64x2.splat(limit)));
}

/** Whether places lie within bins and away from their edges; NaN does not. */
function isInside(places: v128, floors: v128): v128 {
  const away = f64x2.abs(f64x2.sub(f64x2.sub(places, floors), f64x2.splat(0.5)));
  const isAway = f64x2.le(away, f64x2.splat(0.5 - MARGIN));
  const isLow = f64x2.lt(places, f64x2.splat(0));
  const isHigh = f64x2.gt(places, f64x2.splat(f64(bins)));
  return v128.andnot(isAway, v128.or(isLow, isHigh));
}

function countOne(value: f32): void {
  if (value - value != 0) return;
  const place = (f64(value) + limit) * perUnit;
  let bin = place <= 0 ? 0 : place >= f64(bins) ? bins - 1 : i32(place);
  while (bin > 0 && value < load<f32>(edges + (usize(bin) << 2))) bin--;
  while (bin < bins - 1 && value >= load<f32>(edges + (usize(bin) << 2), 4)) bin++;
  const cell = cells + (usize(bin) << 4);
  store<u32>(cell, load<u32>(cell) + 1);
}

/** Moves the counts to one uint32 for each bin. */
export function foldCounts(counts: usize): void {
  const none = i32x4.splat(0);
  for (let bin = 0; bin < bins; bin++) {
    const cell = cells + (usize(bin) << 4);
    const four = v128.load(cell);
    const two = i32x4.add(four, i64x2.shuffle(four, four, 1, 1));
    const total = i32x4.extract_lane(two, 0) + i32x4.extract_lane(two, 1);
    store<i32>(counts + (usize(bin) << 2), total);
    v128.store(cell, none);
  }
}

// The first pass over a tensor: ranges of its groups, and sums and counts of the whole.
// Reference implementation: addRanges and addSums of reference/plain-ranges.ts.

import { forEachRun } from './runs';

/** Seven doubles: finite, sum, zeros, subnormals, NaNs, infinities, index of the first non-finite (or -1). */
const sums: usize = memory.data(56, 16);

/** Values that are summed before it is looked whether all were finite. */
export const PIECE: i32 = 4096;

export function sumsPointer(): usize {
  return sums;
}

export function resetSums(): void {
  memory.fill(sums, 0, 56);
  store<f64>(sums, -1, 48);
}

function add(offset: usize, amount: f64): void {
  store<f64>(sums + offset, load<f64>(sums + offset) + amount);
}

/** Adds values that are all finite; `small` counts those under the least normal magnitude, zeros among them. */
export function addFinite(count: f64, sum: f64, zeros: f64, small: f64): void {
  add(0, count);
  add(8, sum);
  add(16, zeros);
  add(24, small - zeros);
}

/** Adds one value of any kind; `at` is its index. */
export function addOne(value: f64, tiny: f64, at: f64): void {
  if (value - value != 0) {
    add(value != value ? 32 : 40, 1);
    if (load<f64>(sums, 48) < 0) store<f64>(sums, at, 48);
    return;
  }
  addFinite(1, value, f64(value == 0), f64(abs(value) < tiny));
}

/**
 * Adds float32 values to the sums. `tiny` is the least normal magnitude of the stored type and
 * `start` the index of the first value.
 */
export function addSums(pointer: usize, count: i32, tiny: f32, start: f64): void {
  for (let at = 0; at < count; at += PIECE)
    addPiece(pointer + (usize(at) << 2), min(PIECE, count - at), tiny, start + f64(at));
}

function addPiece(pointer: usize, count: i32, tiny: f32, start: f64): void {
  const whole = count & ~3;
  const limit = f32x4.splat(tiny);
  const none = f32x4.splat(0);
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  let small = i32x4.splat(0);
  let zeros = i32x4.splat(0);
  let at = 0;
  for (; at < whole; at += 4) {
    const values = v128.load(pointer + (usize(at) << 2));
    low = f64x2.add(low, f64x2.promote_low_f32x4(values));
    high = f64x2.add(high, f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1)));
    // Masks are -1 where they hold.
    small = i32x4.sub(small, f32x4.lt(f32x4.abs(values), limit));
    zeros = i32x4.sub(zeros, f32x4.eq(values, none));
  }
  const both = f64x2.add(low, high);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  let smallCount = lanes(small);
  let zeroCount = lanes(zeros);
  for (; at < count; at++) {
    const value = load<f32>(pointer + (usize(at) << 2));
    sum += f64(value);
    smallCount += i32(abs(value) < tiny);
    zeroCount += i32(value == 0);
  }
  // No sum of this many finite float32 overflows a double: NaN or infinity is in it, or not.
  if (sum - sum == 0) addFinite(f64(count), sum, f64(zeroCount), f64(smallCount));
  else
    for (let each = 0; each < count; each++)
      addOne(f64(load<f32>(pointer + (usize(each) << 2))), f64(tiny), start + f64(each));
}

function lanes(counts: v128): i32 {
  return (
    i32x4.extract_lane(counts, 0) +
    i32x4.extract_lane(counts, 1) +
    i32x4.extract_lane(counts, 2) +
    i32x4.extract_lane(counts, 3)
  );
}

let minima: usize = 0;
let maxima: usize = 0;

/** Where the ranges of the groups are: float32 each, begun at +infinity and -infinity. */
export function setRanges(newMinima: usize, newMaxima: usize): void {
  minima = newMinima;
  maxima = newMaxima;
}

export function addRanges(pointer: usize, count: i32, start: f64): void {
  forEachRun(pointer, count, start, rangeOfRun);
}

function rangeOfRun(pointer: usize, count: i32, group: i32, step: i32): void {
  if (step != 0) {
    rangesOfRow(pointer, count, minima + (usize(group) << 2), maxima + (usize(group) << 2));
    return;
  }
  const place = usize(group) << 2;
  const low = lowest(pointer, count);
  const high = highest(pointer, count);
  // NaN is passed over below; an infinity is found here, and then the run is gone over again.
  if (low == -Infinity || high == Infinity || low > high) {
    for (let at = 0; at < count; at++) widenRange(pointer + (usize(at) << 2), place);
    return;
  }
  if (low < load<f32>(minima + place)) store<f32>(minima + place, low);
  if (high > load<f32>(maxima + place)) store<f32>(maxima + place, high);
}

function widenRange(pointer: usize, place: usize): void {
  const value = load<f32>(pointer);
  if (value - value != 0) return;
  if (value < load<f32>(minima + place)) store<f32>(minima + place, value);
  if (value > load<f32>(maxima + place)) store<f32>(maxima + place, value);
}

/** The least value, NaN left out: pmin keeps its first argument unless the second is less. */
export function lowest(pointer: usize, count: i32): f32 {
  let a = f32x4.splat(Infinity);
  let b = a;
  let c = a;
  let d = a;
  const end = pointer + (usize(count & ~15) << 2);
  const last = pointer + (usize(count) << 2);
  for (; pointer < end; pointer += 64) {
    a = f32x4.pmin(a, v128.load(pointer));
    b = f32x4.pmin(b, v128.load(pointer, 16));
    c = f32x4.pmin(c, v128.load(pointer, 32));
    d = f32x4.pmin(d, v128.load(pointer, 48));
  }
  a = f32x4.pmin(f32x4.pmin(a, b), f32x4.pmin(c, d));
  a = f32x4.pmin(a, i64x2.shuffle(a, a, 1, 0));
  let least = min(f32x4.extract_lane(a, 0), f32x4.extract_lane(a, 1));
  for (; pointer < last; pointer += 4) {
    const value = load<f32>(pointer);
    if (value < least) least = value;
  }
  return least;
}

/** The greatest value, NaN left out. */
export function highest(pointer: usize, count: i32): f32 {
  let a = f32x4.splat(-Infinity);
  let b = a;
  let c = a;
  let d = a;
  const end = pointer + (usize(count & ~15) << 2);
  const last = pointer + (usize(count) << 2);
  for (; pointer < end; pointer += 64) {
    a = f32x4.pmax(a, v128.load(pointer));
    b = f32x4.pmax(b, v128.load(pointer, 16));
    c = f32x4.pmax(c, v128.load(pointer, 32));
    d = f32x4.pmax(d, v128.load(pointer, 48));
  }
  a = f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d));
  a = f32x4.pmax(a, i64x2.shuffle(a, a, 1, 0));
  let greatest = max(f32x4.extract_lane(a, 0), f32x4.extract_lane(a, 1));
  for (; pointer < last; pointer += 4) {
    const value = load<f32>(pointer);
    if (value > greatest) greatest = value;
  }
  return greatest;
}

/** Each value widens the range of a group of its own. */
function rangesOfRow(pointer: usize, count: i32, low: usize, high: usize): void {
  const whole = count & ~3;
  let at = 0;
  for (; at < whole; at += 4) {
    const place = usize(at) << 2;
    const values = v128.load(pointer + place);
    // Below infinity are the finite values; others leave the range as it is.
    const finite = f32x4.lt(f32x4.abs(values), f32x4.splat(Infinity));
    const below = v128.bitselect(values, f32x4.splat(Infinity), finite);
    const above = v128.bitselect(values, f32x4.splat(-Infinity), finite);
    v128.store(low + place, f32x4.pmin(v128.load(low + place), below));
    v128.store(high + place, f32x4.pmax(v128.load(high + place), above));
  }
  for (; at < count; at++) {
    const place = usize(at) << 2;
    const value = load<f32>(pointer + place);
    if (value - value != 0) continue;
    if (value < load<f32>(low + place)) store<f32>(low + place, value);
    if (value > load<f32>(high + place)) store<f32>(high + place, value);
  }
}

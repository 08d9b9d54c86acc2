// float64 tensors: statistics in float64, and codes by way of float32 with errors in float64.
// Reference implementation: reference/plain-ranges.ts, plain-passes.ts and plain-encode.ts.

import { forEachRun } from './runs';
import { addFinite, addOne, PIECE } from './statistics';

/** Adds float64 values to the sums of statistics.ts. `tiny` is the least normal magnitude, `start` the first value's index. */
export function addDoubleSums(pointer: usize, count: i32, tiny: f64, start: f64): void {
  for (let at = 0; at < count; at += PIECE)
    addPiece(pointer + (usize(at) << 3), min(PIECE, count - at), tiny, start + f64(at));
}

function addPiece(pointer: usize, count: i32, tiny: f64, start: f64): void {
  const limit = f64x2.splat(tiny);
  const none = f64x2.splat(0);
  let vector = f64x2.splat(0);
  let small = i64x2.splat(0);
  let zeros = i64x2.splat(0);
  const whole = count & ~1;
  let at = 0;
  for (; at < whole; at += 2) {
    const values = v128.load(pointer + (usize(at) << 3));
    vector = f64x2.add(vector, values);
    // Masks are -1 where they hold.
    small = i64x2.sub(small, f64x2.lt(f64x2.abs(values), limit));
    zeros = i64x2.sub(zeros, f64x2.eq(values, none));
  }
  let sum = f64x2.extract_lane(vector, 0) + f64x2.extract_lane(vector, 1);
  let smallCount = i64x2.extract_lane(small, 0) + i64x2.extract_lane(small, 1);
  let zeroCount = i64x2.extract_lane(zeros, 0) + i64x2.extract_lane(zeros, 1);
  for (; at < count; at++) {
    const value = load<f64>(pointer + (usize(at) << 3));
    sum += value;
    smallCount += i64(abs(value) < tiny);
    zeroCount += i64(value == 0);
  }
  // Not finite: one of the values is not, or, far apart from any weights, the sum overflows.
  if (sum - sum == 0) addFinite(f64(count), sum, f64(zeroCount), f64(smallCount));
  else
    for (let each = 0; each < count; each++)
      addOne(load<f64>(pointer + (usize(each) << 3)), tiny, start + f64(each));
}

let minima: usize = 0;
let maxima: usize = 0;
let base: usize = 0;

/** Where the ranges of the groups are: float64 each, begun at +infinity and -infinity. */
export function setDoubleRanges(newMinima: usize, newMaxima: usize): void {
  minima = newMinima;
  maxima = newMaxima;
}

export function addDoubleRanges(pointer: usize, count: i32, start: f64): void {
  base = pointer;
  // Runs are counted in float32: the pointers that come back are twice as far along here.
  forEachRun(0, count, start, rangeOfRun);
}

function rangeOfRun(offset: usize, count: i32, group: i32, step: i32): void {
  const pointer = base + (offset << 1);
  const place = usize(group) << 3;
  if (step != 0) rangesOfRow(pointer, count, minima + place, maxima + place);
  else rangeOfGroup(pointer, count, minima + place, maxima + place);
}

/** Values that are not finite leave the bounds as they are. */
function rangeOfGroup(pointer: usize, count: i32, low: usize, high: usize): void {
  const endless = f64x2.splat(Infinity);
  let least = endless;
  let greatest = f64x2.splat(-Infinity);
  const whole = count & ~1;
  let at = 0;
  for (; at < whole; at += 2) {
    const values = v128.load(pointer + (usize(at) << 3));
    const finite = f64x2.lt(f64x2.abs(values), endless);
    least = f64x2.pmin(least, v128.bitselect(values, endless, finite));
    greatest = f64x2.pmax(greatest, v128.bitselect(values, f64x2.splat(-Infinity), finite));
  }
  widen(f64x2.extract_lane(least, 0), f64x2.extract_lane(greatest, 0), low, high);
  widen(f64x2.extract_lane(least, 1), f64x2.extract_lane(greatest, 1), low, high);
  if (at == count) return;
  const value = load<f64>(pointer + (usize(at) << 3));
  if (value - value == 0) widen(value, value, low, high);
}

function widen(least: f64, greatest: f64, low: usize, high: usize): void {
  if (least < load<f64>(low)) store<f64>(low, least);
  if (greatest > load<f64>(high)) store<f64>(high, greatest);
}

/** Each value widens the range of a group of its own. */
function rangesOfRow(pointer: usize, count: i32, low: usize, high: usize): void {
  for (let at = 0; at < count; at++) {
    const place = usize(at) << 3;
    const value = load<f64>(pointer + place);
    if (value - value == 0) widen(value, value, low + place, high + place);
  }
}

let cells: usize = 0;
let lo: f64 = 0;
let perUnit: f64 = 0;

/** As setBins of histogram.ts: bins of four uint32 each, and one bin more. */
export function setDoubleBins(pointer: usize, newLo: f64, newPerUnit: f64): void {
  cells = pointer;
  lo = newLo;
  perUnit = newPerUnit;
}

/** Counts finite values, all within the bins, and returns their squared deviations from the mean. */
export function addDoublesToHistogram(pointer: usize, count: i32, mean: f64): f64 {
  let squares: f64 = 0;
  for (let at = 0; at < count; at++) {
    const value = load<f64>(pointer + (usize(at) << 3));
    if (value - value != 0) continue;
    // The four counts of a bin in turn, so that no store waits for the one before it.
    const cell = cells + (usize((value - lo) * perUnit) << 4) + ((at & 3) << 2);
    store<u32>(cell, load<u32>(cell) + 1);
    squares += (value - mean) * (value - mean);
  }
  return squares;
}

/** Rounds float64 to the nearest float32, half to even. */
export function demote(from: usize, to: usize, count: i32): void {
  const whole = count & ~1;
  let at = 0;
  for (; at < whole; at += 2) {
    const singles = f32x4.demote_f64x2_zero(v128.load(from + (usize(at) << 3)));
    v128.store64_lane(to + (usize(at) << 2), singles, 0);
  }
  if (at < count) store<f32>(to + (usize(at) << 2), f32(load<f64>(from + (usize(at) << 3))));
}

/**
 * Rounds float64 to float32, to odd where inexact: a further rounding to a type of at most 22 bits
 * of precision then gives what rounding the float64 itself would (Boldo and Melquiond 2008).
 */
export function demoteToOdd(from: usize, to: usize, count: i32): void {
  for (let at = 0; at < count; at++) {
    const value = load<f64>(from + (usize(at) << 3));
    const single = f32(value);
    let bits = reinterpret<u32>(single);
    if (f64(single) != value && value == value && (bits & 1) == 0)
      bits = abs(f64(single)) > abs(value) ? bits - 1 : bits + 1;
    store<u32>(to + (usize(at) << 2), bits);
  }
}

/** Two doubles each of noise, of original times error, and of the largest error magnitude. */
const errors: usize = memory.data(48, 16);

export function doubleErrorSums(): usize {
  return errors;
}

export function resetDoubleErrorSums(): void {
  memory.fill(errors, 0, 48);
}

/** Adds the errors of float32 that stand for float64 values; originals that are not finite have none. */
export function addDoubleErrors(values: usize, restored: usize, count: i32): void {
  let noise = v128.load(errors);
  let cross = v128.load(errors, 16);
  let largest = v128.load(errors, 32);
  const whole = count & ~1;
  let at = 0;
  for (; at < count; at += 2) {
    const isPair = at < whole;
    const place = usize(at);
    const given = isPair
      ? v128.load(values + (place << 3))
      : v128.load64_zero(values + (place << 3));
    const back = isPair
      ? v128.load64_zero(restored + (place << 2))
      : v128.load32_zero(restored + (place << 2));
    const finite = f64x2.lt(f64x2.abs(given), f64x2.splat(Infinity));
    const original = v128.and(given, finite);
    const error = v128.and(f64x2.sub(f64x2.promote_low_f32x4(back), given), finite);
    noise = f64x2.add(noise, f64x2.mul(error, error));
    cross = f64x2.add(cross, f64x2.mul(error, original));
    largest = f64x2.pmax(largest, f64x2.abs(error));
  }
  v128.store(errors, noise);
  v128.store(errors, cross, 16);
  v128.store(errors, largest, 32);
}

// The squared error of many candidate scales at once.
// Reference implementation: addCandidateErrors of reference/plain-search.ts.

import { rounded } from './codes';
import { forEachRun } from './runs';

let candidates: i32 = 0;
let groups: i32 = 0;
let scales: usize = 0;
let zeroPoints: usize = 0;
let errors: usize = 0;
let rounding: i32 = 0;
let qmin: f32 = 0;
let qmax: f32 = 0;

/**
 * Cells are laid out by candidate, then by group: float32 scales and zero points, and float64
 * errors, to which each call of addErrors adds.
 */
export function setCandidates(
  newCandidates: i32,
  newGroups: i32,
  newScales: usize,
  newZeroPoints: usize,
  newErrors: usize,
  newRounding: i32,
  newQmin: f32,
  newQmax: f32,
): void {
  candidates = newCandidates;
  groups = newGroups;
  scales = newScales;
  zeroPoints = newZeroPoints;
  errors = newErrors;
  rounding = newRounding;
  qmin = newQmin;
  qmax = newQmax;
}

export function addErrors(pointer: usize, count: i32, start: f64): void {
  forEachRun(pointer, count, start, errorsOfRun);
}

function errorsOfRun(pointer: usize, count: i32, group: i32, step: i32): void {
  for (let candidate = 0; candidate < candidates; candidate++) {
    const cell = usize(candidate * groups + group);
    if (step == 0) addUniform(pointer, count, cell);
    else addStepped(pointer, count, cell);
  }
}

/** What the codes of four values stand for. */
function restored(values: v128, scale: v128, zero: v128, way: i32, low: v128, high: v128): v128 {
  const code = f32x4.add(rounded(values, scale, way), zero);
  return f32x4.mul(f32x4.sub(f32x4.pmin(f32x4.pmax(code, low), high), zero), scale);
}

/** The squared differences of two pairs of float32, exact in float64 even where one was clipped. */
function squaredDifferences(a: v128, b: v128): v128 {
  const difference = f64x2.sub(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(b));
  return f64x2.mul(difference, difference);
}

function upper(values: v128): v128 {
  return i64x2.shuffle(values, values, 1, 1);
}

function squaredError(value: f32, scale: f32, zero: f32): f64 {
  const units = rounded(f32x4.splat(value), f32x4.splat(scale), rounding);
  const exact = f32x4.extract_lane(units, 0) + zero;
  const error = f64((min(max(exact, qmin), qmax) - zero) * scale) - f64(value);
  return error * error;
}

function addUniform(pointer: usize, count: i32, cell: usize): void {
  const oneScale = load<f32>(scales + (cell << 2));
  const oneZero = load<f32>(zeroPoints + (cell << 2));
  const scale = f32x4.splat(oneScale);
  const zero = f32x4.splat(oneZero);
  const low = f32x4.splat(qmin);
  const high = f32x4.splat(qmax);
  const way = rounding;
  let sums = f64x2.splat(0);
  const end = pointer + (usize(count & ~3) << 2);
  const last = pointer + (usize(count) << 2);
  for (; pointer < end; pointer += 16) {
    const values = v128.load(pointer);
    const back = restored(values, scale, zero, way, low, high);
    const first = squaredDifferences(back, values);
    sums = f64x2.add(sums, f64x2.add(first, squaredDifferences(upper(back), upper(values))));
  }
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  for (; pointer < last; pointer += 4) sum += squaredError(load<f32>(pointer), oneScale, oneZero);
  store<f64>(errors + (cell << 3), load<f64>(errors + (cell << 3)) + sum);
}

/** Each value with candidates of its own: its cells lie beside those of its neighbours. */
function addStepped(pointer: usize, count: i32, cell: usize): void {
  const low = f32x4.splat(qmin);
  const high = f32x4.splat(qmax);
  const way = rounding;
  let at = 0;
  for (; at < (count & ~3); at += 4, cell += 4) {
    const values = v128.load(pointer + (usize(at) << 2));
    const scale = v128.load(scales + (cell << 2));
    const zero = v128.load(zeroPoints + (cell << 2));
    const back = restored(values, scale, zero, way, low, high);
    const place = errors + (cell << 3);
    const first = squaredDifferences(back, values);
    const second = squaredDifferences(upper(back), upper(values));
    v128.store(place, f64x2.add(v128.load(place), first));
    v128.store(place, f64x2.add(v128.load(place, 16), second), 16);
  }
  for (; at < count; at++, cell++) {
    const scale = load<f32>(scales + (cell << 2));
    const zero = load<f32>(zeroPoints + (cell << 2));
    const error = squaredError(load<f32>(pointer + (usize(at) << 2)), scale, zero);
    store<f64>(errors + (cell << 3), load<f64>(errors + (cell << 3)) + error);
  }
}

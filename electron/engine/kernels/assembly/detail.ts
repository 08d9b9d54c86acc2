// What the inspector shows besides the report.
// Reference implementation: inspectPlainly and countErrors of reference/plain-encode.ts, and
// signedHistograms of reference/plain-search.ts.

import { forEachRun } from './runs';

/** Counts bytes into 256 uint32. */
export function countBytes(pointer: usize, count: i32, table: usize): void {
  for (let at = 0; at < count; at++) {
    const place = table + (usize(load<u8>(pointer + at)) << 2);
    store<u32>(place, load<u32>(place) + 1);
  }
}

/** The largest finite difference between two runs of float32. */
export function largestDifference(values: usize, restored: usize, count: i32): f64 {
  let largest: f64 = 0;
  for (let at: usize = 0; at < usize(count) << 2; at += 4) {
    const error = abs(f64(load<f32>(restored + at)) - f64(load<f32>(values + at)));
    if (error > largest && error < Infinity) largest = error;
  }
  return largest;
}

/** Counts finite differences into `bins` + 1 uint32, as addToHistogram counts values. */
export function countDifferences(
  values: usize,
  restored: usize,
  count: i32,
  table: usize,
  lo: f64,
  perUnit: f64,
): void {
  for (let at: usize = 0; at < usize(count) << 2; at += 4) {
    const error = f64(load<f32>(restored + at)) - f64(load<f32>(values + at));
    if (error - error != 0) continue;
    const place = table + (usize((error - lo) * perUnit) << 2);
    store<u32>(place, load<u32>(place) + 1);
  }
}

let base: usize = 0;
let backs: usize = 0;
let signals: usize = 0;
let noises: usize = 0;

/** Adds to the signal and noise of each group, float64, the originals being finite where counted. */
export function addGroupErrors(
  values: usize,
  restored: usize,
  count: i32,
  start: f64,
  newSignals: usize,
  newNoises: usize,
): void {
  base = values;
  backs = restored;
  signals = newSignals;
  noises = newNoises;
  forEachRun(values, count, start, groupErrorsOfRun);
}

function groupErrorsOfRun(pointer: usize, count: i32, group: i32, step: i32): void {
  for (let at = 0; at < count; at++, group += step, pointer += 4) {
    const value = f64(load<f32>(pointer));
    if (value - value != 0) continue;
    const error = f64(load<f32>(pointer - base + backs)) - value;
    const place = usize(group) << 3;
    store<f64>(signals + place, load<f64>(signals + place) + value * value);
    store<f64>(noises + place, load<f64>(noises + place) + error * error);
  }
}

let limits: usize = 0;
let tables: usize = 0;
let bins: i32 = 0;

/** Counts finite values into `newBins` bins of [-limit, limit] of their group; limits are float64. */
export function addSigned(
  pointer: usize,
  count: i32,
  start: f64,
  newLimits: usize,
  newTables: usize,
  newBins: i32,
): void {
  limits = newLimits;
  tables = newTables;
  bins = newBins;
  forEachRun(pointer, count, start, signedOfRun);
}

function signedOfRun(pointer: usize, count: i32, group: i32, step: i32): void {
  for (let at = 0; at < count; at++, group += step) {
    const limit = load<f64>(limits + (usize(group) << 3));
    if (limit == 0) continue;
    const bin = (f64(load<f32>(pointer + (usize(at) << 2))) + limit) * (f64(bins / 2) / limit);
    const slot = usize(group) * usize(bins) + usize(min(i32(bin), bins - 1));
    store<u32>(tables + (slot << 2), load<u32>(tables + (slot << 2)) + 1);
  }
}

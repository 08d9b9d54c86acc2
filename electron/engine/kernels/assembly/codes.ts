// Integer codes of float32 values, and the sums of which all error measures are made, in one pass.
// Reference implementation: integerCoder of reference/coder.ts, and encodePlainly of reference/plain-encode.ts.

import { forEachRun } from './runs';
import { addErrorOf, addVectors, countClipped, larger, products, squares } from './sums';

export const EVEN: i32 = 0;
export const ZERO: i32 = 1;

let scales: usize = 0;
let zeroPoints: usize = 0;
let rounding: i32 = EVEN;
let qmin: f32 = 0;
let qmax: f32 = 0;

/** A byte for each code, from `lowest` on, set when it is used; 0 for no flags. */
let flags: usize = 0;
let lowest: i32 = 0;
let levels: i32 = 0;

/** Codes in [from, to] are within bounds and flagged already: nothing but the sums is left to do. */
let from: f32 = 1;
let to: f32 = 0;

/** Whether a flag was set since the interval was last widened, and how many values go by before it is. */
let isNew: bool = false;
let piece: i32 = 0;

/** The first pieces are short, as little is flagged yet; longer ones follow. */
const FIRST_PIECE: i32 = 256;
const LAST_PIECE: i32 = 32768;

/** Where codes go, `width` bytes each, and what they stand for, as float32; 0 for nowhere. */
let codes: usize = 0;
let width: usize = 0;
let restored: usize = 0;
let base: usize = 0;
let hasOutput: bool = false;

/** `scalePointer` and `zeroPointer` hold a float32 for each group. */
export function setCodes(
  scalePointer: usize,
  zeroPointer: usize,
  newRounding: i32,
  newQmin: f32,
  newQmax: f32,
): void {
  scales = scalePointer;
  zeroPoints = zeroPointer;
  rounding = newRounding;
  qmin = newQmin;
  qmax = newQmax;
  flags = 0;
  from = newQmin;
  to = newQmax;
}

/** Asks for a flag per code of a type with `count` codes from `least` on. */
export function setFlags(pointer: usize, least: i32, count: i32): void {
  flags = pointer;
  lowest = least;
  levels = count;
  memory.fill(pointer, 0, usize(count));
  from = 1;
  to = 0;
  isNew = false;
  piece = FIRST_PIECE;
}

export function setOutput(codePointer: usize, codeWidth: i32, restoredPointer: usize): void {
  codes = codePointer;
  width = codePointer == 0 ? 0 : usize(codeWidth);
  restored = restoredPointer;
  hasOutput = codePointer != 0 || restoredPointer != 0;
}

/** Encodes float32 at `pointer`, the first being element `start`; outputs begin at their pointers. */
export function encode(pointer: usize, count: i32, start: f64): void {
  base = pointer;
  for (let done = 0; done < count;) {
    const some = flags == 0 ? count : min(piece, count - done);
    forEachRun(pointer + (usize(done) << 2), some, start + f64(done), encodeRun);
    if (flags != 0) widenInterval();
    done += some;
  }
}

function encodeRun(pointer: usize, count: i32, group: i32, step: i32): void {
  const place = usize(group) << 2;
  if (step == 0) encodeUniform(pointer, count, place);
  else encodeStepped(pointer, count, place);
}

/** Codes less their zero points, as `rounding` says, before any clipping. */
export function rounded(values: v128, scale: v128, rounding: i32): v128 {
  const units = f32x4.div(values, scale);
  return rounding == EVEN ? f32x4.nearest(units) : f32x4.trunc(units);
}

function isOutside(codes: v128, low: v128, high: v128): v128 {
  return v128.or(f32x4.lt(codes, low), f32x4.gt(codes, high));
}

/** All values with one scale and one zero point, eight at a time. */
function encodeUniform(pointer: usize, count: i32, place: usize): void {
  const oneScale = load<f32>(scales + place);
  const oneZero = load<f32>(zeroPoints + place);
  const scale = f32x4.splat(oneScale);
  const zero = f32x4.splat(oneZero);
  const low = f32x4.splat(from - oneZero);
  const high = f32x4.splat(to - oneZero);
  let noise = f64x2.splat(0);
  let cross = f64x2.splat(0);
  let largest = f32x4.splat(0);
  const way = rounding;
  const isStored = hasOutput;
  const end = pointer + (usize(count & ~7) << 2);
  const last = pointer + (usize(count) << 2);
  for (; pointer < end; pointer += 32) {
    const a = v128.load(pointer);
    const b = v128.load(pointer, 16);
    const aUnits = rounded(a, scale, way);
    const bUnits = rounded(b, scale, way);
    if (v128.any_true(v128.or(isOutside(aUnits, low, high), isOutside(bUnits, low, high)))) {
      for (let lane: usize = 0; lane < 32; lane += 4) encodeOne(pointer + lane, oneScale, oneZero);
      continue;
    }
    const aBack = f32x4.mul(aUnits, scale);
    const bBack = f32x4.mul(bUnits, scale);
    // Exact, as a value lies within half a step of what an unclipped code stands for (Sterbenz).
    const aError = f32x4.sub(aBack, a);
    const bError = f32x4.sub(bBack, b);
    noise = f64x2.add(noise, f64x2.add(squares(aError), squares(bError)));
    cross = f64x2.add(cross, f64x2.add(products(aError, a), products(bError, b)));
    largest = larger(largest, larger(f32x4.abs(aError), f32x4.abs(bError)));
    if (isStored) {
      output(pointer - base, f32x4.add(aUnits, zero), aBack);
      output(pointer - base + 16, f32x4.add(bUnits, zero), bBack);
    }
  }
  addVectors(noise, cross, largest);
  for (; pointer < last; pointer += 4) encodeOne(pointer, oneScale, oneZero);
}

/** Each value with a scale and a zero point of its own. */
function encodeStepped(pointer: usize, count: i32, place: usize): void {
  const low = f32x4.splat(from);
  const high = f32x4.splat(to);
  let noise = f64x2.splat(0);
  let cross = f64x2.splat(0);
  let largest = f32x4.splat(0);
  const way = rounding;
  const isStored = hasOutput;
  const end = pointer + (usize(count & ~3) << 2);
  const last = pointer + (usize(count) << 2);
  for (; pointer < end; pointer += 16, place += 16) {
    const values = v128.load(pointer);
    const scale = v128.load(scales + place);
    const zero = v128.load(zeroPoints + place);
    const units = rounded(values, scale, way);
    const code = f32x4.add(units, zero);
    if (v128.any_true(isOutside(code, low, high))) {
      for (let lane: usize = 0; lane < 16; lane += 4) encodeOwn(pointer + lane, place + lane);
      continue;
    }
    const back = f32x4.mul(units, scale);
    const error = f32x4.sub(back, values);
    noise = f64x2.add(noise, squares(error));
    cross = f64x2.add(cross, products(error, values));
    largest = larger(largest, f32x4.abs(error));
    if (isStored) output(pointer - base, code, back);
  }
  addVectors(noise, cross, largest);
  for (; pointer < last; pointer += 4, place += 4) encodeOwn(pointer, place);
}

function encodeOwn(pointer: usize, place: usize): void {
  encodeOne(pointer, load<f32>(scales + place), load<f32>(zeroPoints + place));
}

/** One value: clipped, flagged, and with its error in float64, as a clipped value's may be large. */
function encodeOne(pointer: usize, scale: f32, zero: f32): void {
  const value = load<f32>(pointer);
  const exact = roundedOne(value, scale, zero);
  const code = min(max(exact, qmin), qmax);
  const back = (code - zero) * scale;
  addErrorOf(value, back);
  if (code != exact) countClipped();
  // Saturating: 2^31 - 1 has no float32 of its own and comes as 2^31.
  const whole = i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(f32x4.splat(code)), 0);
  if (flags != 0) {
    const flag = flags + usize(whole - lowest);
    if (load<u8>(flag) == 0) {
      store<u8>(flag, 1);
      isNew = true;
    }
  }
  if (!hasOutput) return;
  const at = (pointer - base) >> 2;
  if (width == 1) store<u8>(codes + at, u8(whole));
  else if (width == 2) store<u16>(codes + (at << 1), u16(whole));
  else if (width == 4) store<i32>(codes + (at << 2), whole);
  // Adding 0 makes of -0 the 0 that an integer stands for, as output does.
  if (restored != 0) store<f32>(restored + (at << 2), back + 0);
}

function roundedOne(value: f32, scale: f32, zero: f32): f32 {
  const units = value / scale;
  return (rounding == EVEN ? nearest(units) : trunc(units)) + zero;
}

/** Stores four codes and what they stand for. */
function output(offset: usize, code: v128, back: v128): void {
  const whole = i32x4.trunc_sat_f32x4_s(code);
  if (width == 1) {
    const bytes = i8x16.shuffle(whole, whole, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
    v128.store32_lane(codes + (offset >> 2), bytes, 0);
  } else if (width == 2) {
    const words = i16x8.shuffle(whole, whole, 0, 2, 4, 6, 0, 2, 4, 6);
    v128.store64_lane(codes + (offset >> 1), words, 0);
  } else if (width == 4) v128.store(codes + offset, whole);
  // Adding 0 makes of -0 the 0 that an integer stands for.
  if (restored != 0) v128.store(restored + offset, f32x4.add(back, f32x4.splat(0)));
}

function isFlagged(code: i32): bool {
  return code >= lowest && code < lowest + levels && load<u8>(flags + usize(code - lowest)) != 0;
}

/** Makes the interval of flagged codes as long as it can be, so that few values need a flag set. */
function widenInterval(): void {
  const grown = piece < LAST_PIECE;
  if (grown) piece <<= 1;
  if (!isNew) return;
  isNew = false;
  // A search of 65,536 flags pays only while the pieces still grow.
  if (levels <= 256 || grown) findLongest();
  while (isFlagged(i32(from) - 1)) from -= 1;
  while (isFlagged(i32(to) + 1)) to += 1;
}

function findLongest(): void {
  let start = 0;
  let best = 0;
  for (let at = 0; at <= levels; at++) {
    if (at < levels && load<u8>(flags + usize(at)) != 0) continue;
    if (at - start > best) {
      best = at - start;
      from = f32(lowest + start);
      to = f32(lowest + at - 1);
    }
    start = at + 1;
  }
}

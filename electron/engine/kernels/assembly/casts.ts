// Bit patterns of the small float types, and the sums of which all error measures are made.
// Reference implementation: castCoder of reference/coder.ts.

import { addErrorOf, addVectors, countClipped, larger, products, squares } from './sums';

let fractionBits: i32 = 0;
let signShift: i32 = 0;
/** A float32's exponent less this, in its place, is the exponent of the small type. */
let rebias: i32 = 0;
/** Magnitudes below this are subnormal in the small type. */
let leastNormal: f32 = 0;
/** The float32 whose last place is worth what a step of the small type's subnormals is. */
let rounder: f32 = 0;
/** The largest finite magnitude; what greater ones become, as a number and as a pattern; NaN. */
let largest: f32 = 0;
let overflow: f32 = 0;
let overflowPattern: i32 = 0;
let nan: i32 = 0;

let flags: usize = 0;
let codes: usize = 0;
let isWide: bool = false;
let restored: usize = 0;

/**
 * Says which type to cast to: 1 + exponentBits + fractionBits is 8 or 16. `flagPointer` holds a
 * byte for each pattern, or is 0; codes and restored values go to their pointers, or nowhere for 0.
 */
export function setCast(
  exponentBits: i32,
  newFractionBits: i32,
  newLargest: f32,
  newOverflow: f32,
  newOverflowPattern: i32,
  newNan: i32,
  flagPointer: usize,
): void {
  const bias = (1 << (exponentBits - 1)) - 1;
  fractionBits = newFractionBits;
  signShift = 31 - exponentBits - newFractionBits;
  rebias = (127 - bias) << newFractionBits;
  leastNormal = reinterpret<f32>((128 - bias) << 23);
  rounder = leastNormal * f32(1 << (23 - newFractionBits));
  largest = newLargest;
  overflow = newOverflow;
  overflowPattern = newOverflowPattern;
  nan = newNan;
  isWide = exponentBits + newFractionBits > 7;
  flags = flagPointer;
  if (flagPointer != 0) memory.fill(flagPointer, 0, isWide ? 65536 : 256);
}

export function setCastOutput(codePointer: usize, restoredPointer: usize): void {
  codes = codePointer;
  restored = restoredPointer;
}

/** Casts float32 at `pointer`; outputs begin at their pointers. */
export function cast(pointer: usize, count: i32): void {
  let noise = f64x2.splat(0);
  let cross = f64x2.splat(0);
  let greatest = f32x4.splat(0);
  const whole = count & ~3;
  for (let at = 0; at < whole; at += 4) {
    const values = v128.load(pointer + (usize(at) << 2));
    const back = castFour(values, at, 4);
    if (!i32x4.all_true(f32x4.le(f32x4.abs(values), f32x4.splat(largest)))) {
      for (let lane = 0; lane < 4; lane++) addLane(pointer + (usize(at + lane) << 2), lane);
      continue;
    }
    // Exact, as rounding moves a value by less than half of itself, or to zero (Sterbenz).
    const error = f32x4.sub(back, values);
    noise = f64x2.add(noise, squares(error));
    cross = f64x2.add(cross, products(error, values));
    greatest = larger(greatest, f32x4.abs(error));
  }
  addVectors(noise, cross, greatest);
  for (let at = whole; at < count; at++) {
    const place = pointer + (usize(at) << 2);
    castFour(f32x4.splat(load<f32>(place)), at, 1);
    addLane(place, 0);
  }
}

/** Casts float32 at `pointer` and measures nothing; the patterns begin where the values did. */
export function castInPlace(pointer: usize, count: i32): void {
  setCastOutput(pointer, 0);
  const whole = count & ~3;
  for (let at = 0; at < whole; at += 4) castFour(v128.load(pointer + (usize(at) << 2)), at, 4);
  for (let at = whole; at < count; at++)
    castFour(f32x4.splat(load<f32>(pointer + (usize(at) << 2))), at, 1);
}

/** What the last four values were cast to. */
const lastBack: usize = memory.data(16, 16);

/** Casts four values, stores the first `stored` of them, and returns the numbers that they became. */
function castFour(values: v128, at: i32, stored: i32): v128 {
  const magnitude = f32x4.abs(values);
  const shift = 23 - fractionBits;
  const odd = v128.and(i32x4.shr_u(magnitude, shift), i32x4.splat(1));
  const raised = i32x4.add(i32x4.add(magnitude, i32x4.splat((1 << (shift - 1)) - 1)), odd);
  const normal = v128.and(raised, i32x4.splat(-(1 << shift)));
  const steps = f32x4.splat(rounder);
  const inSteps = f32x4.add(magnitude, steps);
  const isSmall = f32x4.lt(magnitude, f32x4.splat(leastNormal));
  const rounded = v128.bitselect(f32x4.sub(inSteps, steps), normal, isSmall);
  const isOver = f32x4.gt(rounded, f32x4.splat(largest));
  const isNan = f32x4.ne(values, values);
  const sign = v128.and(values, i32x4.splat(0x80000000));
  const bounded = v128.bitselect(f32x4.splat(overflow), rounded, isOver);
  const back = v128.bitselect(values, v128.or(bounded, sign), isNan);
  const pattern = v128.bitselect(
    i32x4.sub(inSteps, steps),
    i32x4.sub(i32x4.shr_u(normal, shift), i32x4.splat(rebias)),
    isSmall,
  );
  const finite = v128.or(
    v128.bitselect(i32x4.splat(overflowPattern), pattern, isOver),
    i32x4.shr_u(sign, signShift),
  );
  v128.store(lastBack, back);
  keep(v128.bitselect(i32x4.splat(nan), finite, isNan), back, at, stored);
  return back;
}

function flag(patterns: v128, stored: i32): void {
  store<u8>(flags + i32x4.extract_lane(patterns, 0), 1);
  if (stored == 1) return;
  store<u8>(flags + i32x4.extract_lane(patterns, 1), 1);
  store<u8>(flags + i32x4.extract_lane(patterns, 2), 1);
  store<u8>(flags + i32x4.extract_lane(patterns, 3), 1);
}

function keep(patterns: v128, back: v128, at: i32, stored: i32): void {
  if (flags != 0) flag(patterns, stored);
  if (stored == 1) {
    if (codes != 0 && isWide)
      store<u16>(codes + (usize(at) << 1), u16(i32x4.extract_lane(patterns, 0)));
    else if (codes != 0) store<u8>(codes + at, u8(i32x4.extract_lane(patterns, 0)));
    if (restored != 0) store<f32>(restored + (usize(at) << 2), f32x4.extract_lane(back, 0));
    return;
  }
  if (codes != 0 && isWide) {
    const words = i16x8.shuffle(patterns, patterns, 0, 2, 4, 6, 0, 2, 4, 6);
    v128.store64_lane(codes + (usize(at) << 1), words, 0);
  } else if (codes != 0) {
    const bytes = i8x16.shuffle(
      patterns,
      patterns,
      0,
      4,
      8,
      12,
      0,
      4,
      8,
      12,
      0,
      4,
      8,
      12,
      0,
      4,
      8,
      12,
    );
    v128.store32_lane(codes + at, bytes, 0);
  }
  if (restored != 0) v128.store(restored + (usize(at) << 2), back);
}

/** Adds the error of one of the last four: none if it was not finite, and counted if it overflowed. */
function addLane(place: usize, lane: i32): void {
  const value = load<f32>(place);
  if (value - value != 0) return;
  const back = load<f32>(lastBack + (usize(lane) << 2));
  addErrorOf(value, back);
  if (overflows(abs(value))) countClipped();
}

function overflows(magnitude: f32): bool {
  // Half a step beyond the largest is where rounding, half to even, leaves the finite numbers.
  const step = largest - reinterpret<f32>(reinterpret<u32>(largest) - (1 << (23 - fractionBits)));
  const limit = f64(largest) + f64(step) / 2;
  const isOdd = ((reinterpret<u32>(largest) >> (23 - fractionBits)) & 1) != 0;
  return isOdd ? f64(magnitude) >= limit : f64(magnitude) > limit;
}

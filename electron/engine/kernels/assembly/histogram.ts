// The second pass: counts over equal bins, and squared deviations from the mean.
// Reference implementation: secondPass of reference/plain-passes.ts.

/**
 * Bins of four uint32 each, and one bin more: neighbouring values often fall into one bin, and
 * separate counts need not wait for each other's stores. The one more is for values at the upper
 * bound, which the reader of the counts adds to the last bin.
 */
let cells: usize = 0;
let lo: f64 = 0;
let perUnit: f64 = 0;

/** `pointer`, a multiple of 16, has room for 16 bytes a bin and 16 more. */
export function setBins(pointer: usize, newLo: f64, newPerUnit: f64): void {
  cells = pointer;
  lo = newLo;
  perUnit = newPerUnit;
}

/**
 * The last place of a double from 2^48 on is worth 1/16: added to a whole number, the low 32 bits
 * of the sum are 16 times that number, which is where its cell is.
 */
export const SHIFTER: f64 = 281474976710656.0;

/** Counts four values, each in its own uint32 of the cell whose address is in the low bits of its double. */
export function countFour(low: v128, high: v128): void {
  const first = i32x4.extract_lane(low, 0);
  const second = i32x4.extract_lane(low, 2);
  const third = i32x4.extract_lane(high, 0);
  const fourth = i32x4.extract_lane(high, 2);
  store<u32>(first, load<u32>(first) + 1);
  store<u32>(second, load<u32>(second, 4) + 1, 4);
  store<u32>(third, load<u32>(third, 8) + 1, 8);
  store<u32>(fourth, load<u32>(fourth, 12) + 1, 12);
}

/**
 * Counts values, all finite and within the bins, and returns their squared deviations from the
 * mean. The bin is found in float64: in float32 the difference from `lo` would round.
 */
export function addToHistogram(pointer: usize, length: i32, mean: f64): f64 {
  const whole = length & ~3;
  const origin = f64x2.splat(lo);
  const factor = f64x2.splat(perUnit);
  const shifter = f64x2.splat(SHIFTER + f64(cells / 16));
  const middle = f64x2.splat(mean);
  let squares = f64x2.splat(0);
  let others = f64x2.splat(0);
  let at = 0;
  for (; at < whole; at += 4) {
    const values = v128.load(pointer + (usize(at) << 2));
    const low = f64x2.promote_low_f32x4(values);
    const high = f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1));
    const lowCells = f64x2.add(f64x2.floor(f64x2.mul(f64x2.sub(low, origin), factor)), shifter);
    const highCells = f64x2.add(f64x2.floor(f64x2.mul(f64x2.sub(high, origin), factor)), shifter);
    const a = f64x2.sub(low, middle);
    const b = f64x2.sub(high, middle);
    squares = f64x2.add(squares, f64x2.mul(a, a));
    others = f64x2.add(others, f64x2.mul(b, b));
    countFour(lowCells, highCells);
  }
  const both = f64x2.add(squares, others);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (; at < length; at++) sum += addOne(f64(load<f32>(pointer + (usize(at) << 2))), mean);
  return sum;
}

function addOne(value: f64, mean: f64): f64 {
  const cell = cells + (usize((value - lo) * perUnit) << 4);
  store<u32>(cell, load<u32>(cell) + 1);
  return (value - mean) * (value - mean);
}

/** The same for values some of which are not finite, and are left out. */
export function addFiniteToHistogram(pointer: usize, length: i32, mean: f64): f64 {
  let sum: f64 = 0;
  for (let at = 0; at < length; at++) {
    const value = load<f32>(pointer + (usize(at) << 2));
    if (value - value == 0) sum += addOne(f64(value), mean);
  }
  return sum;
}

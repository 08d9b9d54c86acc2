// The second pass: counts over equal bins, and squared deviations from the mean.
// Twin: quantize/histogram.ts, and secondPass of quantize/statistics.ts.

/**
 * Four tables of bins + 1 uint32 each: neighbouring values often fall into one bin, and separate
 * tables need not wait for each other's stores. The one more is for values at the upper bound,
 * which the reader of the tables adds to the last bin.
 */
let tables: usize = 0;
let stride: usize = 0;
let lo: f64 = 0;
let perUnit: f64 = 0;

export function setBins(pointer: usize, bins: i32, newLo: f64, newPerUnit: f64): void {
  tables = pointer;
  stride = usize(bins + 1) << 2;
  lo = newLo;
  perUnit = newPerUnit;
}

/** A whole number of this size or less, added to 2^50, has itself times 4 in the low 32 bits. */
const SHIFTER: f64 = 1125899906842624.0;

function count(place: usize): void {
  store<u32>(place, load<u32>(place) + 1);
}

/**
 * Counts values, all finite and within the bins, and returns their squared deviations from the
 * mean. The bin is found in float64: in float32 the difference from `lo` would round.
 */
export function addToHistogram(pointer: usize, length: i32, mean: f64): f64 {
  const whole = length & ~3;
  const origin = f64x2.splat(lo);
  const factor = f64x2.splat(perUnit);
  const shifter = f64x2.splat(SHIFTER);
  const middle = f64x2.splat(mean);
  const first = tables;
  const second = first + stride;
  const third = second + stride;
  const fourth = third + stride;
  let squares = f64x2.splat(0);
  let others = f64x2.splat(0);
  let at = 0;
  for (; at < whole; at += 4) {
    const values = v128.load(pointer + (usize(at) << 2));
    const low = f64x2.promote_low_f32x4(values);
    const high = f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1));
    const lowBins = f64x2.add(f64x2.floor(f64x2.mul(f64x2.sub(low, origin), factor)), shifter);
    const highBins = f64x2.add(f64x2.floor(f64x2.mul(f64x2.sub(high, origin), factor)), shifter);
    const a = f64x2.sub(low, middle);
    const b = f64x2.sub(high, middle);
    squares = f64x2.add(squares, f64x2.mul(a, a));
    others = f64x2.add(others, f64x2.mul(b, b));
    count(first + i32x4.extract_lane(lowBins, 0));
    count(second + i32x4.extract_lane(lowBins, 2));
    count(third + i32x4.extract_lane(highBins, 0));
    count(fourth + i32x4.extract_lane(highBins, 2));
  }
  const both = f64x2.add(squares, others);
  let sum = f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
  for (; at < length; at++) sum += addOne(f64(load<f32>(pointer + (usize(at) << 2))), mean);
  return sum;
}

function addOne(value: f64, mean: f64): f64 {
  count(tables + (usize((value - lo) * perUnit) << 2));
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

// The sums of which all error measures are made.
// Reference implementation: addErrors of reference/plain-encode.ts.

/**
 * Two doubles each of noise and of original times error; four float32 of the largest error
 * magnitudes; then, as doubles, the largest of errors added one by one, and the clipped count.
 */
const sums: usize = memory.data(64, 16);

export function errorSums(): usize {
  return sums;
}

export function resetErrorSums(): void {
  memory.fill(sums, 0, 64);
}

function add(offset: usize, amount: f64): void {
  store<f64>(sums + offset, load<f64>(sums + offset) + amount);
}

export function countClipped(): void {
  add(56, 1);
}

/** Adds one value's error in float64, as that of a clipped value may be large. */
export function addErrorOf(value: f32, back: f32): void {
  const error = f64(back) - f64(value);
  add(0, error * error);
  add(16, error * f64(value));
  if (abs(error) > load<f64>(sums, 48)) store<f64>(sums, abs(error), 48);
}

/** Adds what a loop has summed up in vectors. */
export function addVectors(noise: v128, cross: v128, largest: v128): void {
  v128.store(sums, f64x2.add(v128.load(sums), noise));
  v128.store(sums, f64x2.add(v128.load(sums, 16), cross), 16);
  v128.store(sums, larger(v128.load(sums, 32), largest), 32);
}

/**
 * The larger of magnitudes. Those of floats, none of them NaN, are ordered as their bits are, and
 * integer units of the processor are idle here.
 */
export function larger(a: v128, b: v128): v128 {
  return i32x4.max_u(a, b);
}

/** The sum of the squares of four float32, in two doubles. */
export function squares(values: v128): v128 {
  const low = f64x2.promote_low_f32x4(values);
  const high = f64x2.promote_low_f32x4(i64x2.shuffle(values, values, 1, 1));
  return f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high));
}

/** The sum of the products of four pairs of float32, in two doubles. */
export function products(a: v128, b: v128): v128 {
  return f64x2.add(
    f64x2.mul(f64x2.promote_low_f32x4(a), f64x2.promote_low_f32x4(b)),
    f64x2.mul(
      f64x2.promote_low_f32x4(i64x2.shuffle(a, a, 1, 1)),
      f64x2.promote_low_f32x4(i64x2.shuffle(b, b, 1, 1)),
    ),
  );
}

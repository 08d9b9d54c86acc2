// 16-bit floats to float32, exactly.
// Reference implementation: decodeValues of quantize/chunks.ts.

/** bfloat16 is the upper half of a float32. */
export function decodeBfloat16(from: usize, to: usize, count: i32): void {
  const whole = count & ~7;
  let at = 0;
  for (; at < whole; at += 8) {
    const words = v128.load(from + (usize(at) << 1));
    const low = i32x4.shl(i32x4.extend_low_i16x8_u(words), 16);
    const high = i32x4.shl(i32x4.extend_high_i16x8_u(words), 16);
    v128.store(to + (usize(at) << 2), low);
    v128.store(to + (usize(at) << 2), high, 16);
  }
  for (; at < count; at++)
    store<u32>(to + (usize(at) << 2), u32(load<u16>(from + (usize(at) << 1))) << 16);
}

/**
 * The exponent and fraction go to their places in a float32 whose bias is 112 too great; a product
 * with 2^112 sets that right, for subnormals too. Infinities and NaN get an exponent of all ones.
 */
function widen(words: v128): v128 {
  const magnitude = v128.and(words, i32x4.splat(0x7fff));
  const sign = i32x4.shl(v128.and(words, i32x4.splat(0x8000)), 16);
  const scaled = f32x4.mul(
    i32x4.shl(magnitude, 13),
    f32x4.splat(5192296858534827628530496329220096.0),
  );
  const special = i32x4.gt_u(magnitude, i32x4.splat(0x7bff));
  const ones = v128.and(special, i32x4.splat(0x7f800000));
  return v128.or(v128.or(scaled, ones), sign);
}

export function decodeFloat16(from: usize, to: usize, count: i32): void {
  const whole = count & ~7;
  let at = 0;
  for (; at < whole; at += 8) {
    const words = v128.load(from + (usize(at) << 1));
    v128.store(to + (usize(at) << 2), widen(i32x4.extend_low_i16x8_u(words)));
    v128.store(to + (usize(at) << 2), widen(i32x4.extend_high_i16x8_u(words)), 16);
  }
  for (; at < count; at++) {
    const word = i32x4.splat(i32(load<u16>(from + (usize(at) << 1))));
    f32.store(to + (usize(at) << 2), f32x4.extract_lane(widen(word), 0));
  }
}

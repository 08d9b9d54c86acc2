// 4-bit codes, two to a byte.
// Reference implementation: packerOf of quantize/packing.ts.

/** Packs the low nibbles of bytes, the first low; an odd last one leaves a high nibble of 0. */
export function packNibbles(from: usize, to: usize, count: i32): void {
  const pairs = count >> 1;
  for (let at = 0; at < pairs; at++) {
    const pair = load<u16>(from + (usize(at) << 1));
    store<u8>(to + at, u8((pair & 15) | ((pair >> 4) & 0xf0)));
  }
  if ((count & 1) != 0) store<u8>(to + pairs, load<u8>(from + (usize(pairs) << 1)) & 15);
}

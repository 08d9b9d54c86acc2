const ROUNDER = 1.5 * 2 ** 52;

/**
 * The nearest integer, half to even, as ONNX QuantizeLinear, numpy.rint and WASM's nearest do.
 * Exact for magnitudes up to 2^51; beyond that every float32 is an integer far outside all codes.
 */
export function roundHalfEven(value: number): number {
  return Math.abs(value) < 2 ** 51 ? value + ROUNDER - ROUNDER : value;
}

/** The nearest integer of a float32, half away from zero, as C's roundf. */
export function roundHalfAway(value: number): number {
  return value < 0 ? -Math.floor(0.5 - value) : Math.floor(value + 0.5);
}

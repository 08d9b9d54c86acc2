const ROUNDER = 1.5 * 2 ** 52;

/**
 * The nearest integer, half to even, as ONNX QuantizeLinear, numpy.rint and WASM's nearest do.
 * Exact for magnitudes up to 2^51; beyond that every float32 is an integer far outside all codes.
 */
export function roundHalfEven(value: number): number {
  return Math.abs(value) < 2 ** 51 ? value + ROUNDER - ROUNDER : value;
}

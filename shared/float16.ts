import { decodeSmallFloat, encodeSmallFloat, FLOAT16 } from './small-float.ts';

/** The float16 bit pattern of a number (IEEE 754 binary16): rounded once, half to even. */
export function float16Bits(value: number): number {
  return encodeSmallFloat(value, FLOAT16);
}

let table: Float32Array | undefined;

/** The float32 value of each of the 65,536 float16 bit patterns. Exact; NaN stays NaN. */
export function float16Table(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => decodeSmallFloat(bits, FLOAT16));
  return table;
}

/** The number that a float16 bit pattern stands for; exact. */
export function float16Value(bits: number): number {
  return float16Table()[bits & 0xffff]!;
}

import { BFLOAT16, encodeSmallFloat } from './small-float.ts';

/** The bfloat16 bit pattern of a number: rounded once, half to even. */
export function bfloat16Bits(value: number): number {
  return encodeSmallFloat(value, BFLOAT16);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The number that a bfloat16 bit pattern stands for: the upper half of a float32; exact. */
export function bfloat16Value(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

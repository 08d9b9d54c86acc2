import type { Values } from './chunks.ts';
import { bfloat16Bits, bfloat16Value } from './bfloat16.ts';
import { float16Bits, float16Value } from './float16.ts';
import type { CodeRange } from './affine.ts';
import { forEachRun, type Grouping } from './layout.ts';
import { roundHalfEven } from './rounding.ts';

/** Turns values into codes and back, a chunk at a time. */
export interface Coder {
  /** Bits of a stored code. */
  readonly bits: number;
  /** The least code; codes lie in [lowest, lowest + 2^bits). */
  readonly lowest: number;
  /**
   * Writes the code of each value of the chunk and the number that the code stands for.
   * @param start flat index of the chunk's first value
   * @returns how many values lie outside what the codes can represent
   */
  encode(values: Values, start: number, codes: Int32Array, restored: Float64Array): number;
}

/** Scales and zero points, one per group. */
export interface Parameters {
  readonly scale: Float64Array;
  readonly zeroPoint: Int32Array;
}

/**
 * Affine codes: clip(round(float32(x) / scale) + zeroPoint), a float32 division and half to even
 * (ONNX QuantizeLinear, onnxruntime's quantize_nparray); restored as float32((q - zp) * scale).
 * A value is clipped when its nearest code lies outside the range.
 */
export function affineCoder(
  grouping: Grouping,
  { scale, zeroPoint }: Parameters,
  range: CodeRange,
  bits: number,
): Coder {
  const { qmin, qmax } = range;
  return {
    bits,
    lowest: qmin < 0 ? -(2 ** (bits - 1)) : 0,
    encode(values, start, codes, restored) {
      let clipped = 0;
      forEachRun(grouping, start, values.length, (from, to, first, step) => {
        for (let index = from, group = first; index < to; index++, group += step) {
          const unit = scale[group]!;
          const zero = zeroPoint[group]!;
          const exact = roundHalfEven(Math.fround(Math.fround(values[index]!) / unit)) + zero;
          const code = exact < qmin ? qmin : exact > qmax ? qmax : exact;
          if (code !== exact) clipped++;
          codes[index] = code;
          restored[index] = Math.fround((code - zero) * unit);
        }
      });
      return clipped;
    },
  };
}

interface Cast {
  readonly encode: (value: number) => number;
  readonly decode: (bits: number) => number;
}

const CASTS: Readonly<Record<'float16' | 'bfloat16', Cast>> = {
  float16: { encode: float16Bits, decode: float16Value },
  bfloat16: { encode: bfloat16Bits, decode: bfloat16Value },
};

/** Bit patterns of a float type; a value is clipped when it is finite and becomes infinite. */
export function castCoder(dtype: 'float16' | 'bfloat16'): Coder {
  const { encode, decode } = CASTS[dtype];
  return {
    bits: 16,
    lowest: 0,
    encode(values, _start, codes, restored) {
      let clipped = 0;
      for (let index = 0; index < values.length; index++) {
        const value = values[index]!;
        const code = encode(value);
        const back = decode(code);
        if (Math.abs(back) === Infinity && Math.abs(value) !== Infinity) clipped++;
        codes[index] = code;
        restored[index] = back;
      }
      return clipped;
    },
  };
}

import { CASTS } from '../../quantize/casts.ts';
import type { Values } from '../../quantize/values.ts';
import type { IntegerFormat } from '../../quantize/integer-format.ts';
import { forEachRun, type Grouping } from '../../quantize/layout.ts';
import type { ChosenCodes, Parameters } from '../../quantize/passes.ts';
import { restoredValue, unclippedCode } from '../../../../shared/affine.ts';
import type { FloatCast } from '../../../../shared/scheme.ts';
import { encodeSmallFloat, overflows } from '../../../../shared/small-float.ts';

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

/**
 * Integer codes: clip(round(float32(x) / scale) + zeroPoint) in the format's way of rounding
 * (ONNX QuantizeLinear, onnxruntime's quantize_nparray, where that is half to even).
 * A value is clipped when the code nearest to it lies outside the format's; for 32-bit codes the
 * bounds are those that float32 can tell, +-2^31.
 */
export function integerCoder(
  grouping: Grouping,
  { scale, zeroPoint }: Parameters,
  { bits, clip: { qmin, qmax }, rounding }: IntegerFormat,
): Coder {
  const [least, greatest] = [Math.fround(qmin), Math.fround(qmax)];
  return {
    bits,
    lowest: qmin < 0 ? -(2 ** (bits - 1)) : 0,
    encode(values, start, codes, restored) {
      let clipped = 0;
      forEachRun(grouping, start, values.length, (from, to, first, step) => {
        for (let index = from, group = first; index < to; index++, group += step) {
          const unit = scale[group]!;
          const zero = zeroPoint[group]!;
          const exact = unclippedCode(values[index]!, unit, zero, rounding);
          if (exact < least || exact > greatest) clipped++;
          const code = exact < qmin ? qmin : exact > qmax ? qmax : exact;
          codes[index] = code;
          // A negative scale makes -0 of the code for 0.
          restored[index] = restoredValue(code, unit, zero) + 0;
        }
      });
      return clipped;
    },
  };
}

/** Integer codes that were chosen before; a value is clipped as integerCoder says. */
export function chosenCoder(
  grouping: Grouping,
  parameters: Parameters,
  format: IntegerFormat,
  chosen: ChosenCodes,
): Coder {
  const nearest = integerCoder(grouping, parameters, format);
  const { scale, zeroPoint } = parameters;
  return {
    ...nearest,
    encode(values, start, codes, restored) {
      const clipped = nearest.encode(values, start, codes, restored);
      forEachRun(grouping, start, values.length, (from, to, first, step) => {
        for (let index = from, group = first; index < to; index++, group += step) {
          const code = chosen[start + index]!;
          codes[index] = code;
          restored[index] = restoredValue(code, scale[group]!, zeroPoint[group]!) + 0;
        }
      });
      return clipped;
    },
  };
}

/** Bit patterns of a float type; a value is clipped when it is finite and overflows the type. */
export function castCoder(dtype: FloatCast): Coder {
  const { format, bits, decode } = CASTS[dtype];
  const magnitudes = 2 ** (bits - 1) - 1;
  return {
    bits,
    lowest: 0,
    encode(values, _start, codes, restored) {
      let clipped = 0;
      for (let index = 0; index < values.length; index++) {
        const value = values[index]!;
        const code = encodeSmallFloat(value, format);
        if ((code & magnitudes) === format.overflow && overflows(value, format)) clipped++;
        codes[index] = code;
        restored[index] = decode(code);
      }
      return clipped;
    },
  };
}

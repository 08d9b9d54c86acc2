import {
  DOT_FORMATS,
  type DotFormat,
  type DotProduct,
  type DotRow,
} from '../../../shared/dot-product.ts';
import { isFloatCast, schemeOf } from '../../../shared/scheme.ts';
import { arraySource } from './chunks.ts';
import type { Values } from './values.ts';
import { CASTS } from './casts.ts';
import { encodePlainly } from '../kernels/reference/plain-encode.ts';
import { prepareTensor } from './quantize-tensor.ts';
import { dtypeOf } from '../../../shared/dtypes.ts';
import { encodeSmallFloat } from '../../../shared/small-float.ts';
import { computeStatistics } from './statistics.ts';

/** A vector in a format: its codes, and the numbers that they stand for. */
interface Downcast {
  readonly codes: Int32Array;
  readonly restored: Float64Array;
  /** 1 for float types. */
  readonly scale: number;
  readonly clipped: number;
}

/**
 * The dot product of two vectors of float32 values or more, in float64 and in each format. Both are
 * downcast by the rules that weights are: floats rounded half to even; int8 symmetric with one scale
 * each; Q7 and Q15 saturated. Floats are multiplied and added in float32 in the order of the vectors,
 * as hardware with bfloat16 or float16 dot products does, and the result is rounded to the type, as
 * torch.dot gives it. Integers are added exactly; int8 sums become float32 and are multiplied by the
 * product of the scales, as after ONNX's MatMulInteger; Q sums are read as Q14 and Q30, as
 * arm_dot_prod_q7 and arm_dot_prod_q15 leave them.
 */
export function dotProduct(a: Values, b: Values): DotProduct {
  const reference = sumOfProducts(a, b, (value) => value);
  const rows = DOT_FORMATS.map((format): DotRow => {
    const { result, clipped } = resultIn(format, a, b);
    const absoluteError = result === null ? null : Math.abs(result - reference);
    const isRelative = absoluteError !== null && reference !== 0;
    const relativeError = isRelative ? absoluteError / Math.abs(reference) : null;
    return { format, result, absoluteError, relativeError, clipped };
  });
  return { length: a.length, reference, rows };
}

function resultIn(
  format: DotFormat,
  a: Values,
  b: Values,
): { result: number | null; clipped: number } {
  if (format === 'float32')
    return { result: sumOfProducts(rounded(a), rounded(b), Math.fround), clipped: 0 };
  if (!isFloatCast(format) && ![...a, ...b].every(Number.isFinite))
    return { result: null, clipped: 0 };
  const [one, two] = [downcast(a, format), downcast(b, format)];
  return { result: combined(format, one, two), clipped: one.clipped + two.clipped };
}

function rounded(values: Values): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

function combined(format: Exclude<DotFormat, 'float32'>, a: Downcast, b: Downcast): number {
  if (isFloatCast(format)) {
    const { format: small, decode } = CASTS[format];
    return decode(encodeSmallFloat(sumOfProducts(a.restored, b.restored, Math.fround), small));
  }
  // Exact: at most 2^16 products of 2^30.
  const sum = sumOfProducts(a.codes, b.codes, (value) => value);
  if (format !== 'int8') return sum / 2 ** (2 * dtypeOf(format).fractionBits);
  return Math.fround(Math.fround(sum) * Math.fround(a.scale * b.scale));
}

function sumOfProducts(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  round: (value: number) => number,
): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum = round(sum + round(a[index]! * b[index]!));
  return sum;
}

function downcast(values: Values, dtype: Exclude<DotFormat, 'float32'>): Downcast {
  const scheme = schemeOf({ dtype, granularity: 'tensor' });
  const source = arraySource(values);
  const statistics = computeStatistics(source, null, 1);
  const shape = [values.length];
  const job = prepareTensor({ name: dtype, source, shape, axis: null, scheme, statistics });
  const codes = new Int32Array(values.length);
  const restored = new Float64Array(values.length);
  const { clipped } = encodePlainly(source, job, (_, start, someCodes, someRestored) => {
    codes.set(someCodes, start);
    restored.set(someRestored, start);
  });
  return { codes, restored, scale: job.parameters.scale[0] ?? 1, clipped };
}

import { packedBytes, type DtypeName } from '../../../../shared/dtypes.ts';
import { AppError } from '../../../../shared/errors.ts';
import type { ArrayData } from '../../runtime/inputs.ts';

/** Where values come from, for messages. */
export interface Place {
  readonly file: string;
  readonly field: string;
}

/** How many values a shape has. @throws AppError MALFORMED for a size that is not an integer from 0. */
export function countOf(dims: readonly number[], place: Place): number {
  const count = dims.reduce((product, dim) => product * dim, 1);
  if (Number.isSafeInteger(count) && dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0))
    return count;
  throw new AppError('MALFORMED', 'has an invalid shape', {
    ...place,
    found: dims.join(' x '),
    expected: 'sizes from 0, below 2^53 values',
  });
}

/** Little-endian bytes as the typed array of their type. @throws AppError when there are more or fewer than the shape says. */
export function typedArray(
  dtype: DtypeName,
  bytes: Uint8Array,
  dims: readonly number[],
  place: Place,
): ArrayData {
  const expected = packedBytes(dtype, countOf(dims, place));
  if (bytes.length !== expected)
    throw new AppError('MALFORMED', 'does not have as many values as its shape says', {
      ...place,
      found: `${bytes.length} bytes`,
      expected: `${expected} bytes for ${dims.join(' x ')}`,
    });
  const Array = ARRAY_OF[dtype];
  if (Array === undefined) throw noInput(place, dtype);
  // A copy: typed arrays want their alignment.
  return new Array(new Uint8Array(bytes).buffer);
}

export function noInput(place: Place, found: string): AppError {
  return new AppError('UNSUPPORTED', 'has values of a type that is not a model input', {
    ...place,
    found,
    expected: Object.keys(ARRAY_OF).join(', '),
  });
}

/** The typed array that onnxruntime takes for a type. */
export const ARRAY_OF: Partial<Record<DtypeName, new (buffer: ArrayBuffer) => ArrayData>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint64: BigUint64Array,
  uint32: Uint32Array,
  uint16: Uint16Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

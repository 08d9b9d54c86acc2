import type { SourceDtype } from '../../../shared/dtypes.ts';
import { float16Table } from '../../../shared/float16.ts';
import type { Values, ValueSource } from './values.ts';

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * The values of little-endian bytes, at any alignment.
 * float16, bfloat16 and float32 become Float32Array, exactly; float64 stays Float64Array.
 * @throws RangeError when the bytes are not a whole number of values.
 */
export function decodeValues(bytes: Uint8Array, dtype: SourceDtype): Values {
  switch (dtype) {
    case 'float64':
      return new Float64Array(wordsOf(bytes, 8));
    case 'float32':
      return new Float32Array(wordsOf(bytes, 4));
    case 'float16':
      return decodeFloat16(new Uint16Array(wordsOf(bytes, 2)));
    case 'bfloat16':
      return decodeBfloat16(new Uint16Array(wordsOf(bytes, 2)));
  }
}

/** A copy of the bytes, at the machine's byte order and aligned for words of that width. */
function wordsOf(bytes: Uint8Array, width: number): ArrayBuffer {
  if (bytes.length % width !== 0)
    throw new RangeError(`${bytes.length} bytes are not a whole number of ${width}-byte values`);
  const copy = new Uint8Array(bytes);
  if (!isLittleEndian) {
    for (let at = 0; at < copy.length; at += width) copy.subarray(at, at + width).reverse();
  }
  return copy.buffer;
}

function decodeFloat16(words: Uint16Array): Float32Array {
  const table = float16Table();
  const values = new Float32Array(words.length);
  for (let index = 0; index < words.length; index++) values[index] = table[words[index]!]!;
  return values;
}

function decodeBfloat16(words: Uint16Array): Float32Array {
  const bits = new Uint32Array(words.length);
  for (let index = 0; index < words.length; index++) bits[index] = words[index]! << 16;
  return new Float32Array(bits.buffer);
}

/** A source over values in memory, in runs of at most `chunk`. */
export function arraySource(
  values: Values,
  dtype: SourceDtype = values instanceof Float64Array ? 'float64' : 'float32',
  chunk = 65536,
): ValueSource {
  return {
    elements: values.length,
    dtype,
    forEachChunk(visit) {
      for (let start = 0; start < values.length; start += chunk)
        visit(values.subarray(start, start + chunk), start);
    },
  };
}

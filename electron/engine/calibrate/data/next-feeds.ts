import { packedBytes, type DtypeName } from '../../../../shared/dtypes.ts';
import { float16Bits } from '../../../../shared/float16.ts';
import type { ArrayData, ArrayValue } from '../../runtime/inputs.ts';
import type { OutputValue } from '../../runtime/runnable.ts';
import { ARRAY_OF } from './array-data.ts';
import type { Feeds } from './sample-group.ts';

/**
 * The inputs of a sequence's next step: its own data, and each state as the step before left it.
 * @param feeds the next step's inputs, as Samples.at gives them
 * @param outputs of the step before, by name
 * @param carried state inputs with the output that feeds each (Samples.carried)
 */
export function nextFeeds(
  feeds: Feeds,
  outputs: ReadonlyMap<string, OutputValue>,
  carried: ReadonlyMap<string, string>,
): Feeds {
  const states = [...carried].flatMap(([input, output]): [string, ArrayValue][] => {
    const value = outputs.get(output);
    const type = feeds[input]?.type;
    if (value === undefined || type === undefined) return [];
    return [[input, arrayOf(type, value)]];
  });
  return { ...feeds, ...Object.fromEntries(states) };
}

/** An output as an input of its own type. */
export function arrayOf(type: string, value: OutputValue): ArrayValue {
  return { type, dims: value.dims, data: dataOf(type, value) };
}

/** An output's numbers as the typed array of an input's type. */
function dataOf(type: string, { data, isText }: OutputValue): ArrayData {
  if (isText) return data as readonly string[];
  if (type === 'float32' && data instanceof Float32Array) return data;
  const numbers = data as ArrayLike<number>;
  if (type === 'float16') return Uint16Array.from(numbers, float16Bits);
  if (type === 'int64') return BigInt64Array.from(numbers, BigInt);
  if (type === 'uint64') return BigUint64Array.from(numbers, BigInt);
  const dtype = type as DtypeName;
  const Array = ARRAY_OF[dtype] ?? Float32Array;
  const values = new Array(new ArrayBuffer(packedBytes(dtype, numbers.length)));
  (values as Float32Array).set(numbers);
  return values;
}

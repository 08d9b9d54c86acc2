import type { Values, ValueSource } from '../../quantize/values.ts';
import type { SourceDtype } from '../../../../shared/dtypes.ts';
import { forEachRun, type Grouping } from '../../quantize/layout.ts';
import type { Gathered, OneGroup } from '../../quantize/passes.ts';

/** Values of a 16-bit digit. */
export const DIGITS = 65536;

/** Counts of the next digit after each prefix, of the finite values. The contract is Passes.countDigits. */
export function countDigits(
  source: ValueSource,
  prefixes: readonly (readonly number[])[],
  magnitudes: boolean,
  within: OneGroup | null,
): Float64Array[] {
  const tables = prefixes.map(() => new Float64Array(DIGITS));
  const write = source.dtype === 'float64' ? keyOfFloat64 : keyOfFloat32;
  const key = new Uint16Array(4);
  const depth = prefixes[0]?.length ?? 0;
  const add = (value: number): void => {
    if (value - value !== 0) return;
    write(magnitudes ? Math.abs(value) : value, key);
    for (let which = 0; which < prefixes.length; which++) {
      const prefix = prefixes[which]!;
      let same = 0;
      while (same < depth && prefix[same] === key[same]) same++;
      if (same < depth) continue;
      const table = tables[which]!;
      table[key[depth]!] = table[key[depth]!]! + 1;
    }
  };
  source.forEachChunk((values, start) => {
    if (within === null) return values.forEach(add);
    forEachRun(within.grouping, start, values.length, (from, to, first, step) => {
      for (let index = from, group = first; index < to; index++, group += step)
        if (group === within.group) add(values[index]!);
    });
  });
  return tables;
}

const scratch = new DataView(new ArrayBuffer(8));

/** Negative numbers have all bits flipped and others the sign bit, so that keys sort as numbers do. */
function keyOfFloat32(value: number, key: Uint16Array): void {
  // Adding 0 makes -0 equal to 0 in order.
  scratch.setFloat32(0, value + 0);
  const bits = scratch.getUint32(0);
  const word = bits ^ (bits >>> 31 === 1 ? 0xffffffff : 0x80000000);
  key[0] = word >>> 16;
  key[1] = word & 0xffff;
}

function keyOfFloat64(value: number, key: Uint16Array): void {
  scratch.setFloat64(0, value + 0);
  const negative = scratch.getUint32(0) >>> 31 === 1;
  const high = scratch.getUint32(0) ^ (negative ? 0xffffffff : 0x80000000);
  const low = scratch.getUint32(4) ^ (negative ? 0xffffffff : 0);
  key[0] = high >>> 16;
  key[1] = high & 0xffff;
  key[2] = low >>> 16;
  key[3] = low & 0xffff;
}

/** The value of a whole key. */
export function valueOfKey(key: readonly number[]): number {
  const positive = (key[0]! & 0x8000) !== 0;
  for (const [index, digit] of key.entries())
    scratch.setUint16(index * 2, positive ? digit ^ (index === 0 ? 0x8000 : 0) : ~digit);
  return key.length === 2 ? scratch.getFloat32(0) : scratch.getFloat64(0);
}

export function digitsOf(dtype: SourceDtype): number {
  return dtype === 'float64' ? 4 : 2;
}

/** Gathers the finite values of some consecutive groups, and sorts a group when it is first asked for. */
export function gatherSorted(
  source: ValueSource,
  grouping: Grouping,
  first: number,
  groups: number,
  size: number,
  magnitudes: boolean,
): Gathered {
  const store: Values =
    source.dtype === 'float64' ? new Float64Array(groups * size) : new Float32Array(groups * size);
  const counts = new Uint32Array(groups);
  source.forEachChunk((values, start) => {
    forEachRun(grouping, start, values.length, (from, to, firstGroup, step) => {
      for (let index = from, group = firstGroup - first; index < to; index++, group += step) {
        if (group < 0 || group >= groups) continue;
        const value = values[index]!;
        if (value - value !== 0) continue;
        const count = counts[group]!;
        store[group * size + count] = magnitudes ? Math.abs(value) : value;
        counts[group] = count + 1;
      }
    });
  });
  const sorted = new Map<number, Values>();
  const sortedGroup = (group: number): Values => {
    const known = sorted.get(group);
    if (known !== undefined) return known;
    const own = store.subarray(group * size, group * size + counts[group]!).sort();
    sorted.set(group, own);
    return own;
  };
  return {
    count: (group) => counts[group]!,
    ranked: (group, rank) => sortedGroup(group)[rank]! + 0,
  };
}

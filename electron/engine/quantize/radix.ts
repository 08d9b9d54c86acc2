import type { Values, ValueSource } from './chunks.ts';

const DIGITS = 65536;

/** One bucket that holds wanted ranks: the leading digits of its keys, and how many keys precede it. */
interface Bucket {
  readonly prefix: readonly number[];
  readonly before: number;
  readonly ranks: readonly number[];
}

/**
 * Values at given ranks (0 is the least) of the finite values, or of their magnitudes, as a sort
 * would place them. Radix selection over the bits in an order-preserving form, 16 bits a pass, so
 * that memory is a table of 65,536 counts for each distinct bucket: two passes for float32, four
 * for float64.
 *
 * @param ranks each in [0, finite values)
 */
export function orderStatistics(
  source: ValueSource,
  ranks: readonly number[],
  magnitudes: boolean,
): Map<number, number> {
  const words = source.dtype === 'float64' ? 2 : 1;
  let buckets: Bucket[] = [{ prefix: [], before: 0, ranks }];
  for (let digit = 0; digit < words * 2; digit++) {
    const tables = buckets.map(() => new Float64Array(DIGITS));
    source.forEachChunk((values) => countDigits(values, magnitudes, buckets, tables));
    buckets = buckets.flatMap((bucket, index) => split(bucket, tables[index]!));
  }
  const found = new Map<number, number>();
  for (const { prefix, ranks: here } of buckets)
    for (const rank of here) found.set(rank, valueOfKey(prefix));
  return found;
}

/** Spreads the ranks of a bucket over its non-empty children. */
function split(bucket: Bucket, counts: Float64Array): Bucket[] {
  const children: Bucket[] = [];
  let before = bucket.before;
  for (let digit = 0; digit < DIGITS; digit++) {
    const after = before + counts[digit]!;
    const ranks = bucket.ranks.filter((rank) => rank >= before && rank < after);
    if (ranks.length > 0) children.push({ prefix: [...bucket.prefix, digit], before, ranks });
    before = after;
  }
  return children;
}

function countDigits(
  values: Values,
  magnitudes: boolean,
  buckets: readonly Bucket[],
  tables: readonly Float64Array[],
): void {
  const key = new Uint16Array(4);
  const write = values instanceof Float64Array ? keyOfFloat64 : keyOfFloat32;
  const depth = buckets[0]!.prefix.length;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (value - value !== 0) continue;
    write(magnitudes ? Math.abs(value) : value, key);
    for (let which = 0; which < buckets.length; which++) {
      const { prefix } = buckets[which]!;
      let same = 0;
      while (same < depth && prefix[same] === key[same]) same++;
      if (same < depth) continue;
      const table = tables[which]!;
      table[key[depth]!] = table[key[depth]!]! + 1;
    }
  }
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

function valueOfKey(key: readonly number[]): number {
  const positive = (key[0]! & 0x8000) !== 0;
  for (const [index, digit] of key.entries())
    scratch.setUint16(index * 2, positive ? digit ^ (index === 0 ? 0x8000 : 0) : ~digit);
  return key.length === 2 ? scratch.getFloat32(0) : scratch.getFloat64(0);
}

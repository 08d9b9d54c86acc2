import type { OneGroup, Passes } from './passes.ts';
import { DIGITS, digitsOf, valueOfKey } from '../kernels/reference/plain-keys.ts';

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
 * @param within the one group that counts, or null for all values
 */
export function orderStatistics(
  passes: Passes,
  ranks: readonly number[],
  magnitudes: boolean,
  within: OneGroup | null = null,
): Map<number, number> {
  let buckets: Bucket[] = [{ prefix: [], before: 0, ranks }];
  for (let digit = 0; digit < digitsOf(passes.dtype); digit++) {
    const prefixes = buckets.map(({ prefix }) => prefix);
    const tables = passes.countDigits(prefixes, magnitudes, within);
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
    if (counts[digit] === 0) continue;
    const after = before + counts[digit]!;
    const ranks = bucket.ranks.filter((rank) => rank >= before && rank < after);
    if (ranks.length > 0) children.push({ prefix: [...bucket.prefix, digit], before, ranks });
    before = after;
  }
  return children;
}

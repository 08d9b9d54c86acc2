// Scales and zero points, for the table and for the clipboard.
import type { Numbers } from '../../../shared/lists.ts';
import type { Scales } from '../../../shared/scales.ts';
import { exactFloat32, fixed, real } from '../../format/numbers.ts';

/** Scales that fit the clipboard: their text is about 30 MB, which takes half a second. */
export const MOST_COPIED = 1_000_000;

/** All scales as tab-separated values, each with the nine digits that tell every float32 apart. */
export function scalesAsTsv(unit: string, { scale, zeroPoint }: Scales): string {
  const rows = Array.from(scale, (each, index) =>
    [index, exactFloat32(each), zeroPoint[index] ?? 0].join('\t'),
  );
  return [[unit, 'scale', 'zero_point'].join('\t'), ...rows, ''].join('\n');
}

/** Decimals beyond which a column of figures would be mostly zeros. */
const MOST_DECIMALS = 10;

/**
 * Writes the scales of one column, of which the least and the greatest are enough: all with the decimals that give the largest six significant
 * digits, so that they align on the point; those too small for three of them as a power of ten.
 */
export function scaleWriter(scale: Numbers): (value: number) => string {
  let largest = 0;
  for (const each of scale) largest = Math.max(largest, Math.abs(each));
  const decimals =
    largest > 0 ? Math.min(MOST_DECIMALS, Math.max(0, 5 - Math.floor(Math.log10(largest)))) : 0;
  if (largest >= 1e6) return (value) => real(value, 6);
  const least = 10 ** (2 - decimals);
  return (value) =>
    value !== 0 && Math.abs(value) < least ? real(value, 3) : fixed(value, decimals);
}

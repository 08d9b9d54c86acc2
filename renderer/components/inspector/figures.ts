// The inspector's numbers as rows of words, so that tables only lay them out.
import type { Numbers } from '../../../shared/lists.ts';
import type { SideDetail } from '../../../shared/report.ts';
import { decibels, fixed, integer, NONE, real, THIN } from '../../format/numbers.ts';
import { codeRange } from '../../format/schemes.ts';
import { dtypeOf } from '../../../shared/dtypes.ts';
import { storageDtype } from '../../../shared/scheme.ts';

export interface FigureRow {
  readonly label: string;
  readonly a: string;
  readonly b: string;
}

const FIGURES: readonly (readonly [string, (side: SideDetail) => string])[] = [
  ['MSE', ({ report }) => real(report.mse, 3)],
  ['RMSE', ({ report }) => real(report.rmse, 3)],
  ['Max error', ({ report }) => real(report.maxAbsError, 3)],
  ['SQNR, dB', ({ report }) => decibels(report.sqnrDb, 2)],
  ['Cosine', ({ report }) => (report.cosine === null ? NONE : fixed(report.cosine, 5))],
  ['Levels', ({ report }) => (report.levelsUsed === null ? NONE : integer(report.levelsUsed))],
  ['Clipped', ({ report }) => integer(report.clipped)],
];

/** What each recipe costs the tensor; a dash where it is left alone. */
export function errorRows(a: SideDetail | null, b: SideDetail | null): FigureRow[] {
  return FIGURES.map(([label, write]) => {
    const cell = (side: SideDetail | null): string =>
      side?.report.quantized === true ? write(side) : NONE;
    return { label, a: cell(a), b: cell(b) };
  });
}

/** How many levels a scheme has: all codes of an integer type, all bit patterns of a float one. */
export function levelCount({ report: { scheme } }: SideDetail): number | null {
  if (scheme === null) return null;
  const codes = codeRange(scheme);
  return codes === null ? 2 ** dtypeOf(storageDtype(scheme.dtype)).bits : codes.hi - codes.lo + 1;
}

/** The least and the greatest as "0.0003 to 0.009", or the one value where they are equal. */
export function span(values: Numbers, digits = 3): string {
  let [lo, hi] = [Infinity, -Infinity];
  for (const value of values) {
    lo = Math.min(lo, value);
    hi = Math.max(hi, value);
  }
  if (values.length === 0) return NONE;
  return lo === hi ? real(lo, digits) : `${real(lo, digits)}${THIN}…${THIN}${real(hi, digits)}`;
}

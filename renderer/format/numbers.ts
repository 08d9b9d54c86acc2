// How every figure on screen is written: in the language of numbers that the settings choose. A figure is never
// shortened or replaced by dots.
import { numberMarks } from './number-marks.svelte.ts';

/** Narrow no-break space: before a unit. */
export const THIN = '\u202f';
export const MINUS = '\u2212';
/** Stands where a figure is not known yet. */
export const UNKNOWN = '·';
/** Stands where a figure does not exist, as the SQNR of an all-zero tensor. */
export const NONE = '–';

function withMinus(text: string): string {
  return text.replaceAll('-', MINUS);
}

/** A number's plain text with the marks of the language between thousands and before decimals. */
function grouped(text: string): string {
  const { group, decimal } = numberMarks();
  const [whole = '', ...rest] = text.split('.');
  return [whole.replace(/\B(?=(\d{3})+(?!\d))/g, group), ...rest].join(decimal);
}

/** The plain text of a number in full, with the decimal mark of the language and nothing between thousands. */
export function digits(text: string): string {
  return withMinus(text.replaceAll('.', numberMarks().decimal));
}

function notFinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '∞' : `${MINUS}∞`;
}

/** A whole number with its thousands parted: 614 228. */
export function integer(value: number | bigint): string {
  return withMinus(grouped(String(value)));
}

/** A real number with a fixed count of decimals. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return notFinite(value);
  const text = value.toFixed(digits);
  // A zero has no sign, as what rounds to one.
  return withMinus(grouped(Number(text) === 0 ? text.replace('-', '') : text));
}

/** SQNR in dB without its unit: 'exact' where there is no error, a dash where there is no signal. */
export function decibels(value: number | null, digits = 1): string {
  if (value === null || Number.isNaN(value)) return NONE;
  if (value === Infinity) return 'exact';
  return fixed(value, digits);
}

/** SQNR with its unit, which 'exact' and the dash do without. */
export function decibelsWithUnit(value: number | null, digits = 1): string {
  const text = decibels(value, digits);
  return value === null || !Number.isFinite(value) ? text : `${text}${THIN}dB`;
}

/** A difference, always with its sign; zero has none. */
export function change(value: number, digits = 1): string {
  const text = fixed(value, digits);
  return value > 0 && Number(value.toFixed(digits)) !== 0 ? `+${text}` : text;
}

/** Bytes in kB (1e3 bytes) with one decimal and without the unit, for columns. */
export function kilobytes(bytes: number): string {
  return fixed(bytes / 1e3, 1);
}

/** Bytes in MB (1e6 bytes) with three significant digits and without the unit. */
export function megabytes(bytes: number): string {
  const value = bytes / 1e6;
  if (value === 0) return '0';
  return grouped(value >= 999.5 ? String(Math.round(value)) : value.toPrecision(3));
}

/** Bytes with the unit that suits them: 16 B, 9.7 kB, 0.703 MB. */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${integer(bytes)}${THIN}B`;
  if (bytes < 100_000) return `${kilobytes(bytes)}${THIN}kB`;
  return `${megabytes(bytes)}${THIN}MB`;
}

/** Milliseconds with three significant digits, as a measurement repeats no more: 13 600, 41.3, 0.052. */
export function milliseconds(value: number): string {
  if (!Number.isFinite(value)) return notFinite(value);
  if (value === 0) return '0';
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const rounded = Number(value.toPrecision(3));
  return fixed(rounded, Math.min(20, decimals));
}

/** A ratio as percent with its sign and one decimal: −71.4 %. */
export function percent(ratio: number): string {
  return `${change(ratio * 100)}${THIN}%`;
}

/** A real number with some significant digits; a power of ten outside 1e-4 to 1e6. */
export function real(value: number, significant = 4): string {
  if (!Number.isFinite(value)) return notFinite(value);
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return withMinus(grouped(plain(value, significant)));
  const [mantissa = '', exponent = ''] = value.toExponential(significant - 1).split('e');
  return digits(`${trimZeros(mantissa)}e${exponent.replace('+', '')}`);
}

function plain(value: number, significant: number): string {
  const rounded = Number(value.toPrecision(significant));
  return rounded.toString();
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** A power of two: 2⁻¹². */
export function powerOfTwo(exponent: number): string {
  const raised = [...String(exponent)].map((digit) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(digit)]);
  return `2${raised.join('')}`;
}

/** Nine significant digits, which tell every float32 apart; plain ASCII, for the clipboard. */
export function exactFloat32(value: number): string {
  return Number.isFinite(value) ? Number(value.toPrecision(9)).toString() : String(value);
}

/** A count for a chart's axis: 10, 1k, 20k, 3M. */
export function shortCount(value: number): string {
  if (value >= 999_500) return `${real(value / 1e6, 3)}M`;
  if (value >= 1e3) return `${real(value / 1e3, 3)}k`;
  return integer(value);
}

/** Dimensions with the multiplication sign; a scalar has none. */
export function shape(dimensions: readonly number[]): string {
  return dimensions.length === 0 ? 'scalar' : dimensions.join('×');
}

/** Count and noun: 1 tensor, 2 tensors. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${integer(count)} ${count === 1 ? noun : plural}`;
}

/** Time that remains, in the one unit that says enough. */
export function timeLeft(seconds: number): string {
  if (seconds < 1) return `under 1${THIN}s left`;
  if (seconds < 90) return `${Math.round(seconds)}${THIN}s left`;
  if (seconds < 5400) return `${Math.round(seconds / 60)}${THIN}min left`;
  return `${Math.round(seconds / 3600)}${THIN}h left`;
}

import { escaped } from '../../shared/errors.ts';
import type { KeptGroup } from '../../shared/report.ts';
import { shortened, toTable } from './table.ts';

/**
 * Write lines to stdout. Names in them come from files: what a terminal would obey is escaped, in JSON as
 * in text, whose escapes are the same.
 */
export function print(text: string): void {
  clearProgress();
  console.log(escapedLines(text));
}

/** Write lines to stderr, escaped as print does. */
export function printError(text: string): void {
  clearProgress();
  console.error(escapedLines(text));
}

/** Text with all but its line ends escaped for a terminal. */
export function escapedLines(text: string): string {
  return text.split('\n').map(escaped).join('\n');
}

/** A decibel figure for people. */
export function decibels(value: number | null): string {
  if (value === null) return '-';
  return value === Infinity ? 'exact' : value.toFixed(2);
}

/** The same with its unit: 35.12 dB, or exact. */
export function inDecibels(value: number | null): string {
  return value === null || value === Infinity ? decibels(value) : `${decibels(value)} dB`;
}

/** Bytes in MB of 1e6, three decimals. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(3)} MB`;
}

/** How many tensors stay as they are, by reason, a line each; a warning on stderr when nothing was quantized. */
export function printKept(quantized: number, groups: readonly KeptGroup[]): void {
  const rows = groups.map(({ reason, tensors, bytes }) => [
    `  ${tensors}`,
    megabytes(bytes),
    reason,
  ]);
  if (rows.length > 0) print(`kept:\n${toTable(rows, new Set([0, 1]))}`);
  if (quantized === 0) printError('quantscope: warning: no tensor is quantized');
}

let isProgressShown = false;

/** Remove the progress line, so that what is printed next has a line of its own. */
export function clearProgress(): void {
  if (isProgressShown) process.stderr.write('\r\u001b[K');
  isProgressShown = false;
}

/** Show progress on a terminal's stderr: one line, written over and never wrapped. Silent elsewhere. */
export function showProgress(text: string): void {
  if (!process.stderr.isTTY) return;
  const width = (process.stderr.columns || 80) - 1;
  process.stderr.write(`\r\u001b[K${shortened(escaped(text), width)}`);
  isProgressShown = true;
}

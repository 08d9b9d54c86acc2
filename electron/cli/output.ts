import { escaped } from '../../shared/errors.ts';
import { largest } from '../../shared/lists.ts';
import type { KeptGroup } from '../../shared/report.ts';

/**
 * Write lines to stdout. Names in them come from files: what a terminal would obey is escaped, in JSON as
 * in text, whose escapes are the same.
 */
export function print(text: string): void {
  console.log(escapedLines(text));
}

/** Write lines to stderr, escaped as print does. */
export function printError(text: string): void {
  console.error(escapedLines(text));
}

/** Text with all but its line ends escaped for a terminal. */
export function escapedLines(text: string): string {
  return text.split('\n').map(escaped).join('\n');
}

/** Rows as aligned columns for a terminal; columns named in `right` align right. */
export function toTable(rows: readonly (readonly string[])[], right: ReadonlySet<number>): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    largest(rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          right.has(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A decibel figure for people. */
export function decibels(value: number | null): string {
  if (value === null) return '-';
  return value === Infinity ? 'exact' : value.toFixed(2);
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

/** Progress on a terminal's stderr: one line, written over. Silent elsewhere. */
export function progressLine(): { update: (text: string) => void; end: () => void } {
  if (!process.stderr.isTTY) return { update: () => undefined, end: () => undefined };
  return {
    update: (text) => void process.stderr.write(`\r\u001b[K${escaped(text)}`),
    end: () => void process.stderr.write('\r\u001b[K'),
  };
}

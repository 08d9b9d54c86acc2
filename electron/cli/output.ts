import { largest } from '../../shared/lists.ts';
import type { KeptGroup } from '../../shared/report.ts';

/**
 * JSON text of a value. An infinite number becomes 1e999, which is valid JSON and which parsers read
 * back as infinity; NaN becomes null.
 */
export function toJson(value: unknown): string {
  // A string that no file can hold: JSON escapes its control characters, so the quoted form is ours alone.
  const mark = `\u0000infinity\u0000`;
  const quoted = JSON.stringify(mark).slice(1, -1);
  const text = JSON.stringify(
    value,
    (_key, item: unknown) => (item === Infinity ? mark : item === -Infinity ? `-${mark}` : item),
    2,
  );
  return text.replaceAll(`"${quoted}"`, '1e999').replaceAll(`"-${quoted}"`, '-1e999');
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
  if (rows.length > 0) console.log(`kept:\n${toTable(rows, new Set([0, 1]))}`);
  if (quantized === 0) console.error('quantscope: warning: no tensor is quantized');
}

/** Progress on a terminal's stderr: one line, written over. Silent elsewhere. */
export function progressLine(): { update: (text: string) => void; end: () => void } {
  if (!process.stderr.isTTY) return { update: () => undefined, end: () => undefined };
  return {
    update: (text) => void process.stderr.write(`\r\u001b[K${text}`),
    end: () => void process.stderr.write('\r\u001b[K'),
  };
}

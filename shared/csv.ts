/** The fields of one line; null is an empty one. */
export type CsvRow = readonly (string | number | bigint | null)[];

/**
 * Rows as CSV (RFC 4180): quoted where needed, CRLF between lines. A text that a spreadsheet would take
 * for a formula gets an apostrophe before it, as names in files are other people's.
 */
export function csv(rows: readonly CsvRow[]): string {
  return rows.map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

function field(value: string | number | bigint | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The fields of one line; null is an empty one. */
export type CsvRow = readonly (string | number | bigint | null)[];

/**
 * Rows as CSV (RFC 4180): quoted where needed, CRLF between lines. A text that a spreadsheet would take
 * for a formula gets an apostrophe before it, as names in files are other people's.
 */
export function csv(rows: readonly CsvRow[]): string {
  return rows.map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}

/**
 * What starts a formula, at the start of a cell or of what a spreadsheet with another separator, or one
 * that trims spaces or ignores quotes, takes for a cell. A number with a sign is none.
 */
const FORMULA =
  /(?=[=+\-@\uff1d\uff0b\uff0d\uff20])(?![+-](?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*(?:$|[;,|"]))(?<=(?:^|[;,|"\t\r\n])\s*)/g;

function field(value: string | number | bigint | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const text = value.replace(FORMULA, "'");
  return /[",;\t\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

import { clearProgress, escapedLines } from './output.ts';

/** Text is handed on in pieces of about this many characters. */
const PIECE = 1 << 16;

/**
 * Write a value as JSON, two spaces deep, piece by piece: the scales of a large model make more text
 * than one string can hold. Arrays of numbers may be typed arrays. An infinite number becomes 1e999, which
 * is valid JSON and which parsers read back as infinity; NaN becomes null; undefined members are left out.
 */
export function writeJson(value: unknown, write: (piece: string) => void): void {
  let pending = '';
  const put = (text: string): void => {
    pending += text;
    if (pending.length < PIECE) return;
    write(pending);
    pending = '';
  };
  putValue(value, '\n', put);
  write(pending);
}

/** The JSON text of a small value. */
export function toJson(value: unknown): string {
  const pieces: string[] = [];
  writeJson(value, (piece) => pieces.push(piece));
  return pieces.join('');
}

/** What may need an escape: all but printable ASCII and line ends. */
const NOT_PLAIN = /[^\n -~]/;

/** Print a value as JSON and a line's end on stdout, escaped as `print` does. */
export function printJson(value: unknown): void {
  clearProgress();
  writeJson(value, (piece) =>
    // Most pieces of millions of numbers are plain.
    process.stdout.write(NOT_PLAIN.test(piece) ? escapedLines(piece) : piece),
  );
  process.stdout.write('\n');
}

function putValue(value: unknown, line: string, put: (text: string) => void): void {
  if (typeof value === 'number') put(numberText(value));
  else if (Array.isArray(value) || value instanceof Float64Array || value instanceof Int32Array)
    putList(value, line, put);
  else if (typeof value === 'object' && value !== null) putObject(value, line, put);
  else put(value === undefined ? 'null' : JSON.stringify(value));
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'null';
  if (!Number.isFinite(value)) return value > 0 ? '1e999' : '-1e999';
  return String(value);
}

function putList(list: Iterable<unknown>, line: string, put: (text: string) => void): void {
  let separator = '[';
  for (const item of list) {
    put(`${separator}${line}  `);
    putValue(item, `${line}  `, put);
    separator = ',';
  }
  put(separator === '[' ? '[]' : `${line}]`);
}

function putObject(object: object, line: string, put: (text: string) => void): void {
  let separator = '{';
  for (const [key, item] of Object.entries(object) as [string, unknown][]) {
    if (item === undefined) continue;
    put(`${separator}${line}  ${JSON.stringify(key)}: `);
    putValue(item, `${line}  `, put);
    separator = ',';
  }
  put(separator === '{' ? '{}' : `${line}}`);
}

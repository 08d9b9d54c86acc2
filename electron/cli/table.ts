import { largest } from '../../shared/lists.ts';

const GAP = '  ';
/** A shortened column keeps at least this many places: enough to tell most names apart. */
const LEAST_WIDTH = 12;

/** Emoji and East Asian characters take two places of a terminal. */
const WIDE =
  /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
const PRINTABLE_ASCII = /^[ -~]*$/;
const segmenter = new Intl.Segmenter();

/**
 * Rows as aligned columns. Columns in `right` align right. On a terminal the widest of the other columns
 * are shortened in the middle until a row fits; columns in `right` and `whole` hold numbers and never are.
 * @param width places in a row; the terminal's by default, without a limit elsewhere
 */
export function toTable(
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number>,
  { whole = new Set<number>(), width = terminalWidth() } = {},
): string {
  const needed = (rows[0] ?? []).map((_, column) =>
    largest(rows.map((row) => widthOf(row[column] ?? ''))),
  );
  const widths = fitted(needed, (column) => !right.has(column) && !whole.has(column), width);
  return rows
    .map((row) =>
      row
        .map((cell, column) => padded(cell, widths[column]!, right.has(column)))
        .join(GAP)
        .trimEnd(),
    )
    .join('\n');
}

/** Places that a text takes in a terminal. */
export function widthOf(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  return [...segmenter.segment(text)].reduce((sum, { segment }) => sum + placesOf(segment), 0);
}

/** A text of at most `width` places, its middle replaced by an ellipsis when it is longer. */
export function shortened(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const segments = [...segmenter.segment(text)].map(({ segment }) => segment);
  const head = taken(segments, Math.ceil((width - 1) / 2));
  const tail = taken([...segments].reverse(), Math.floor((width - 1) / 2));
  return `${head.join('')}…${tail.reverse().join('')}`;
}

function placesOf(segment: string): number {
  return WIDE.test(segment) ? 2 : 1;
}

function taken(segments: readonly string[], width: number): string[] {
  let places = 0;
  const end = segments.findIndex((segment) => (places += placesOf(segment)) > width);
  return segments.slice(0, end < 0 ? segments.length : end);
}

function fitted(
  needed: readonly number[],
  isFlexible: (column: number) => boolean,
  width: number,
): number[] {
  const widths = [...needed];
  let excess =
    widths.reduce((sum, each) => sum + each, 0) + GAP.length * (widths.length - 1) - width;
  for (; excess > 0; excess--) {
    const flexible = widths.map((each, column) => (isFlexible(column) ? each : 0));
    const widest = largest(flexible);
    if (widest <= LEAST_WIDTH) break;
    widths[flexible.indexOf(widest)]!--;
  }
  return widths;
}

function padded(cell: string, width: number, isRight: boolean): string {
  const text = shortened(cell, width);
  const space = ' '.repeat(width - widthOf(text));
  return isRight ? space + text : text + space;
}

function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || Infinity : Infinity;
}

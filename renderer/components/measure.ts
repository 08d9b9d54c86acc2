const SIZE = 12;
const context = document.createElement('canvas').getContext('2d');

let digitWidth = 0;

/** The width of a tabular digit in px: a canvas draws proportional ones, so that the page is asked once. */
function tabularDigit(): number {
  if (digitWidth > 0) return digitWidth;
  const ruler = document.createElement('span');
  ruler.style.cssText = `position: absolute; visibility: hidden; font-size: ${SIZE}px; font-variant-numeric: tabular-nums`;
  ruler.textContent = '0'.repeat(100);
  document.body.append(ruler);
  digitWidth = ruler.getBoundingClientRect().width / 100;
  ruler.remove();
  return digitWidth;
}

let hasFont = false;

/** Asked for once: the page has one font, and every question of its style would lay the page out. */
function setFont(of: CanvasRenderingContext2D): void {
  if (!hasFont) of.font = `${SIZE}px ${getComputedStyle(document.body).fontFamily}`;
  hasFont = true;
}

/** Asks the page for its style and its digits while it is empty: between two changes each question lays all of it out. */
export function prepareMeasuring(): void {
  measureText('0');
}

/** The width of a text in px as table cells show it: regular, 12px, with tabular digits. */
export function measureText(text: string): number {
  if (context === null) return text.length * 7;
  setFont(context);
  const others = text.replace(/\d/g, '');
  return context.measureText(others).width + (text.length - others.length) * tabularDigit();
}

const widths = new Map<string, number>();

/**
 * At least the width of a text in px, as measureText gives it: the sum of its characters, without the
 * kerning that draws some of them together. Thousands of names are measured so while a column is dragged.
 */
export function widthOf(text: string): number {
  let sum = 0;
  for (const character of text) {
    let width = widths.get(character);
    if (width === undefined) widths.set(character, (width = measureText(character)));
    sum += width;
  }
  return sum;
}

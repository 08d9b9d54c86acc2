// What the pointer and the arrow keys find on a chart.

/** A mark of a chart: its box in pixels, what its tooltip says, and what Enter or a click does. */
export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  /** One line per figure, with its unit. */
  readonly lines: readonly string[];
  readonly onchoose?: () => void;
}

/** How far from its box a mark is still meant, in pixels. */
const REACH = 12;

/** The index of the mark that a point means: the least box around it, else the nearest within reach; -1 where there is none. */
export function markAt(marks: readonly Mark[], x: number, y: number): number {
  let found = -1;
  let best = REACH;
  let area = Infinity;
  for (const [index, mark] of marks.entries()) {
    const aside = Math.max(mark.x - x, 0, x - mark.x - mark.width);
    const above = Math.max(mark.y - y, 0, y - mark.y - mark.height);
    const away = Math.hypot(aside, above);
    const size = mark.width * mark.height;
    if (away < best || (away === best && size < area)) {
      found = index;
      best = away;
      area = size;
    }
  }
  return found;
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowRight: 1,
  ArrowDown: 1,
  ArrowLeft: -1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
  Home: -Infinity,
  End: Infinity,
};

/** The mark that a key leads to from another (-1: none yet); null for a key that does not move. */
export function nextMark(count: number, from: number, key: string): number | null {
  const step = STEPS[key];
  if (step === undefined || count === 0) return null;
  // Into the chart: backwards from its end, any other way from its start.
  if (from < 0) return key === 'End' || (step < 0 && key !== 'Home') ? count - 1 : 0;
  return Math.min(count - 1, Math.max(0, from + step));
}

/** Where a tooltip stands: over its mark, under it where there is no room, inside the window. */
export function tooltipPlace(
  mark: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  tooltip: { readonly width: number; readonly height: number },
  windowWidth: number,
): { readonly left: number; readonly top: number } {
  const GAP = 8;
  const EDGE = 4;
  const middle = mark.x + mark.width / 2 - tooltip.width / 2;
  const left = Math.max(EDGE, Math.min(windowWidth - tooltip.width - EDGE, middle));
  const over = mark.y - tooltip.height - GAP;
  return { left, top: over >= EDGE ? over : mark.y + mark.height + GAP };
}

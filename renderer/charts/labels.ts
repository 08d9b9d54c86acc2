// Where the labels of marks stand: inside the plot, and on no other label.

export interface Labelled {
  readonly text: string;
  /** The middle of the mark. */
  readonly x: number;
  readonly y: number;
  /** px of the text. */
  readonly width: number;
  /** Whether it may be left out where it fits nowhere. */
  readonly isOptional: boolean;
}

export interface Bounds {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where a label starts, and its baseline; null where it is left out. */
export interface Placed {
  readonly x: number;
  readonly y: number;
}

/** px of a line of text above its baseline, and under it. */
const ASCENT = 9;
const DESCENT = 3;
/** px from the middle of a mark to its label. */
const GAP = 8;

interface Box {
  readonly x0: number;
  readonly x1: number;
  readonly y0: number;
  readonly y1: number;
}

/** The places around a mark, best first: beside and over it, beside and under it, right over and right under it. */
function places({ x, y, width }: Labelled): readonly Placed[] {
  const [right, left, middle] = [x + GAP, x - GAP - width, x - width / 2];
  return [
    { x: right, y: y - 5 },
    { x: left, y: y - 5 },
    { x: right, y: y + 15 },
    { x: left, y: y + 15 },
    { x: middle, y: y - GAP - 2 },
    { x: middle, y: y + GAP + ASCENT },
    { x: right, y: y - 18 },
    { x: left, y: y - 18 },
    { x: right, y: y + 28 },
    { x: left, y: y + 28 },
  ];
}

function boxOf({ x, y }: Placed, width: number): Box {
  return { x0: x, x1: x + width, y0: y - ASCENT, y1: y + DESCENT };
}

function overlap(a: Box, b: Box): number {
  const width = Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0);
  const height = Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0);
  return width > 0 && height > 0 ? width * height : 0;
}

/** px between the points at which a line is held against labels. */
const LINE_STEP = 4;

/** Points along lines, so near to each other that none crosses a label unseen. */
function along(lines: readonly (readonly Placed[])[]): readonly Placed[] {
  return lines.flatMap((line) =>
    line.slice(1).flatMap((to, at) => {
      const from = line[at] ?? to;
      const steps = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / LINE_STEP);
      return Array.from({ length: steps }, (_, step) => {
        const share = (step + 1) / steps;
        return { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
      });
    }),
  );
}

const holds = ({ x0, x1, y0, y1 }: Box, { x, y }: Placed): boolean =>
  x > x0 && x < x1 && y > y0 && y < y1;

/**
 * Places for labels in the order of their importance. A label that fits nowhere without touching another
 * or a mark is left out where it may be, else it takes the place that covers least; none leaves the bounds.
 * Of places that cover the same it takes the one that hides least of the lines.
 */
export function placeLabels(
  labels: readonly Labelled[],
  bounds: Bounds,
  lines: readonly (readonly Placed[])[] = [],
): readonly (Placed | null)[] {
  const points = along(lines);
  const taken: Box[] = labels.map(({ x, y }) => ({ x0: x - 4, x1: x + 4, y0: y - 4, y1: y + 4 }));
  return labels.map((label) => {
    const options = places(label).map((place) => {
      const x = Math.max(bounds.left, Math.min(place.x, bounds.right - label.width));
      const y = Math.max(bounds.top + ASCENT, Math.min(place.y, bounds.bottom - DESCENT));
      const box = boxOf({ x, y }, label.width);
      const covered = taken.reduce((sum, other) => sum + overlap(box, other), 0);
      const hidden = points.filter((point) => holds(box, point)).length;
      return { x, y, box, covered, hidden };
    });
    const best = options.reduce((least, each) =>
      each.covered < least.covered || (each.covered === least.covered && each.hidden < least.hidden)
        ? each
        : least,
    );
    if (best.covered > 0 && label.isOptional) return null;
    taken.push(best.box);
    return { x: best.x, y: best.y };
  });
}

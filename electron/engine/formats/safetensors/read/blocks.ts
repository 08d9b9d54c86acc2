/** Module paths are about ten parts long; a longer path is shown as it is, so that a name of dots costs no more. */
const MAX_PARTS = 32;

/** A part of a path: the parts behind it, and the numbers that stand at its place. */
interface Place {
  /** Made only where paths go on: most places end one. */
  next: Map<string, Place> | null;
  least: number;
  most: number;
}

/**
 * For each layer, its path with the numbers of blocks that repeat as a span: a stack of twelve
 * equal blocks is `encoder.layers.0..11`. A number stands alone where its path has no other.
 * Linear in the layers' lengths, as paths share the places of their first parts.
 */
export function blockPaths(layers: readonly string[]): string[] {
  const root = newPlace();
  for (const layer of layers)
    forEachNumber(partsOf(layer), root, (place, number) => {
      place.least = Math.min(place.least, number);
      place.most = Math.max(place.most, number);
    });
  return layers.map((layer) => {
    const parts = partsOf(layer);
    forEachNumber(parts, root, ({ least, most }, number, at) => {
      parts[at] = least === most ? String(number) : `${least}..${most}`;
    });
    return parts.length === 0 ? layer : parts.join('.');
  });
}

function newPlace(): Place {
  return { next: null, least: Infinity, most: -Infinity };
}

/** The parts of a path; none where there are too many. */
function partsOf(layer: string): string[] {
  const parts = layer.split('.', MAX_PARTS + 1);
  return parts.length > MAX_PARTS ? [] : parts;
}

/** Visit each numeric part with its place: numbers at one place have equal paths before them, their numbers aside. */
function forEachNumber(
  parts: readonly string[],
  root: Place,
  visit: (place: Place, number: number, at: number) => void,
): void {
  let place = root;
  for (const [at, part] of parts.entries()) {
    const isNumber = /^\d{1,9}$/.test(part);
    const key = isNumber ? '#' : `.${part}`;
    place.next ??= new Map();
    const next = place.next.get(key) ?? newPlace();
    place.next.set(key, next);
    if (isNumber) visit(next, Number(part), at);
    place = next;
  }
}

/**
 * For each layer, its path with the numbers of blocks that repeat as a span: a stack of twelve
 * equal blocks is `encoder.layers.0..11`. A number stands alone where its path has no other.
 */
export function blockPaths(layers: readonly string[]): string[] {
  const spans = new Map<string, { least: number; most: number }>();
  for (const layer of layers)
    forEachNumber(layer, (before, number) => {
      const span = spans.get(before);
      if (span === undefined) spans.set(before, { least: number, most: number });
      else {
        span.least = Math.min(span.least, number);
        span.most = Math.max(span.most, number);
      }
    });
  return layers.map((layer) =>
    forEachNumber(layer, (before, number) => {
      const { least, most } = spans.get(before)!;
      return least === most ? String(number) : `${least}..${most}`;
    }),
  );
}

/** The path with each numeric part replaced by what `visit` gives for the path before it, itself replaced so far. */
function forEachNumber(
  layer: string,
  visit: (before: string, number: number) => string | void,
): string {
  let [keys, shown] = ['', ''];
  for (const part of layer.split('.')) {
    const isNumber = /^\d{1,9}$/.test(part);
    const word = isNumber ? (visit(keys, Number(part)) ?? part) : part;
    shown += shown === '' ? word : `.${word}`;
    keys += isNumber ? '.#' : `.${part}`;
  }
  return shown;
}

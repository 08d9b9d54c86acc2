const context = document.createElement('canvas').getContext('2d');

/**
 * The width of a text in px in the font of table cells. Digits count as zeros: they are tabular in the
 * table, and a canvas does not know.
 */
export function measureText(text: string): number {
  if (context === null) return text.length * 7;
  const { fontFamily } = getComputedStyle(document.body);
  context.font = `12px ${fontFamily}`;
  return context.measureText(text.replace(/\d/g, '0')).width;
}

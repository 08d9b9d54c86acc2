// A chart as a picture of its own, outside the page and its style sheet.

/** The properties that the charts' look comes from: as attributes they hold in any SVG reader. */
const LOOK = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-opacity',
  'stroke-dasharray',
  'stroke-linecap',
  'stroke-linejoin',
  'opacity',
  'paint-order',
  'shape-rendering',
  'text-anchor',
  'font-family',
  'font-size',
  'font-weight',
  'font-variant-numeric',
] as const;

/** Attributes that only the page needs. */
const DROPPED = /^(class|style|tabindex|role|id|aria-.*|data-.*)$/;
const GEOMETRY = /^([xyrd]|[xy][12]|c[xy]|r[xy]|width|height|points|transform)$/;

/** Room around the drawing, in pixels: labels may stand over its edge. */
const MARGIN = 8;

/** A size in pixels. */
export interface Picture {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

/**
 * A chart in the page as an SVG document that stands alone: styles written out as attributes, colours
 * resolved in the present theme, the surface behind it, and its sentence as the title.
 */
export function pictureOf(chart: SVGSVGElement, title: string): Picture {
  const copy = chart.cloneNode(true) as SVGSVGElement;
  writeLook(chart, copy, null);
  for (const unseen of copy.querySelectorAll('[data-unseen], [fill="transparent"]'))
    unseen.remove();
  const { width, height } = chart.getBoundingClientRect();
  const outer = { width: Math.ceil(width) + 2 * MARGIN, height: Math.ceil(height) + 2 * MARGIN };
  clean(copy);
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('width', String(outer.width));
  copy.setAttribute('height', String(outer.height));
  copy.setAttribute('viewBox', `${-MARGIN} ${-MARGIN} ${outer.width} ${outer.height}`);
  copy.prepend(titleElement(title), surface(chart, outer));
  return { svg: new XMLSerializer().serializeToString(copy), ...outer };
}

/** Writes onto a copy what the page's style sheet gives the original, where its parent does not give it anyway. */
function writeLook(from: Element, to: Element, parent: CSSStyleDeclaration | null): void {
  const style = getComputedStyle(from);
  for (const name of LOOK) {
    const value = style.getPropertyValue(name);
    const given = name === 'opacity' ? '1' : parent?.getPropertyValue(name);
    if (value === given) to.removeAttribute(name);
    else to.setAttribute(name, value);
  }
  for (const [index, child] of [...from.children].entries()) {
    const copied = to.children[index];
    if (copied !== undefined) writeLook(child, copied, style);
  }
}

/** Takes away what only the page needs, and rounds numbers to a hundredth of a pixel. */
function clean(copy: Element): void {
  for (const element of [copy, ...copy.querySelectorAll('*')])
    for (const { name, value } of [...element.attributes]) {
      if (DROPPED.test(name)) element.removeAttribute(name);
      else if (GEOMETRY.test(name)) element.setAttribute(name, rounded(value));
    }
  const comments = document.createNodeIterator(copy, NodeFilter.SHOW_COMMENT);
  for (let node = comments.nextNode(); node !== null; node = comments.nextNode())
    node.parentNode?.removeChild(node);
}

function rounded(value: string): string {
  return value.replace(/-?\d+\.\d+/g, (text) => String(Number(Number(text).toFixed(2))));
}

function titleElement(title: string): Element {
  const element = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  element.textContent = title;
  return element;
}

function surface(chart: Element, { width, height }: { width: number; height: number }): Element {
  const rect = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  const colour = getComputedStyle(chart).getPropertyValue('--surface').trim();
  const attributes = { x: -MARGIN, y: -MARGIN, width, height, fill: colour };
  for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, String(value));
  return rect;
}

/**
 * The picture with the window's font in it: an image is drawn by itself, without the page's fonts. The SVG that is copied
 * as text has none, as it would make 100 kB of 5 kB; its reader falls back to a font of the system.
 */
async function withFont(svg: string): Promise<string> {
  const font =
    await import('@fontsource-variable/inter/files/inter-latin-wght-normal.woff2?inline');
  const face = `@font-face{font-family:"Inter Variable";font-weight:100 900;src:url(${font.default}) format("woff2")}`;
  return svg.replace(/(<svg[^>]*>)/, `$1<style>${face}</style>`);
}

/** Pixels of the picture per pixel of the page, so that it is sharp where it is pasted. */
const PIXELS = 2;

/**
 * A picture as the bytes of a PNG.
 * @throws when the SVG cannot be drawn.
 */
export async function pngOf({ svg, width, height }: Picture): Promise<Uint8Array<ArrayBuffer>> {
  const drawn = await withFont(svg);
  const url = URL.createObjectURL(new Blob([drawn], { type: 'image/svg+xml' }));
  try {
    const image = new Image(width * PIXELS, height * PIXELS);
    image.src = url;
    await image.decode();
    const canvas = new OffscreenCanvas(width * PIXELS, height * PIXELS);
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await canvas.convertToBlob({ type: 'image/png' });
    return new Uint8Array(await blob.arrayBuffer());
  } finally {
    URL.revokeObjectURL(url);
  }
}

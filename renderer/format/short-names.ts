// Names that are too long for their place: shortened in the middle, so that no two read the same.
import { shownName } from './names.ts';

const DOTS = '…';

/** Where a path is parted: after a single separator. The two dots of a span of blocks are none. */
const PARTS = /(?<=[^./:][./:])(?=[^./:])/;

const SEPARATOR = /[./:]$/;

/** From so many characters on, the beginning that tells a part from its siblings is itself shortened. */
const LONG_PREFIX = 8;

/** Fewer first characters of a part than this say nothing. */
const LEAST_START = 4;

/** px that a text takes. */
export type Measure = (text: string) => number;

/**
 * What each name reads in `room` px: itself where it fits; else its beginning and its end around dots; and
 * where several would read the same, the parts of their paths cut to what tells them apart.
 */
export function shortNames(
  names: readonly string[],
  room: number,
  measure: Measure,
): ReadonlyMap<string, string> {
  const short = new Map<string, string>();
  for (const name of names) if (!short.has(name)) short.set(name, inMiddle(name, room, measure));
  for (const alike of collisions(short))
    for (const [name, text] of toldApart(alike, room, measure)) short.set(name, text);
  for (const alike of collisions(short))
    for (const [name, text] of abbreviated(alike, room, measure)) short.set(name, text);
  for (const alike of collisions(short))
    for (const [index, name] of alike.entries())
      short.set(name, `${short.get(name) ?? ''} ·${index + 1}`);
  return short;
}

/**
 * A name with dots in place of what does not fit: the last parts of its path stay whole, as many as fit,
 * and its first ones where there is room for them too. A part is cut only where the last one fills less than half.
 */
function inMiddle(name: string, room: number, measure: Measure): string {
  const shown = shownName(name);
  if (measure(shown) <= room) return shown;
  const parts = shown.split(PARTS);
  const tail = lastParts(parts, room - measure(DOTS), measure);
  if (tail.length === 0) return cutPart(shown, parts.at(-1) ?? '', room, measure);
  const end = tail.join('');
  const rest = parts.slice(0, -tail.length);
  if (measure(end) < room / 2) {
    const next = rest.at(-1) ?? '';
    const separator = SEPARATOR.exec(next)?.[0] ?? '';
    const start = beginning(next, room - measure(DOTS + separator + end), measure);
    if (start.length >= LEAST_START) return start + DOTS + separator + end;
  }
  let head = '';
  for (const part of rest) {
    if (measure(head + part + DOTS + end) > room) break;
    head += part;
  }
  return head + DOTS + end;
}

/** The last parts of a path that fit together. */
function lastParts(parts: readonly string[], room: number, measure: Measure): readonly string[] {
  let taken = 0;
  while (taken < parts.length && measure(parts.slice(-taken - 1).join('')) <= room) taken++;
  return taken === 0 ? [] : parts.slice(-taken);
}

/** A name whose last part alone does not fit: the beginning of that part, or of a name of one part, and its end. */
function cutPart(shown: string, last: string, room: number, measure: Measure): string {
  const isWhole = last === shown;
  const start = beginning(last, room / (isWhole ? 2 : 3), measure);
  const dots = isWhole ? '' : DOTS;
  const end = ending(last, room - measure(dots + start + DOTS), measure);
  return measure(dots + start + DOTS + end) <= room ? dots + start + DOTS + end : end;
}

/** As many first characters as fit. */
function beginning(text: string, room: number, measure: Measure): string {
  const characters = Array.from(text);
  let taken = '';
  for (const character of characters) {
    if (measure(taken + character) > room) break;
    taken += character;
  }
  return taken;
}

/** As many last characters as fit. */
function ending(text: string, room: number, measure: Measure): string {
  let taken = '';
  for (const character of Array.from(text).reverse()) {
    if (measure(character + taken) > room) break;
    taken = character + taken;
  }
  return taken;
}

/** The names that read the same, together. */
function collisions(short: ReadonlyMap<string, string>): readonly (readonly string[])[] {
  const byText = new Map<string, string[]>();
  for (const [name, text] of short) {
    const group = byText.get(text);
    if (group === undefined) byText.set(text, [name]);
    else group.push(name);
  }
  return [...byText.values()].filter(({ length }) => length > 1);
}

/** Each name by the first part that tells it from the others, cut to what tells, and its last parts. */
function toldApart(
  names: readonly string[],
  room: number,
  measure: Measure,
): readonly (readonly [string, string])[] {
  const paths = names.map((name) => shownName(name).split(PARTS));
  const depth = Math.max(
    0,
    (paths[0] ?? []).findIndex((part, at) => paths.some((other) => other[at] !== part)),
  );
  const siblings = paths.map((other) => other[depth] ?? '');
  return paths.map((parts, index) => {
    const start = (depth === 0 ? '' : DOTS) + telling(parts[depth] ?? '', siblings);
    const after = parts.slice(depth + 1);
    const whole = start + after.join('');
    if (measure(whole) <= room) return [names[index] ?? '', whole];
    const bare = start.replace(SEPARATOR, '') + DOTS;
    return [names[index] ?? '', bare + lastParts(after, room - measure(bare), measure).join('')];
  });
}

/** Paths whose parts are cut, from the left on and as far as there is need, to what tells them from their siblings. */
function abbreviated(
  names: readonly string[],
  room: number,
  measure: Measure,
): readonly (readonly [string, string])[] {
  const paths = names.map((name) => shownName(name).split(PARTS));
  return paths.map((parts, index) => {
    const least = parts.map((part, depth) => {
      const siblings = paths.filter((other) => sameStart(parts, other, depth));
      return telling(
        part,
        siblings.map((other) => other[depth] ?? ''),
      );
    });
    let taken = least.length;
    const text = (): string => [...least.slice(0, taken), ...parts.slice(taken)].join('');
    while (taken > 0) {
      taken--;
      if (measure(text()) > room) {
        taken++;
        break;
      }
    }
    return [names[index] ?? '', text()];
  });
}

function sameStart(a: readonly string[], b: readonly string[], depth: number): boolean {
  for (let at = 0; at < depth; at++) if (a[at] !== b[at]) return false;
  return true;
}

/** The beginning of a part that none of its siblings has, with its separator. Numbers stay whole. */
function telling(part: string, siblings: readonly string[]): string {
  const separator = SEPARATOR.exec(part)?.[0] ?? '';
  const word = part.slice(0, part.length - separator.length);
  if (/^\d/.test(word)) return part;
  const others = siblings.filter((sibling) => sibling !== part);
  let length = 1;
  while (length < word.length && others.some((other) => other.startsWith(word.slice(0, length))))
    length++;
  const prefix = word.slice(0, length);
  return (prefix.length > LONG_PREFIX ? DOTS + prefix.slice(-4) : prefix) + separator;
}

const known = new WeakMap<readonly string[], Map<number, ReadonlyMap<string, string>>>();

/** shortNames, computed once for a list and a room: every row of a table asks for its own name. */
export function shortNameOf(
  name: string,
  names: readonly string[],
  room: number,
  measure: Measure,
): string {
  let byRoom = known.get(names);
  if (byRoom === undefined) {
    byRoom = new Map<number, ReadonlyMap<string, string>>();
    known.set(names, byRoom);
  }
  let short = byRoom.get(room);
  if (short === undefined) {
    // While a column is dragged there is a new width with every frame.
    if (byRoom.size > 4) byRoom.clear();
    byRoom.set(room, (short = shortNames(names, room, measure)));
  }
  return short.get(name) ?? inMiddle(name, room, measure);
}

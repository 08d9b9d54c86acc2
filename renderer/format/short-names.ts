// Names that are too long for their place: shortened in the middle, so that no two read the same.
import { middleParts, shownName } from './names.ts';

const DOTS = '…';

/** Where a path is parted: after a single separator. The two dots of a span of blocks are none. */
const PARTS = /(?<=[^./:][./:])(?=[^./:])/;

/** From so many characters on, the beginning that tells a part from its siblings is itself shortened. */
const LONG_PREFIX = 8;

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
    for (const [name, text] of abbreviated(alike, room, measure)) short.set(name, text);
  for (const alike of collisions(short))
    for (const [index, name] of alike.entries())
      short.set(name, `${short.get(name) ?? ''} ·${index + 1}`);
  return short;
}

/** A name with dots in place of its middle: its end as middleParts has it, and as much of its beginning as fits. */
function inMiddle(name: string, room: number, measure: Measure): string {
  const shown = shownName(name);
  if (measure(shown) <= room) return shown;
  const { head, tail } = middleParts(shown);
  const left = room - measure(DOTS + tail);
  if (left >= 0) return beginning(head, left, measure) + DOTS + tail;
  const start = beginning(shown, room / 4, measure);
  return start + DOTS + ending(tail, room - measure(start + DOTS), measure);
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
  const separator = /[./:]$/.exec(part)?.[0] ?? '';
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

import { fieldsOf, SCALAR_BYTES } from '../../electron/engine/formats/litert/read/schema.ts';
import { extremes, putInteger, type Random } from './mutate.ts';

/** A place of a FlatBuffer that says something of its structure. */
interface Site {
  readonly at: number;
  readonly width: number;
  readonly kind: 'offset' | 'vtable' | 'count' | 'scalar';
}

export interface Sites {
  readonly sites: readonly Site[];
  /** Where tables, vectors and strings begin. */
  readonly objects: readonly number[];
  /** Places of the offsets that lead to vectors of tables, and to strings and vectors of bytes. */
  readonly lists: readonly { readonly at: number; readonly of: 'tables' | 'bytes' }[];
}

/** How many elements of a vector are places of their own: the first ones. */
const ELEMENTS = 8;

/** Every place of a well-formed file, by the facts of the schema. */
export function sitesOf(bytes: Uint8Array): Sites {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sites: Site[] = [{ at: 4, width: 4, kind: 'scalar' }];
  const lists: { at: number; of: 'tables' | 'bytes' }[] = [];
  const seen = new Set<string>();
  const follow = (at: number): number => {
    sites.push({ at, width: 4, kind: 'offset' });
    return at + view.getUint32(at, true);
  };
  const vector = (at: number, width: number): void => {
    const count = view.getUint32(at, true);
    sites.push({ at, width: 4, kind: 'count' });
    for (let index = 0; index < Math.min(count, ELEMENTS); index++)
      sites.push({ at: at + 4 + index * width, width, kind: 'scalar' });
  };
  const visit = (table: string, at: number): void => {
    if (seen.has(`${table} ${at}`)) return;
    seen.add(`${table} ${at}`);
    const vtable = at - view.getInt32(at, true);
    sites.push({ at, width: 4, kind: 'vtable' });
    const entries = view.getUint16(vtable, true) / 2;
    for (let entry = 0; entry < entries; entry++)
      sites.push({ at: vtable + 2 * entry, width: 2, kind: 'vtable' });
    const member = new Map<number, number>();
    for (const { id, type } of fieldsOf(table)) {
      const offset = id + 2 < entries ? view.getUint16(vtable + 4 + 2 * id, true) : 0;
      if (offset === 0) continue;
      const place = at + offset;
      if (type.kind === 'scalar') {
        member.set(id, view.getUint8(place));
        sites.push({ at: place, width: SCALAR_BYTES[type.scalar], kind: 'scalar' });
        continue;
      }
      const target = follow(place);
      if (type.kind === 'string') {
        lists.push({ at: place, of: 'bytes' });
        vector(target, 1);
      } else if (type.kind === 'vector') vector(target, SCALAR_BYTES[type.scalar]);
      else if (type.kind === 'table') visit(type.table, target);
      else if (type.kind === 'union') visit(type.members[member.get(id - 1) ?? 0]!, target);
      else {
        lists.push({ at: place, of: 'tables' });
        vector(target, 4);
        for (let index = 0; index < view.getUint32(target, true); index++)
          visit(type.table, follow(target + 4 + 4 * index));
      }
      seen.add(`object ${target}`);
    }
  };
  visit('Model', follow(0));
  return { sites, lists, objects: [...seen].map((name) => Number(name.split(' ')[1])) };
}

/** The file with one to four places changed: integers at their edges, a little off, or offsets that lead to other objects. */
export function mutateFlatBuffer(
  source: Uint8Array,
  { sites, objects }: Sites,
  random: Random,
): Uint8Array {
  const bytes = Uint8Array.from(source);
  const view = new DataView(bytes.buffer);
  for (let change = random.below(4); change >= 0; change--) {
    const { at, width, kind } = random.pick(sites);
    if (kind === 'offset' && random.oneIn(2)) view.setUint32(at, random.pick(objects) - at, true);
    else if (random.oneIn(3)) bytes[at] = bytes[at]! + random.below(9) - 4;
    else if (random.oneIn(4)) {
      const from = random.pick(sites).at;
      bytes.copyWithin(at, from, from + width);
    } else putInteger(bytes, at, width, random.pick(extremes(bytes.length - at)));
  }
  return random.oneIn(20) ? bytes.slice(0, random.pick(sites).at + random.below(9)) : bytes;
}

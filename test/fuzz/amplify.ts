// Small files that stand for much: many of one element, long names, one long value that many share, deep nesting.
import type { Sites } from './flatbuffer-sites.ts';
import { putInteger, type Random } from './mutate.ts';
import { encodeAll, encoded, type ProtoNode } from './protobuf-tree.ts';

/** An amplified file is made about this much larger at most, so that limits for a mebibyte hold for it. */
const LARGEST = 1 << 19;

/** Bytes to add: most often few, as what is quadratic in a hundred thousand shows at ten thousand, too. */
function room(random: Random): number {
  return LARGEST >> random.below(7);
}

/** A long name: of words that readers split, count or compare. */
function longText(length: number, random: Random): string {
  const part = random.pick(['.', '.1', '_a', '1a', '/', 'layers.0.', ' ', '\u00e9']);
  return `a${part.repeat(Math.max(1, Math.floor(length / part.length)))}weight`.slice(
    0,
    length + 7,
  );
}

const isText = ({ type, bytes, children }: ProtoNode): boolean =>
  type === 2 && children === null && bytes.length > 0 && bytes.every((byte) => byte >= 32);

/** The message with one of its fields many times over, alike or each under names of its own. */
function repeated(node: ProtoNode, random: Random): Uint8Array {
  const one = encoded(node);
  const times = Math.floor(room(random) / (one.length + 4));
  const renamed = random.oneIn(2) ? textsOf(node).filter(() => random.oneIn(2)) : [];
  return Buffer.concat(
    Array.from({ length: Math.max(2, times) }, (_, copy) => {
      if (renamed.length === 0) return one;
      const named = renamed.map((text): [ProtoNode, Uint8Array] => [
        text,
        encoded(text, Buffer.concat([text.bytes, Buffer.from(String(copy))])),
      ]);
      return encodeAll([node], new Map(named));
    }),
  );
}

/** A tensor of many values by its first dimension and its raw data; null where it has none of them. */
function grown(tensor: ProtoNode, random: Random): Uint8Array | null {
  const dims = tensor.children?.find(({ number, type }) => number === 1 && type === 0);
  const data = tensor.children?.find(({ number, type }) => number === 9 && type === 2);
  if (dims === undefined || data === undefined || data.bytes.length === 0) return null;
  const times = Math.max(2, Math.floor(room(random) / 2 / data.bytes.length));
  const edits = new Map([
    [dims, encoded({ ...dims, value: dims.value * BigInt(times) })],
    [data, encoded(data, Buffer.concat(Array<Uint8Array>(times).fill(data.bytes)))],
  ]);
  return encoded(tensor, encodeAll(tensor.children!, edits));
}

function textsOf(node: ProtoNode): ProtoNode[] {
  return isText(node) ? [node] : (node.children ?? []).flatMap(textsOf);
}

function nested(node: ProtoNode, random: Random): Uint8Array {
  let bytes = node.bytes;
  for (let level = random.pick([20, 99, 101, 2000]); level > 0; level--)
    bytes = encoded({ ...node, type: 2 }, bytes);
  return bytes;
}

/** A protobuf amplified in one way, or in two at once: a long name or a large tensor that many copies share. */
export function amplifyProtobuf(
  tree: readonly ProtoNode[],
  nodes: readonly ProtoNode[],
  random: Random,
): Uint8Array {
  const edits = new Map<ProtoNode, Uint8Array>();
  const texts = nodes.filter(isText);
  for (let change = random.below(2); change >= 0; change--) {
    const node = random.pick(nodes);
    const way = random.below(5);
    if (way === 0) edits.set(node, repeated(node, random));
    else if (way === 1) edits.set(node, nested(node, random));
    else if (way === 4) {
      // Large tensors, and many of something that may refer to them by name.
      const users = nodes.filter(({ children }) => children?.some(isText) === true);
      const user = users.length > 0 ? random.pick(users) : node;
      edits.set(user, repeated(user, random));
      for (const tensor of nodes) {
        const large = random.oneIn(2) ? grown(tensor, random) : null;
        if (large !== null) edits.set(tensor, large);
      }
    } else if (texts.length > 0) {
      const picked = random.pick(texts);
      // A name is renamed wherever it stands, or all names of one kind become the same.
      const isAlike = (text: ProtoNode): boolean =>
        way === 2
          ? Buffer.compare(text.bytes, picked.bytes) === 0
          : text.number === picked.number && random.oneIn(4);
      const alike = texts.filter(isAlike);
      const long = Buffer.from(longText(room(random) / Math.max(1, alike.length), random));
      for (const text of alike) edits.set(text, encoded(text, long));
    }
  }
  return encodeAll(tree, edits);
}

/** A safetensors header amplified, and bytes to add at the end: long names, many empty tensors, or one large scale that many weights share. */
export function amplifyHeader(
  text: string,
  random: Random,
): { readonly header: string; readonly added: Uint8Array } {
  const header = JSON.parse(text) as Header;
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  const alone = (amplified: string) => ({ header: amplified, added: new Uint8Array(0) });
  if (names.length === 0) return alone(text);
  const name = random.pick(names);
  if (random.oneIn(3)) return alone(text.replaceAll(name, longText(room(random) / 4, random)));
  if (random.oneIn(8)) return alone(deep({ ...header, [name]: 0 }, name, random));
  const count = Math.floor(room(random) / 100);
  const stored = header[name]!;
  const end = Math.max(...names.map((each) => (header[each]!['data_offsets'] as number[])[1]!));
  const shape = [...((stored['shape'] as number[] | undefined) ?? []), 0];
  const ending = random.pick(['.weight', '.weight_scale', '.qweight', '']);
  const metadata = header['__metadata__'];
  if (metadata !== undefined && typeof metadata[QUANTIZATION] === 'string')
    return sharedScale(header, end, random);
  for (let copy = 0; copy < count; copy++)
    header[`${random.oneIn(9) ? 'x' : name}.${copy}${ending}`] = {
      ...{ dtype: stored['dtype'], shape, data_offsets: [end, end] },
    };
  return alone(JSON.stringify(header));
}

type Header = Record<string, Record<string, unknown>>;
const QUANTIZATION = 'quantscope.quantization';

/** Descriptions of many empty weights that all have one scale, which is as large as fits. */
function sharedScale(
  header: Header,
  end: number,
  random: Random,
): { readonly header: string; readonly added: Uint8Array } {
  const metadata = header['__metadata__']!;
  const described = JSON.parse(String(metadata[QUANTIZATION])) as Header;
  const channels = Math.floor(room(random) / 8);
  // A float32 whose bytes are 63 is 0.747.
  const added = new Uint8Array(4 * channels).fill(63);
  const last = end + added.length;
  header['shared.scale'] = { dtype: 'F32', shape: [channels], data_offsets: [end, last] };
  const one = { dtype: 'int8', shape: [channels, 0], axis: 0, scale: 'shared.scale' };
  for (let copy = Math.floor(room(random) / 250); copy > 0; copy--) {
    header[`c${copy}`] = { dtype: 'I8', shape: [channels, 0], data_offsets: [last, last] };
    described[`w${copy}`] = { ...one, codes: `c${copy}` };
  }
  metadata[QUANTIZATION] = JSON.stringify(described);
  return { header: JSON.stringify(header), added };
}

/** Lists within lists in place of an entry, as text: they are deeper than JSON.stringify goes. */
function deep(header: object, name: string, random: Random): string {
  const levels = random.pick([50, 500, 5000]);
  const key = `${JSON.stringify(name)}:`;
  const lists = '['.repeat(levels) + ']'.repeat(levels);
  return JSON.stringify(header).replace(`${key}0`, () => key + lists);
}

/** A FlatBuffer with a vector of many references to the same tables, or with a long string that others share. */
export function amplifyFlatBuffer(
  source: Uint8Array,
  { sites, lists }: Sites,
  random: Random,
): Uint8Array {
  const list = random.pick(lists.filter(({ of }) => of === (random.oneIn(2) ? 'tables' : 'bytes')));
  const old = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const target = list.at + old.getUint32(list.at, true);
  const size = (room(random) >> 4) << 4;
  const bytes = new Uint8Array(source.length + size);
  bytes.set(source.subarray(0, target));
  bytes.set(source.subarray(target), target + size);
  const view = new DataView(bytes.buffer);
  const moved = (at: number): number => (at < target ? at : at + size);
  for (const { at, kind, width } of sites) {
    if (width !== 4 || (kind !== 'offset' && kind !== 'vtable')) continue;
    const sign = kind === 'offset' ? 1 : -1;
    const to = at + sign * old.getInt32(at, true);
    view.setInt32(moved(at), sign * (moved(to) - moved(at)), true);
  }
  view.setUint32(list.at, target - list.at, true);
  const count = old.getUint32(target, true);
  if (list.of === 'tables' && count > 0) {
    putInteger(bytes, target, 4, BigInt(size / 4 - 1));
    const few = random.pick([1, count]);
    for (let place = 4; place < size; place += 4) {
      const from = target + 4 + 4 * ((place / 4 - 1) % few);
      const to = moved(from + old.getUint32(from, true));
      view.setUint32(target + place, to - (target + place), true);
    }
  } else {
    putInteger(bytes, target, 4, BigInt(size - 8));
    bytes.set(Buffer.from(longText(size - 32, random)).subarray(0, size - 8), target + 4);
    for (const other of lists)
      if (other.of === 'bytes' && other.at < target && random.oneIn(2))
        view.setUint32(other.at, target - other.at, true);
  }
  return bytes;
}

/** Parts of patterns that make a regular expression large, or slow where an engine tries every way. */
const PATTERN_PARTS = ['(a|b?)', '\\p{L}', 'a{15}', '[a-z]*', '.*', '(a+)+', 'x?', '|', '('];

/** A recipe amplified: many rules, long patterns, or lists within lists. */
export function amplifyRecipe(text: string, random: Random): string {
  const recipe = JSON.parse(text) as { rules: { match: Record<string, string> }[] };
  const pattern = (length: number): string => {
    const part = random.pick(PATTERN_PARTS);
    return part.repeat(Math.ceil(length / part.length));
  };
  const way = random.below(4);
  if (way === 0) return deep({ ...recipe, default: 0 }, 'default', random);
  const rules = recipe.rules;
  const count = way === 1 ? 1 : random.pick([50, 200, 201, 4000]);
  const length = way === 1 ? room(random) / 16 : random.pick([3, 20, 100]);
  for (let copy = 0; copy < count; copy++) {
    const rule = random.pick(recipe.rules.slice(0, 4));
    const name = random.oneIn(3) ? `^w${copy}$` : `${pattern(length)}${copy}`;
    rules.push({ ...rule, match: { ...rule.match, [random.pick(['name', 'layer'])]: name } });
  }
  return JSON.stringify(recipe);
}

/** A .npy header, as text, of many dimensions or long numbers, as long as the one it replaces. */
export function amplifyShape(length: number, random: Random): string {
  const dims = random.pick(['1, ', '0, ', '2, ', '9', '(', '1,']).repeat(length);
  const start = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
  return `${start}${dims}`.slice(0, length - 3) + '), ';
}

import { concat, tag, varint } from '../helpers/protobuf.ts';
import { extremes, TEXTS, type Random } from './mutate.ts';

/** A field of a protobuf; what reads as a message is one. Independent of the product's reader. */
export interface ProtoNode {
  readonly number: number;
  readonly type: number;
  readonly value: bigint;
  readonly bytes: Uint8Array;
  readonly children: readonly ProtoNode[] | null;
}

/** The fields of a message, nested ones included; null where it is none. */
export function parseProtobuf(bytes: Uint8Array, depth = 0): ProtoNode[] | null {
  const nodes: ProtoNode[] = [];
  let at = 0;
  const read = (): bigint | null => {
    let value = 0n;
    for (let shift = 0n; at < bytes.length && shift < 70n; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
    return null;
  };
  while (at < bytes.length) {
    const key = read();
    if (key === null || key < 8n || key > 0xffffn) return null;
    const [number, type] = [Number(key >> 3n), Number(key & 7n)];
    let [value, length]: [bigint | null, number] = [0n, 0];
    if (type === 0 || type === 2) value = read();
    if (type === 1 || type === 5) length = type === 1 ? 8 : 4;
    if (value === null || type > 5 || type === 3 || type === 4) return null;
    if (type === 2) length = Number(value);
    if (at + length > bytes.length) return null;
    const payload = bytes.subarray(at, at + length);
    const children =
      type === 2 && length > 1 && depth < 12 ? parseProtobuf(payload, depth + 1) : null;
    nodes.push({ number, type, value, bytes: payload, children });
    at += length;
  }
  return nodes;
}

type Edit = (node: ProtoNode, random: Random) => Uint8Array;

/** A field with its tag. */
export const encoded = (node: ProtoNode, payload = node.bytes): Uint8Array =>
  node.type === 0
    ? concat(tag(node.number, 0), varint(node.value))
    : concat(tag(node.number, node.type), node.type === 2 ? varint(payload.length) : [], payload);

/** A wrong length, or an integer at an edge; the messages around it say what they hold. */
const edge: Edit = (node, random) => {
  const value = random.pick(extremes(node.bytes.length));
  if (node.type === 0) return concat(tag(node.number, 0), varint(value));
  return concat(tag(node.number, node.type), node.type === 2 ? varint(value) : [], node.bytes);
};

const EDITS: readonly Edit[] = [
  edge,
  edge,
  () => new Uint8Array(0),
  (node) => concat(encoded(node), encoded(node)),
  (node, random) =>
    encoded({ ...node, number: random.pick([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 2 ** 29 - 1]) }),
  (node, random) => concat(tag(node.number, random.below(8)), node.bytes),
  (node) => concat(tag(node.number, 0), new Uint8Array(11).fill(255)),
  (node, random) => encoded({ ...node, type: 2 }, Buffer.from(random.pick(TEXTS))),
  (node, random) =>
    encoded({ ...node, type: 2 }, node.bytes.subarray(0, random.below(node.bytes.length))),
  (node, random) =>
    encoded(
      { ...node, type: 2 },
      Uint8Array.from({ length: random.below(40) }, () => random.below(256)),
    ),
  (node, random) => {
    let payload = node.bytes;
    // A message in itself, of the same field: subgraphs within subgraphs, deeper than any reader goes.
    for (let level = random.pick([1, 5, 150]); level > 0; level--)
      payload = encoded({ ...node, type: 2 }, payload);
    return payload;
  },
];

/** All fields of a tree. */
export function allNodes(nodes: readonly ProtoNode[]): ProtoNode[] {
  return nodes.flatMap((node) => [node, ...allNodes(node.children ?? [])]);
}

/** The tree with one to three of its fields changed, or with the bytes of others. */
export function mutateProtobuf(
  tree: readonly ProtoNode[],
  nodes: readonly ProtoNode[],
  random: Random,
): Uint8Array {
  const edits = new Map<ProtoNode, Uint8Array>();
  for (let change = random.below(3); change >= 0; change--) {
    const node = random.pick(nodes);
    const donor = random.pick(nodes);
    edits.set(
      node,
      random.oneIn(6)
        ? encoded({ ...donor, number: node.number })
        : random.pick(EDITS)(node, random),
    );
  }
  const bytes = encodeAll(tree, edits);
  return random.oneIn(20) ? bytes.slice(0, random.below(bytes.length)) : bytes;
}

/** The bytes of a tree, with some of its fields replaced by others. */
export function encodeAll(
  nodes: readonly ProtoNode[],
  edits: ReadonlyMap<ProtoNode, Uint8Array>,
): Uint8Array {
  return Buffer.concat(
    nodes.map((node) => {
      const edit = edits.get(node);
      if (edit !== undefined) return edit;
      return node.children === null
        ? encoded(node)
        : encoded(node, encodeAll(node.children, edits));
    }),
  );
}

import { largest } from '../../../../../shared/lists.ts';
import { AppError } from '../../../../../shared/errors.ts';
import type { FieldValue, TableNode, TablesNode, VectorNode } from '../read/nodes.ts';
import { fieldsOf, SCALAR_BYTES, type ScalarType } from '../read/schema.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import { pieceLength, type Piece } from '../../../export/layout.ts';

/** FlatBuffers' own limit: offsets are read as signed 32-bit numbers in places. */
const MAX_BYTES = 2 ** 31 - 1;

/** Vectors up to this length are read and written with the structure around them; longer ones are copied through. */
const INLINE_BYTES = 4096;

/** The root's offset and the file identifier. */
const HEADER_BYTES = 8;

type Node = TableNode | VectorNode | TablesNode;

/** Bytes that lie behind the FlatBuffer, with the 64-bit fields of a table that say where. */
export interface OutsideBytes {
  readonly table: TableNode;
  readonly offsetField: number;
  readonly sizeField: number;
  readonly pieces: readonly Piece[];
}

/** What LiteRT aligns tensors' values to. */
export const OUTSIDE_ALIGNMENT = 16;

/**
 * A FlatBuffer of a graph of nodes; null where it would be no smaller than `limit` bytes. Parents before children, as offsets lead forward; vtables that are
 * alike once; a node that is shared once. Nodes in `last`, which are the tensors' values, come behind
 * all others, so that the structure stays together. Bytes outside follow, each aligned.
 * @throws AppError UNSUPPORTED when it would be over 2 GB
 */
export function writeFlatBuffer(
  root: TableNode,
  identifier: string,
  source: PagedBytes,
  {
    last,
    outside,
    limit,
  }: { last: ReadonlySet<Node>; outside: readonly OutsideBytes[]; limit: number },
): Piece[] | null {
  return new Writer(source, outside).write(root, identifier, last, limit);
}

interface TableShape {
  readonly vtable: Uint8Array;
  readonly key: string;
  readonly size: number;
  readonly alignment: number;
  /** By field id; 0 for absent fields. */
  readonly offsets: readonly number[];
}

class Writer {
  private readonly source: PagedBytes;
  private readonly outside: readonly OutsideBytes[];
  private readonly places = new Map<Node, number>();
  private readonly shapes = new TableShapes();
  private readonly vtables = new Map<string, number>();
  private readonly out = new PieceList();
  private readonly values = new Map<TableNode, Map<number, bigint>>();

  constructor(source: PagedBytes, outside: readonly OutsideBytes[]) {
    this.source = source;
    this.outside = outside;
  }

  write(
    root: TableNode,
    identifier: string,
    last: ReadonlySet<Node>,
    limit: number,
  ): Piece[] | null {
    const ordered = inOrder(root);
    const nodes = [
      ...ordered.filter((node) => !last.has(node)),
      ...ordered.filter((node) => last.has(node)),
    ];
    const end = this.place(nodes);
    if (end > MAX_BYTES)
      throw new AppError('UNSUPPORTED', 'would be too large for a FlatBuffer', {
        file: this.source.path,
        found: `${end} bytes`,
        expected: `at most ${MAX_BYTES}`,
      });
    if (end >= limit) return null;
    this.placeOutside(end);
    const head = new DataView(new ArrayBuffer(HEADER_BYTES));
    head.setUint32(0, this.places.get(root)!, true);
    for (let index = 0; index < 4; index++) head.setUint8(4 + index, identifier.charCodeAt(index));
    this.out.bytes(new Uint8Array(head.buffer));
    for (const node of nodes) this.emit(node);
    for (const { table, offsetField, pieces } of this.outside) {
      this.out.padTo(Number(this.values.get(table)!.get(offsetField)));
      for (const piece of pieces) this.out.piece(piece);
    }
    return this.out.end();
  }

  /** Give every node its place; the answer is where the last one ends. */
  private place(nodes: readonly Node[]): number {
    let at = HEADER_BYTES;
    for (const node of nodes) {
      if (node.kind === 'table') {
        const shape = this.shapes.of(node);
        if (!this.vtables.has(shape.key)) {
          this.vtables.set(shape.key, alignUp(at, 2));
          at = alignUp(at, 2) + shape.vtable.length;
        }
        at = alignUp(at, shape.alignment);
        this.places.set(node, at);
        at += shape.size;
      } else if (node.kind === 'tables') {
        at = alignUp(at, 4);
        this.places.set(node, at);
        at += 4 + 4 * node.tables.length;
      } else {
        at = alignUp(at + 4, Math.max(4, node.alignment)) - 4;
        this.places.set(node, at);
        at += 4 + vectorBytes(node) + (node.isString ? 1 : 0);
      }
    }
    return at;
  }

  private placeOutside(end: number): void {
    let at = end;
    for (const { table, offsetField, sizeField, pieces } of this.outside) {
      at = alignUp(at, OUTSIDE_ALIGNMENT);
      const size = pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
      const values = this.values.get(table) ?? new Map<number, bigint>();
      this.values.set(table, values.set(offsetField, BigInt(at)).set(sizeField, BigInt(size)));
      at += size;
    }
  }

  private emit(node: Node): void {
    const at = this.places.get(node)!;
    if (node.kind === 'table') return this.emitTable(node, at);
    this.out.padTo(at);
    if (node.kind === 'tables') {
      const view = new DataView(new ArrayBuffer(4 + 4 * node.tables.length));
      view.setUint32(0, node.tables.length, true);
      for (const [index, table] of node.tables.entries()) {
        const from = 4 + 4 * index;
        view.setUint32(from, this.places.get(table)! - at - from, true);
      }
      return this.out.bytes(new Uint8Array(view.buffer));
    }
    const count = new DataView(new ArrayBuffer(4));
    count.setUint32(0, node.count, true);
    this.out.bytes(new Uint8Array(count.buffer));
    for (const piece of node.pieces)
      if (piece.kind === 'copy' && piece.length <= INLINE_BYTES)
        this.out.bytes(this.source.read(piece.offset, piece.length));
      else this.out.piece(piece);
    if (node.isString) this.out.bytes(new Uint8Array(1));
  }

  private emitTable(node: TableNode, at: number): void {
    const shape = this.shapes.of(node);
    const vtable = this.vtables.get(shape.key)!;
    if (vtable >= this.out.length) {
      this.out.padTo(vtable);
      this.out.bytes(shape.vtable);
    }
    this.out.padTo(at);
    const view = new DataView(new ArrayBuffer(shape.size));
    view.setInt32(0, at - vtable, true);
    const fields = fieldsOf(node.table);
    for (const [id, offset] of shape.offsets.entries()) {
      if (offset === 0) continue;
      const value = this.values.get(node)?.get(id) ?? node.fields[id]!;
      const { type } = fields[id]!;
      if (typeof value === 'object')
        view.setUint32(offset, this.places.get(value)! - at - offset, true);
      else if (type.kind === 'scalar') SETTERS[type.scalar](view, offset, value);
    }
    this.out.bytes(new Uint8Array(view.buffer));
  }
}

const SETTERS: Readonly<
  Record<ScalarType, (view: DataView, at: number, value: number | bigint) => void>
> = {
  bool: (view, at, value) => view.setUint8(at, Number(value)),
  int8: (view, at, value) => view.setInt8(at, Number(value)),
  uint8: (view, at, value) => view.setUint8(at, Number(value)),
  int16: (view, at, value) => view.setInt16(at, Number(value), true),
  uint16: (view, at, value) => view.setUint16(at, Number(value), true),
  int32: (view, at, value) => view.setInt32(at, Number(value), true),
  uint32: (view, at, value) => view.setUint32(at, Number(value), true),
  int64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  uint64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  float32: (view, at, value) => view.setFloat32(at, Number(value), true),
  float64: (view, at, value) => view.setFloat64(at, Number(value), true),
};

function alignUp(at: number, multiple: number): number {
  return Math.ceil(at / multiple) * multiple;
}

function vectorBytes(node: VectorNode): number {
  return node.pieces.reduce((sum, piece) => sum + pieceLength(piece), 0);
}

function isNode(value: FieldValue | undefined): value is Node {
  return typeof value === 'object';
}

/** Every node once, parents before their children; siblings in the order of their fields. */
function inOrder(root: Node): Node[] {
  const done = new Set<Node>();
  const ordered: Node[] = [];
  const visit = (node: Node): void => {
    if (done.has(node)) return;
    done.add(node);
    const children =
      node.kind === 'table'
        ? node.fields.filter(isNode)
        : node.kind === 'tables'
          ? node.tables
          : [];
    for (let index = children.length - 1; index >= 0; index--) visit(children[index]!);
    ordered.push(node);
  };
  // As deep as the schema, whose tables do not hold themselves.
  visit(root);
  return ordered.reverse();
}

/** Shapes of tables, found once for each set of fields that are there: a file may have a million tables. */
class TableShapes {
  private readonly shapes = new Map<string, Map<string, TableShape>>();

  of(node: TableNode): TableShape {
    const ofTable = this.shapes.get(node.table) ?? new Map<string, TableShape>();
    this.shapes.set(node.table, ofTable);
    let present = '';
    for (const value of node.fields) present += value === undefined ? '0' : '1';
    const shape = ofTable.get(present) ?? shapeOf(node);
    ofTable.set(present, shape);
    return shape;
  }
}

/** Where a table's fields lie: the widest first, so that nothing needs padding; 8-byte fields from byte 8 on. */
function shapeOf(node: TableNode): TableShape {
  const fields = fieldsOf(node.table);
  const present = node.fields.flatMap((value, id) => {
    const { type } = fields[id]!;
    const width = type.kind === 'scalar' ? SCALAR_BYTES[type.scalar] : 4;
    return value === undefined ? [] : [{ id, width }];
  });
  const offsets = new Array<number>(largest([0, ...present.map(({ id }) => id + 1)])).fill(0);
  let size = 4;
  let alignment = 4;
  for (const { id, width } of present.sort((a, b) => b.width - a.width || a.id - b.id)) {
    size = alignUp(size, width);
    offsets[id] = size;
    size += width;
    alignment = Math.max(alignment, width);
  }
  const vtable = Uint16Array.of(4 + 2 * offsets.length, size, ...offsets);
  return {
    vtable: new Uint8Array(vtable.buffer),
    key: vtable.join(' '),
    size,
    alignment,
    offsets,
  };
}

/** Pieces in order, neighbouring bytes as one, with zeros between. */
class PieceList {
  length = 0;
  private readonly pieces: Piece[] = [];
  private run: Uint8Array[] = [];

  bytes(bytes: Uint8Array): void {
    this.run.push(bytes);
    this.length += bytes.length;
  }

  piece(piece: Piece): void {
    if (piece.kind === 'bytes') return this.bytes(piece.bytes);
    this.flush();
    this.pieces.push(piece);
    this.length += pieceLength(piece);
  }

  padTo(at: number): void {
    if (at > this.length) this.bytes(new Uint8Array(at - this.length));
  }

  end(): Piece[] {
    this.flush();
    return this.pieces;
  }

  private flush(): void {
    if (this.run.length > 0) this.pieces.push({ kind: 'bytes', bytes: Buffer.concat(this.run) });
    this.run = [];
  }
}

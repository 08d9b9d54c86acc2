import type { Piece } from '../../../export/layout.ts';
import { fieldOf, type ScalarType } from './schema.ts';

/**
 * A FlatBuffer as a graph of nodes. A node that several places of the file share is one object here,
 * and is written once again. Vectors keep their values in the file.
 */
export interface TableNode {
  readonly kind: 'table';
  /** Its name in the schema. */
  readonly table: string;
  /** By field id; absent fields are undefined. */
  readonly fields: readonly (FieldValue | undefined)[];
}

/** Scalars back to back, or a string's bytes without the zero that ends it. */
export interface VectorNode {
  readonly kind: 'vector';
  readonly scalar: ScalarType;
  readonly isString: boolean;
  readonly count: number;
  /** The values' bytes: where they are in the source, or what an export puts there. */
  readonly pieces: readonly Piece[];
  /** What their place is a multiple of. */
  readonly alignment: number;
}

export interface TablesNode {
  readonly kind: 'tables';
  readonly tables: readonly TableNode[];
}

export type FieldValue = number | bigint | TableNode | VectorNode | TablesNode;

/** A scalar of at most 32 bits, or a float; its default where it is absent. */
export function numberOf(node: TableNode, name: string): number {
  const field = fieldOf(node.table, name);
  const value = node.fields[field.id];
  return typeof value === 'number' ? value : field.default;
}

/** A scalar of 64 bits. */
export function bigintOf(node: TableNode, name: string): bigint {
  const field = fieldOf(node.table, name);
  const value = node.fields[field.id];
  return typeof value === 'bigint' ? value : BigInt(field.default);
}

export function tableOf(node: TableNode, name: string): TableNode | null {
  const value = node.fields[fieldOf(node.table, name).id];
  return typeof value === 'object' && value.kind === 'table' ? value : null;
}

export function vectorOf(node: TableNode, name: string): VectorNode | null {
  const value = node.fields[fieldOf(node.table, name).id];
  return typeof value === 'object' && value.kind === 'vector' ? value : null;
}

export function tablesOf(node: TableNode, name: string): readonly TableNode[] {
  const value = node.fields[fieldOf(node.table, name).id];
  return typeof value === 'object' && value.kind === 'tables' ? value.tables : [];
}

export type Changes = Readonly<Record<string, FieldValue | undefined>>;

/**
 * The table with some fields changed; undefined takes a field away. Without a change it is the same node,
 * so that what thousands of references share is written once.
 */
export function withFields(node: TableNode, changes: Changes): TableNode {
  if (Object.keys(changes).length === 0) return node;
  const fields = [...node.fields];
  for (const [name, value] of Object.entries(changes)) {
    const { id } = fieldOf(node.table, name);
    while (fields.length <= id) fields.push(undefined);
    fields[id] = value;
  }
  return { ...node, fields };
}

export function makeTable(table: string, fields: Changes): TableNode {
  return withFields({ kind: 'table', table, fields: [] }, fields);
}

export function makeTables(tables: readonly TableNode[]): TablesNode {
  return { kind: 'tables', tables };
}

export function makeString(text: string): VectorNode {
  const bytes = new TextEncoder().encode(text);
  return {
    kind: 'vector',
    scalar: 'uint8',
    isString: true,
    count: bytes.length,
    pieces: [{ kind: 'bytes', bytes }],
    alignment: 1,
  };
}

/** A vector of numbers given in their stored form. */
export function makeVector(
  values: Int32Array | Float32Array | BigInt64Array | Uint8Array,
): VectorNode {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return {
    kind: 'vector',
    scalar: scalarOf(values),
    isString: false,
    count: values.length,
    pieces: [{ kind: 'bytes', bytes }],
    alignment: values.BYTES_PER_ELEMENT,
  };
}

/** Bytes that short vectors share: thousands of new operators have two vectors of one index each. */
const SLAB_BYTES = 1 << 16;
let slab = new Uint8Array(0);
let used = 0;

/** A vector of int32 indices. */
export function makeIndices(indices: readonly number[]): VectorNode {
  const length = 4 * indices.length;
  if (used + length > slab.length) {
    slab = new Uint8Array(Math.max(SLAB_BYTES, length));
    used = 0;
  }
  const bytes = slab.subarray(used, used + length);
  used += length;
  const view = new DataView(slab.buffer, bytes.byteOffset, length);
  for (const [at, index] of indices.entries()) view.setInt32(4 * at, index, true);
  return {
    kind: 'vector',
    scalar: 'int32',
    isString: false,
    count: indices.length,
    pieces: [{ kind: 'bytes', bytes }],
    alignment: 4,
  };
}

function scalarOf(values: Int32Array | Float32Array | BigInt64Array | Uint8Array): ScalarType {
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof Float32Array) return 'float32';
  return values instanceof BigInt64Array ? 'int64' : 'uint8';
}

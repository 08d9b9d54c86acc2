import type { VectorNode } from './nodes.ts';
import type { PagedBytes } from './paged-bytes.ts';
import { SCALAR_BYTES, type ScalarType } from './schema.ts';

const READERS: Readonly<Record<ScalarType, (view: DataView, at: number) => number>> = {
  bool: (view, at) => view.getUint8(at),
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  int16: (view, at) => view.getInt16(at, true),
  uint16: (view, at) => view.getUint16(at, true),
  int32: (view, at) => view.getInt32(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  int64: (view, at) => Number(view.getBigInt64(at, true)),
  uint64: (view, at) => Number(view.getBigUint64(at, true)),
  float32: (view, at) => view.getFloat32(at, true),
  float64: (view, at) => view.getFloat64(at, true),
};

/** A vector's bytes, from the file or from what was put in their place. */
export function bytesOf(source: PagedBytes, node: VectorNode | null): Uint8Array {
  if (node === null) return new Uint8Array(0);
  const parts = node.pieces.map((piece) => {
    if (piece.kind === 'bytes') return piece.bytes;
    if (piece.kind === 'copy') return source.read(piece.offset, piece.length);
    throw new RangeError('the codes of a tensor are not known before they are written');
  });
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** What was read of a vector, so that one that many tables share is read once. */
const values = new WeakMap<VectorNode, readonly number[]>();
const texts = new WeakMap<VectorNode, string>();

/** A vector's values as numbers (64-bit integers rounded to float64); none where it is absent. */
export function valuesOf(source: PagedBytes, node: VectorNode | null): readonly number[] {
  if (node === null || node.count === 0) return [];
  const known = values.get(node) ?? readValues(source, node);
  values.set(node, known);
  return known;
}

function readValues(source: PagedBytes, node: VectorNode): readonly number[] {
  const bytes = bytesOf(source, node);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = SCALAR_BYTES[node.scalar];
  return Array.from({ length: node.count }, (_, index) =>
    READERS[node.scalar](view, index * width),
  );
}

const decoder = new TextDecoder();

/** A string's text; what is not UTF-8 shows as replacement characters. */
export function textOf(source: PagedBytes, node: VectorNode | null): string {
  if (node === null) return '';
  const known = texts.get(node) ?? decoder.decode(bytesOf(source, node));
  texts.set(node, known);
  return known;
}

import { AppError } from '../../../../../shared/errors.ts';
import { LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY } from '../read/read-header.ts';
import { piecesLength, type Piece } from '../../../export/layout.ts';

/** A tensor as it is written: its header entry and the pieces of its bytes. */
export interface OutputTensor {
  readonly name: string;
  /** By the format's name. */
  readonly elementType: string;
  /** Of one element, which decides where the tensor may lie. */
  readonly bits: number;
  readonly shape: readonly number[];
  /** Members that the format does not know: `,"key":value` each. */
  readonly extra: string;
  readonly piece: Piece;
}

/** Headers are padded with spaces so that the tensors begin at a multiple of this (safetensors, format). */
const ALIGNMENT = 8;

/**
 * The pieces of a file of tensors. Wider elements come first, as the reference writes them, so that
 * each tensor lies at a multiple of its element's size; among equals the order given is kept.
 * @throws AppError LIMIT when no reader would take the header
 */
export function filePieces(
  tensors: readonly OutputTensor[],
  metadata: ReadonlyMap<string, string>,
  targetName: string,
): Piece[] {
  const ordered = [...tensors].sort((a, b) => b.bits - a.bits);
  const members = metadata.size === 0 ? [] : [member(METADATA_KEY, metadataText(metadata))];
  let at = 0;
  for (const { name, elementType, shape, extra, piece } of ordered) {
    const end = at + piecesLength([piece]);
    const offsets = `"data_offsets":[${at},${end}]`;
    members.push(
      member(name, `{"dtype":"${elementType}","shape":[${shape.join(',')}],${offsets}${extra}}`),
    );
    at = end;
  }
  return [headerPiece(`{${members.join(',')}}`, targetName), ...joined(ordered)];
}

function headerPiece(text: string, targetName: string): Piece {
  const json = Buffer.from(text);
  const length = Math.ceil(json.length / ALIGNMENT) * ALIGNMENT;
  if (length > MAX_HEADER_BYTES)
    throw new AppError('LIMIT', 'the header would be too long for any reader', {
      file: targetName,
      field: 'header',
      found: `${length} bytes`,
      expected: `at most ${MAX_HEADER_BYTES}`,
    });
  const bytes = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, LENGTH_BYTES);
  return { kind: 'bytes', bytes };
}

/** The tensors' pieces, what lies together in the source copied at one go. */
function joined(tensors: readonly OutputTensor[]): Piece[] {
  const pieces: Piece[] = [];
  for (const { piece } of tensors) {
    const last = pieces[pieces.length - 1];
    const follows =
      piece.kind === 'copy' &&
      last?.kind === 'copy' &&
      last.file === piece.file &&
      last.offset + last.length === piece.offset;
    if (follows) pieces[pieces.length - 1] = { ...last, length: last.length + piece.length };
    else pieces.push(piece);
  }
  return pieces;
}

function metadataText(metadata: ReadonlyMap<string, string>): string {
  return `{${[...metadata].map(([key, value]) => member(key, JSON.stringify(value))).join(',')}}`;
}

export function member(key: string, value: string): string {
  return `${JSON.stringify(key)}:${value}`;
}

import { encodeVarint, type Frame } from '../read/wire.ts';
import { piecesLength, type Piece } from '../../../export/layout.ts';

/**
 * Replace [start, end) of the source by pieces. `frame` is the message that directly encloses it, which
 * matters where one message ends and another begins: an insertion at that byte goes into its frame.
 */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly pieces: readonly Piece[];
  readonly frame: Frame | null;
}

/**
 * The pieces of a protobuf file after edits: what no edit touches is copied through unread, and
 * the length prefix of every enclosing message is written anew where its length changes.
 */
export function applyEdits(edits: readonly Edit[], fileSize: number): Piece[] {
  const ordered = [...edits, ...lengthEdits(edits)].sort(compareEdits);
  const pieces: Piece[] = [];
  let at = 0;
  for (const edit of ordered) {
    if (edit.start < at) throw new RangeError(`edits overlap at byte ${edit.start}`);
    if (edit.start > at)
      pieces.push({ kind: 'copy', file: 0, offset: at, length: edit.start - at });
    for (const piece of edit.pieces) pieces.push(piece);
    at = edit.end;
  }
  if (fileSize > at) pieces.push({ kind: 'copy', file: 0, offset: at, length: fileSize - at });
  return mergeBytes(pieces);
}

/**
 * At one byte insertions come before a replacement, and an insertion into an inner message before one
 * into the message around it: only the end of the inner message can be at that byte, as its start has
 * a tag and a length. The sort is stable among insertions into one message.
 */
function compareEdits(a: Edit, b: Edit): number {
  if (a.start !== b.start) return a.start - b.start;
  const isInsertion = (edit: Edit): boolean => edit.end === edit.start;
  if (isInsertion(a) !== isInsertion(b)) return isInsertion(a) ? -1 : 1;
  return (b.frame?.payload ?? -1) - (a.frame?.payload ?? -1);
}

function lengthEdits(edits: readonly Edit[]): Edit[] {
  const change = new Map<Frame, number>();
  const add = (frame: Frame | null, delta: number): void => {
    if (frame !== null) change.set(frame, (change.get(frame) ?? 0) + delta);
  };
  for (const edit of edits) {
    add(edit.frame, piecesLength(edit.pieces) - (edit.end - edit.start));
    for (let frame = edit.frame?.parent ?? null; frame !== null; frame = frame.parent)
      add(frame, 0);
  }
  const made: Edit[] = [];
  // Inner messages start behind their outer ones, so this order settles every child before its parent.
  for (const frame of [...change.keys()].sort((a, b) => b.start - a.start)) {
    const delta = change.get(frame)!;
    if (delta === 0) continue;
    const prefix = encodeVarint(frame.end - frame.payload + delta);
    made.push({
      start: frame.lengthOffset,
      end: frame.payload,
      pieces: [{ kind: 'bytes', bytes: prefix }],
      frame: frame.parent,
    });
    add(frame.parent, delta + prefix.length - (frame.payload - frame.lengthOffset));
  }
  return made;
}

/** Neighbouring byte pieces as one, so that a file is not written in thousands of tiny writes. */
function mergeBytes(pieces: readonly Piece[]): Piece[] {
  const merged: Piece[] = [];
  let run: Uint8Array[] = [];
  const flush = (): void => {
    if (run.length > 0) merged.push({ kind: 'bytes', bytes: Buffer.concat(run) });
    run = [];
  };
  for (const piece of pieces) {
    if (piece.kind === 'bytes') run.push(piece.bytes);
    else {
      flush();
      merged.push(piece);
    }
  }
  flush();
  return merged;
}

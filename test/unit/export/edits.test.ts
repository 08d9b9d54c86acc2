import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyEdits, type Edit } from '../../../electron/engine/formats/onnx/write/edits.ts';
import type { Frame } from '../../../electron/engine/formats/onnx/read/wire.ts';
import { concat, integer, message, splitFields } from '../../helpers/protobuf.ts';

/** A message of nested messages: what is inserted where is known by the path of child numbers. */
interface Tree {
  readonly children: readonly Tree[];
  /** Values that an edit appends to this message, or puts before its first child. */
  readonly atEnd: readonly number[];
  readonly atStart: readonly number[];
}

/** Field numbers of nested messages and of inserted values. */
const CHILD = 1;
const VALUE = 2;

function treeOf(depth: number): fc.Arbitrary<Tree> {
  return fc.record({
    children: depth === 0 ? fc.constant([]) : fc.array(treeOf(depth - 1), { maxLength: 3 }),
    atEnd: fc.array(fc.nat(200), { maxLength: 2 }),
    atStart: fc.array(fc.nat(200), { maxLength: 2 }),
  });
}

function payload({ children, atEnd, atStart }: Tree, isEdited: boolean): Uint8Array {
  const values = (list: readonly number[]): Uint8Array[] =>
    isEdited ? list.map((value) => integer(VALUE, value)) : [];
  return concat(
    ...values(atStart),
    ...children.map((child) => message(CHILD, payload(child, isEdited))),
    ...values(atEnd),
  );
}

/** Edits that insert the values of a tree, each message's frames found in the encoded bytes. */
function editsOf(node: Tree, bytes: Uint8Array, base: number, parent: Frame | null): Edit[] {
  const insert = (at: number, values: readonly number[]): Edit[] =>
    values.map((value) => ({
      start: at,
      end: at,
      pieces: [{ kind: 'bytes', bytes: integer(VALUE, value) }],
      frame: parent,
    }));
  const edits = [
    ...insert(base, node.atStart),
    ...insert(base + bytes.length, node.children.length === 0 ? [] : node.atEnd),
  ];
  // In an empty message the start is the end: the order given is the order wanted.
  if (node.children.length === 0) edits.push(...insert(base, node.atEnd));
  let at = base;
  for (const [index, field] of splitFields(bytes).entries()) {
    const end = at + field.bytes.length;
    const start = end - field.payload.length;
    const frame = { start: at, lengthOffset: at + 1, payload: start, end, parent };
    edits.push(...editsOf(node.children[index]!, field.payload, start, frame));
    at = end;
  }
  return edits;
}

function applied(edits: readonly Edit[], source: Uint8Array): Uint8Array {
  return concat(
    ...applyEdits(edits, source.length).map((piece) => {
      if (piece.kind === 'bytes') return piece.bytes;
      if (piece.kind === 'copy') return source.subarray(piece.offset, piece.offset + piece.length);
      throw new Error('no tensors here');
    }),
  );
}

describe('edits at one byte', () => {
  test('an insertion at the end of a message goes into it, before one into the message around it', () => {
    const source = concat(message(CHILD, integer(VALUE, 1)));
    const frame = { start: 0, lengthOffset: 1, payload: 2, end: 4, parent: null };
    const outer: Edit = {
      start: 4,
      end: 4,
      pieces: [{ kind: 'bytes', bytes: integer(VALUE, 3) }],
      frame: null,
    };
    const inner: Edit = {
      ...outer,
      pieces: [{ kind: 'bytes', bytes: integer(VALUE, 2) }],
      frame,
    };
    const wanted = concat(message(CHILD, integer(VALUE, 1), integer(VALUE, 2)), integer(VALUE, 3));
    expect(applied([outer, inner], source)).toEqual(wanted);
    expect(applied([inner, outer], source)).toEqual(wanted);
  });

  test('a replacement comes after insertions at its start, and the end of a message before it', () => {
    const source = concat(message(CHILD, integer(VALUE, 1)), integer(VALUE, 9));
    const frame = { start: 0, lengthOffset: 1, payload: 2, end: 4, parent: null };
    const value = (number: number): Edit['pieces'] => [
      { kind: 'bytes', bytes: integer(VALUE, number) },
    ];
    const edits: Edit[] = [
      { start: 4, end: 6, pieces: value(8), frame: null },
      { start: 4, end: 4, pieces: value(7), frame: null },
      { start: 4, end: 4, pieces: value(2), frame },
    ];
    const wanted = concat(
      message(CHILD, integer(VALUE, 1), integer(VALUE, 2)),
      integer(VALUE, 7),
      integer(VALUE, 8),
    );
    expect(applied(edits, source)).toEqual(wanted);
    expect(applied(edits.toReversed(), source)).toEqual(wanted);
  });

  test('nested messages of any shape hold what was inserted into each, in whatever order frames come', () => {
    fc.assert(
      fc.property(treeOf(4), fc.boolean(), (root, isReversed) => {
        const source = payload(root, false);
        const edits = editsOf(root, source, 0, null);
        // The order within one message is kept; that of messages is not given.
        const frames = [...new Set(edits.map((edit) => edit.frame))];
        const ordered = (isReversed ? frames.reverse() : frames).flatMap((frame) =>
          edits.filter((edit) => edit.frame === frame),
        );
        expect(applied(ordered, source)).toEqual(payload(root, true));
      }),
      { numRuns: 300 },
    );
  });
});

import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { FileSource } from '../../../electron/engine/source.ts';
import { PagedBytes } from '../../../electron/engine/formats/litert/read/paged-bytes.ts';
import { readFlatBuffer } from '../../../electron/engine/formats/litert/read/read-flatbuffer.ts';
import { fieldsOf } from '../../../electron/engine/formats/litert/read/schema.ts';
import { tablesOf } from '../../../electron/engine/formats/litert/read/nodes.ts';
import {
  flatBuffer,
  i8,
  table,
  tables,
  text,
  u32,
  u8,
  type Flat,
} from '../../helpers/flatbuffer.ts';
import { denseModel } from '../../helpers/litert-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const dense = denseModel(4, 3, new Float32Array(12).fill(0.5));

/** The dense model with a change to its bytes. */
function damaged(
  change: (view: DataView, at: (label: string) => number) => void,
  from: Flat = dense,
): Uint8Array {
  const bytes = Uint8Array.from(from.bytes);
  change(new DataView(bytes.buffer), (label) => from.at.get(label)!);
  return bytes;
}

function failure(bytes: Uint8Array): AppError {
  const file = writeFile(folder, bytes, 'model.tflite');
  try {
    openModel(file).close();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).details.file).toBe(file);
    return error as AppError;
  }
  throw new Error('the file was accepted');
}

/** Where a table's field lies in the file. */
function fieldAt(view: DataView, start: number, id: number): number {
  const vtable = start - view.getInt32(start, true);
  return start + view.getUint16(vtable + 4 + 2 * id, true);
}

describe('the verifier refuses', () => {
  test.each<[string, Uint8Array, RegExp]>([
    [
      'a file of 8 bytes',
      Uint8Array.from([8, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33]),
      /root, at byte 0: an offset leads out of the file.* \(found 8, expected 4 to 4\)/,
    ],
    [
      'a root out of the file',
      damaged((view) => view.setUint32(0, 1 << 20, true)),
      /root, at byte 0: an offset leads out of the file.* \(found 1048576/,
    ],
    [
      'a root that is not aligned',
      damaged((view) => view.setUint32(0, view.getUint32(0, true) + 2, true)),
      /root, at byte 0: is not aligned \(found byte \d+, expected a multiple of 4\)/,
    ],
    [
      'an offset of 0',
      damaged((view, at) => view.setUint32(fieldAt(view, at('model'), 2), 0, true)),
      /subgraphs, at byte \d+: an offset leads out of the file.* \(found 0, expected 4 to/,
    ],
    [
      'an offset that wraps around',
      damaged((view, at) => view.setUint32(fieldAt(view, at('model'), 3), 2 ** 32 - 4, true)),
      /description, at byte \d+: an offset leads out of the file.* \(found 4294967292/,
    ],
    [
      'a vtable before the file',
      damaged((view, at) => view.setInt32(at('graph 0'), 2 ** 30, true)),
      /subgraphs\[0\], at byte \d+: a vtable lies out of the file or is not aligned.* \(found byte -/,
    ],
    [
      'a vtable behind the file',
      damaged((view, at) => view.setInt32(at('graph 0'), -(2 ** 30), true)),
      /subgraphs\[0\], at byte \d+: a vtable lies out of the file or is not aligned.* \(found byte 1073/,
    ],
    [
      'a vtable at an odd byte',
      damaged((view, at) =>
        view.setInt32(at('graph 0'), view.getInt32(at('graph 0'), true) + 1, true),
      ),
      /subgraphs\[0\], at byte \d+: a vtable lies out of the file or is not aligned/,
    ],
    [
      'a vtable under 4 bytes',
      damaged((view, at) => view.setUint16(at('graph 0.vtable'), 2, true)),
      /subgraphs\[0\], at byte \d+: a vtable has a wrong length.* \(found 2 bytes, expected an even number from 4/,
    ],
    [
      'a vtable of an odd length',
      damaged((view, at) => view.setUint16(at('graph 0.vtable'), 7, true)),
      /subgraphs\[0\], at byte \d+: a vtable has a wrong length.* \(found 7 bytes/,
    ],
    [
      'a vtable past the end',
      damaged((view, at) => view.setUint16(at('graph 0.vtable'), 65534, true)),
      /subgraphs\[0\], at byte \d+: a vtable has a wrong length.* \(found 65534 bytes/,
    ],
    [
      'a table past the end',
      damaged((view, at) => view.setUint16(at('graph 0.vtable') + 2, 65532, true)),
      /subgraphs\[0\], at byte \d+: a table has a wrong length.* \(found 65532 bytes/,
    ],
    [
      'a field out of its table',
      damaged((view, at) => view.setUint16(at('graph 0.vtable') + 4, 4096, true)),
      /subgraphs\[0\]\.tensors, at byte \d+: a field lies out of its table \(found 4096 to 4100, expected 4 to 20\)/,
    ],
    [
      "a field over its table's own offset",
      damaged((view, at) => view.setUint16(at('graph 0.vtable') + 4, 2, true)),
      /subgraphs\[0\]\.tensors, at byte \d+: a field lies out of its table \(found 2 to 6/,
    ],
    [
      'a field that is not aligned',
      damaged((view, at) => view.setUint16(at('graph 0.vtable') + 4, 6, true)),
      /subgraphs\[0\]\.tensors, at byte \d+: is not aligned \(found byte \d+, expected a multiple of 4\)/,
    ],
    [
      'a vector longer than the file',
      damaged((view, at) => view.setUint32(at('tensor 0.1.shape'), 2 ** 31 - 1, true)),
      /subgraphs\[0\]\.tensors\[1\]\.shape, at byte \d+: is longer than the file.* \(found 2147483647 elements of 4 bytes, expected at most \d+\)/,
    ],
    [
      'a vector of tables longer than the file',
      damaged((view, at) => view.setUint32(at('buffers'), 2 ** 32 - 1, true)),
      /buffers, at byte \d+: is longer than the file.* \(found 4294967295 elements of 4 bytes/,
    ],
    [
      'a string longer than the file',
      damaged((view, at) => view.setUint32(at('description'), 2 ** 30, true)),
      /description, at byte \d+: is longer than the file.* \(found 1073741824 elements of 1 bytes/,
    ],
    [
      'a string that does not end with a zero',
      damaged((view, at) => view.setUint8(at('description') + 4 + 'test'.length, 65)),
      /description, at byte \d+: a string does not end with a zero \(found byte 65, expected 0\)/,
    ],
    [
      'structures that lie over one another',
      damaged((view, at) => {
        const rest = dense.bytes.length - at('tensor 0.0.shape') - 4;
        view.setUint32(at('tensor 0.0.shape'), rest / 4, true);
      }),
      /at byte \d+: structures overlap \(found \d+ bytes of them, expected at most \d+\)/,
    ],
  ])('%s', (_, bytes, message) => {
    const error = failure(bytes);
    expect(error.message).toMatch(message);
    expect(error.code).toBe('MALFORMED');
  });

  test('more tables than a model can need', () => {
    // A million operators that share one vtable, each a table of its own, and the graph that has them.
    const count = 1_000_000;
    const bytes = new DataView(new ArrayBuffer(64 + 8 * count));
    const [vtable, graphVtable, graph, list] = [8, 12, 24, 32];
    for (const [index, byte] of [0x54, 0x46, 0x4c, 0x33].entries()) bytes.setUint8(4 + index, byte);
    const words = (at: number, ...values: number[]): void =>
      values.forEach((value, index) => bytes.setUint16(at + 2 * index, value, true));
    words(vtable, 4, 4);
    words(graphVtable, 12, 8, 0, 0, 0, 4);
    bytes.setInt32(graph, graph - graphVtable, true);
    bytes.setUint32(graph + 4, list - graph - 4, true);
    bytes.setUint32(list, count, true);
    for (let index = 0; index < count; index++) {
      const [from, operator] = [list + 4 + 4 * index, list + 4 + 4 * count + 4 * index];
      bytes.setUint32(from, operator - from, true);
      bytes.setInt32(operator, operator - vtable, true);
    }
    bytes.setUint32(0, graph, true);
    const other = FileSource.open(writeFile(folder, new Uint8Array(bytes.buffer), 'many.tflite'));
    try {
      expect(() => readFlatBuffer(new PagedBytes(other), 'SubGraph')).toThrow(
        /operators\[999999\], at byte \d+: has too many tables \(found over 1000000, expected at most 1000000\)/,
      );
    } finally {
      other.close();
    }
  });
});

test('cut anywhere, a model is refused with its file and field, or what is left is whole', () => {
  const source = dense.bytes;
  let refused = 0;
  for (let length = 8; length < source.length; length++) {
    const file = writeFile(folder, source.slice(0, length), 'cut.tflite');
    try {
      openModel(file).close();
    } catch (error) {
      expect(error).toBeInstanceOf(AppError);
      expect((error as AppError).details.file).toBe(file);
      expect((error as AppError).details.field).toBeTruthy();
      refused++;
    }
  }
  // Only the padding at the end may go.
  expect(refused).toBeGreaterThan(source.length - 8 - 16);
});

test('every 32-bit value set to what breaks readers is refused or harmless', () => {
  const values = [0, 1, 2 ** 32 - 1, 2 ** 31, 2 ** 31 - 1, dense.bytes.length];
  for (let at = 0; at + 4 <= dense.bytes.length; at += 4)
    for (const value of values) {
      const file = writeFile(
        folder,
        damaged((view) => view.setUint32(at, value, true)),
        'set.tflite',
      );
      try {
        openModel(file).close();
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        expect(error.details.file).toBe(file);
        expect(error.details.field).toBeTruthy();
      }
    }
});

test('the schema has no table that holds itself, so that depth needs no limit', () => {
  const depths = new Map<string, number>();
  const depth = (name: string, above: readonly string[]): number => {
    expect(above).not.toContain(name);
    const known = depths.get(name);
    if (known !== undefined) return known;
    const inner = fieldsOf(name).flatMap(({ type }) =>
      type.kind === 'table' || type.kind === 'tables'
        ? [type.table]
        : type.kind === 'union'
          ? type.members.filter((member) => member !== 'NONE')
          : [],
    );
    const found = 1 + Math.max(0, ...inner.map((each) => depth(each, [...above, name])));
    depths.set(name, found);
    return found;
  };
  // From the root: what no model reaches is not read.
  expect(depth('Model', [])).toBeLessThanOrEqual(64);
});

test('fields and union members of a newer schema are noted, shared tables are one', () => {
  const shared = table({ 0: text('same') });
  const { bytes } = flatBuffer(
    table({
      0: u32(3),
      2: tables([
        table({
          3: tables([table({ 3: u8(250), 4: table({}) })]),
        }),
      ]),
      6: tables([shared, shared]),
      40: i8(1),
    }),
  );
  const source = FileSource.open(writeFile(folder, bytes, 'newer.tflite'));
  try {
    const { root, unknown, end } = readFlatBuffer(new PagedBytes(source), 'Model');
    expect(unknown).toEqual([
      { field: 'subgraphs[0].operators[0].builtin_options', what: 'a member 250 of its union' },
      { field: 'field 40 of Model', what: 'a field of a newer schema' },
    ]);
    const [first, second] = tablesOf(root, 'metadata');
    expect(first).toBe(second);
    expect(end).toBeLessThanOrEqual(bytes.length);
  } finally {
    source.close();
  }
});

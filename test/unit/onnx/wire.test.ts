import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { matMulModel, model, node } from '../../helpers/onnx-model.ts';
import { concat, integer, message, tag, text, varint } from '../../helpers/protobuf.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const head = integer(1, 8);
const graphName = text(2, 'g');

function failure(bytes: Uint8Array): AppError {
  const file = writeFile(folder, bytes);
  try {
    openModel(file).close();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).details.file).toBe(file);
    return error as AppError;
  }
  throw new Error('the file was accepted');
}

const nested = (levels: number): Uint8Array => {
  let graph = graphName;
  for (let level = 0; level < levels; level++)
    graph = message(1, text(4, 'If'), message(5, text(1, 'then_branch'), message(6, graph)));
  return concat(head, message(7, graph));
};

describe('the wire reader refuses', () => {
  test.each<[string, Uint8Array, string, RegExp]>([
    [
      'a varint of more than 10 bytes',
      concat([0x08], new Uint8Array(11).fill(0x80), [0]),
      'MALFORMED',
      /varint of more than 10 bytes/,
    ],
    ['a varint past the end', concat([0x08, 0x80]), 'MALFORMED', /varint past the end/],
    [
      'a length past the end',
      concat(head, tag(7, 2), varint(100), [1, 2]),
      'MALFORMED',
      /field 7 runs past the end.*a length of 100.*at most 2/,
    ],
    [
      'a length over 2^31',
      concat(head, tag(7, 2), varint(2 ** 31)),
      'MALFORMED',
      /a length of 2147483648/,
    ],
    [
      'a length over 2^63',
      concat(head, tag(7, 2), varint(2n ** 63n)),
      'MALFORMED',
      /a length of 9223372036854775808/,
    ],
    ['field number 0', concat(head, [0x00, 0x01]), 'MALFORMED', /field number 0/],
    ['wire type 6', concat(head, tag(9, 6)), 'MALFORMED', /wire type that does not exist.*found 6/],
    ['wire type 7', concat(head, tag(9, 7)), 'MALFORMED', /wire type that does not exist.*found 7/],
    ['an end of group alone', concat(head, tag(9, 4)), 'MALFORMED', /end of group/],
    [
      'a group without its end',
      concat(head, tag(9, 3), integer(1, 1)),
      'MALFORMED',
      /group that does not end/,
    ],
    [
      'a group closed by another number',
      concat(head, tag(9, 3), tag(10, 4)),
      'MALFORMED',
      /end of group/,
    ],
    [
      'a fixed-width value past the end',
      concat(head, tag(9, 1), [1, 2]),
      'MALFORMED',
      /fixed-width value past/,
    ],
    [
      'groups nested over 100 levels',
      concat(head, ...Array.from({ length: 120 }, () => tag(9, 3))),
      'LIMIT',
      /nested too deep.*at most 100/,
    ],
    ['subgraphs nested over 100 levels', nested(40), 'LIMIT', /nested too deep/],
    [
      'a graph field of the wrong wire type',
      concat(head, integer(7, 1)),
      'MALFORMED',
      /graph has the wrong wire type/,
    ],
    [
      'two graphs',
      concat(head, message(7, graphName), message(7, graphName)),
      'MALFORMED',
      /second graph/,
    ],
    ['no graph', head, 'MALFORMED', /without a graph/],
  ])('%s', (_, bytes, code, pattern) => {
    const error = failure(bytes);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(pattern);
  });
});

describe('the wire reader accepts', () => {
  test('unknown fields of every wire type, groups included', () => {
    const unknown = concat(
      integer(900, 5),
      tag(901, 1),
      new Uint8Array(8),
      message(902, [1, 2, 3]),
      tag(903, 3),
      integer(1, 7),
      tag(903, 4),
      tag(904, 5),
      new Uint8Array(4),
    );
    const opened = openModel(writeFile(folder, concat(matMulModel(4, 4), unknown)));
    expect(opened.model.tensors.map((tensor) => tensor.name)).toEqual(['w']);
    opened.close();
  });

  test('a length prefix that is padded with zero bits', () => {
    const graph = concat(
      graphName,
      message(5, text(8, 'w'), integer(1, 1), integer(2, 1), message(9, [0, 0, 128, 63])),
    );
    const padded = concat(head, tag(7, 2), [graph.length | 0x80, 0x80, 0x00], graph);
    const opened = openModel(writeFile(folder, padded));
    expect(opened.model.tensors[0]).toMatchObject({ name: 'w', elements: 1 });
    opened.close();
  });

  test('names that are any string: prototype keys, markup, direction marks, NUL, a megabyte', () => {
    const names = [
      '__proto__',
      'constructor',
      '<img onerror=alert(1)>',
      '\u202eevil',
      'nul\u0000',
      'x'.repeat(1 << 20),
    ];
    const initializer = names.map((name) => ({ name, dims: [1], dataType: 1, floatData: [1] }));
    const bytes = model({
      initializer,
      node: names.map((name, index) => node('MatMul', ['x', name], [`y${index}`])),
    });
    const opened = openModel(writeFile(folder, bytes));
    expect(opened.model.tensors.map((tensor) => tensor.name)).toEqual(names);
    opened.close();
  });
});

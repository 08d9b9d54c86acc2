import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { floats, model, node } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

/** Opens a sparse initializer w [3, 4] of three values; gives its name and shape. */
function open(indices: readonly number[], dims = [indices.length], dataType = 7): object {
  const values = { name: 'w', dims: [3], dataType: 1, rawData: floats([1, 2, 3]) };
  const where =
    dataType === 7
      ? { dims, dataType, int64Data: [...indices] }
      : { dims, dataType, int32Data: [...indices] };
  const graph = {
    node: [node('MatMul', ['x', 'w'], ['y'])],
    sparseInitializer: [{ values, indices: where, dims: [3, 4] }],
  };
  const opened = openModel(writeFile(folder, model(graph)));
  opened.close();
  const { name, shape } = opened.model.tensors[0]!;
  return { name, shape };
}

test.each<[string, number[], number[]]>([
  ['one index for each value', [0, 5, 11], [3]],
  ['one index for each axis', [0, 3, 1, 0, 2, 1], [3, 2]],
])('takes %s', (_, indices, dims) => {
  expect(open(indices, dims)).toEqual({ name: 'w', shape: [3, 4] });
});

test.each<[string, number[], number[], number, RegExp]>([
  [
    'past the end',
    [0, 5, 12],
    [3],
    7,
    /w: .*index 2 of a sparse tensor is out of range.*12.*0 to 11/,
  ],
  ['below 0', [-1, 5, 11], [3], 7, /w: .*index 0 of a sparse tensor is out of range.*-1.*0 to 11/],
  ['unsorted', [5, 0, 11], [3], 7, /w: .*index 1 .*not above the one before.*0.*at least 6/],
  ['twice', [0, 5, 5], [3], 7, /w: .*index 2 .*not above the one before.*5.*at least 6/],
  ['past an axis', [0, 1, 1, 4, 2, 0], [3, 2], 7, /w: .*index 1 .*out of range.*4.*0 to 3/],
  ['unsorted rows', [0, 1, 2, 0, 1, 3], [3, 2], 7, /w: .*index 2 .*not above.*1.*at least 2/],
  ['unsorted in a row', [0, 1, 1, 2, 1, 1], [3, 2], 7, /w: .*index 2 .*not above.*1.*at least 3/],
  [
    'too few',
    [0, 5],
    [2],
    7,
    /w: .*needs an index for each of its values.*\[2\].*\[3\] or \[3, 2\]/,
  ],
  ['of three axes', [0, 5, 7], [1, 3, 1], 7, /w: .*needs an index for each of its values/],
  ['of int32', [0, 5, 7], [3], 6, /w: .*indices of a sparse tensor must be int64.*int32/],
])('refuses indices %s', (_, indices, dims, dataType, message) => {
  expect(() => open(indices, dims, dataType)).toThrow(message);
});

import { describe, expect, test } from 'vitest';
import type { onnx } from 'onnx-proto';
import { canRaise, Opsets } from '../../../electron/engine/formats/onnx/write/opsets.ts';
import { readIndex } from '../../../electron/engine/formats/onnx/read/read-index.ts';
import { WireReader } from '../../../electron/engine/formats/onnx/read/wire.ts';
import { FileSource } from '../../../electron/engine/source.ts';
import { model, node } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function raises(
  nodes: onnx.INodeProto[],
  from: number,
  to: number,
  functions: onnx.IFunctionProto[] = [],
): boolean {
  const source = FileSource.open(
    writeFile(folder, model({ node: nodes }, { opset: from, functions })),
  );
  try {
    return canRaise(readIndex(new WireReader(source)), from, to);
  } finally {
    source.close();
  }
}

const op = (opType: string): onnx.INodeProto => node(opType, ['x'], ['y']);

describe('an opset is raised', () => {
  test.each([
    ['Conv', 7, 21],
    ['MatMul', 8, 21],
    ['Clip', 11, 21],
    ['Softmax', 9, 12],
    ['Softmax', 13, 21],
    ['Resize', 11, 17],
    ['Squeeze', 13, 21],
    ['BatchNormalization', 9, 13],
    ['LSTM', 7, 21],
    ['MatMul', 1, 21],
    ['Relu', 6, 21],
  ])('over %s from %i to %i, which mean the same', (opType, from, to) => {
    expect(raises([op(opType)], from, to)).toBe(true);
  });
});

describe('an opset is not raised', () => {
  test.each([
    ['Softmax, whose axis default moved', 12, 13],
    ['Squeeze, whose axes became an input', 12, 13],
    ['Unsqueeze, whose axes became an input', 11, 13],
    ['ReduceSum, whose axes became an input', 12, 13],
    ['ReduceMean, whose axes became an input', 17, 18],
    ['Split, whose split became an input', 12, 13],
    ['Split, which now needs num_outputs', 17, 18],
    ['Clip, whose limits became inputs', 10, 11],
    ['Pad, whose pads became an input', 10, 11],
    ['Slice, whose starts became inputs', 9, 10],
    ['Resize, which got a roi and half_pixel', 10, 11],
    ['Upsample, which went', 9, 10],
    ['Dropout, whose ratio became an input', 11, 12],
    ['BatchNormalization, whose outputs changed', 13, 14],
    ['RoiAlign, whose default moved', 15, 16],
    ['GroupNormalization, whose scale changed shape', 20, 21],
    ['Add, which broadcasts as its attributes say', 6, 13],
    ['Add, whose consumed_inputs went', 5, 6],
    ['PRelu, whose slope moved to the last axis', 6, 7],
    ['Gemm, which broadcasts as its attribute says', 6, 7],
    ['Relu, whose consumed_inputs went', 5, 6],
    ['Cast, whose type was a string', 5, 6],
    ['Concat, whose axis had a default', 3, 4],
    ['Reshape, whose shape was an attribute', 4, 5],
    ['Pad, whose paddings were renamed', 1, 2],
    ['Tile, whose inputs changed', 5, 6],
    ['LSTM, whose output_sequence went', 6, 7],
    ['Dropout, which had is_test', 6, 7],
    ['BatchNormalization, which had is_test', 6, 7],
    ['Frobnicate, which nobody knows', 9, 10],
  ])('over %s, from %i to %i', (text, from, to) => {
    expect(raises([op(text.split(',')[0]!)], from, to)).toBe(false);
  });

  test('over such an operator in a subgraph or a function', () => {
    const inside = node('If', ['c'], ['y'], {
      attribute: [{ name: 'then_branch', type: 5, g: { name: 'g', node: [op('Softmax')] } }],
    });
    expect(raises([inside], 12, 13)).toBe(false);
    expect(raises([op('Conv')], 12, 13, [{ name: 'F', node: [op('Softmax')] }])).toBe(false);
    expect(raises([op('Conv')], 12, 13, [{ name: 'F', node: [op('Relu')] }])).toBe(true);
  });

  test('an operator of another domain does not hold a model back', () => {
    expect(raises([node('Softmax', ['x'], ['y'], { domain: 'local' })], 12, 13)).toBe(true);
  });
});

describe('the reason for a low opset', () => {
  const why = (nodes: onnx.INodeProto[], from: number, to: number): string => {
    const source = FileSource.open(writeFile(folder, model({ node: nodes }, { opset: from })));
    try {
      const index = readIndex(new WireReader(source));
      return new Opsets(index, new Map([[null, new Set([to])]])).whyBelow(null, to);
    } finally {
      source.close();
    }
  };

  test('names the operators that change on the way', () => {
    const nodes = ['Softmax', 'Conv', 'Clip', 'Slice', 'Clip'].map(op);
    expect(why(nodes, 9, 13)).toBe(
      'the file is at opset 9: Clip, Slice and Softmax change on the way to opset 13',
    );
    expect(why([op('Clip')], 9, 13)).toBe(
      'the file is at opset 9: Clip changes on the way to opset 13',
    );
  });

  test('counts those of a long list', () => {
    const nodes = 'Clip Dropout Pad Resize Slice Softmax Split'.split(' ').map(op);
    expect(why(nodes, 9, 13)).toBe(
      'the file is at opset 9: Clip, Dropout, Pad, Resize, Slice and 2 more operators change on the way to opset 13',
    );
  });
});

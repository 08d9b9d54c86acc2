import type { onnx } from 'onnx-proto';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { floatTensor, model, node } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

const bytes = (name: string, dims: number[], dataType = 2): onnx.ITensorProto => ({
  name,
  dims,
  dataType,
  rawData: new Uint8Array(dims.reduce((a, b) => a * b, 1)).fill(0x87),
});
const floats = (name: string, ...dims: number[]): onnx.ITensorProto =>
  floatTensor(name, dims, new Array<number>(dims.reduce((a, b) => a * b, 1)).fill(0.5));
const attributes = (values: Readonly<Record<string, number>>): Partial<onnx.INodeProto> => ({
  attribute: Object.entries(values).map(([name, i]) => ({ name, type: 2, i })),
});

interface Found {
  readonly role: string;
  readonly axis: number | null;
  /** Values that the codes stand for. */
  readonly parameters: number;
  readonly scales: number;
  readonly zeroPoint?: readonly number[];
  readonly blockSize?: number;
}

/** A node whose input q holds codes, s scales and z zero points; b is a bias. */
type Case = readonly [
  op: string,
  inputs: readonly string[],
  attributes: Readonly<Record<string, number>>,
  stored: readonly onnx.ITensorProto[],
  found: Found,
];

const MATRIX = [bytes('q', [48, 96]), floats('s', 96), bytes('z', [96])];
const right: Found = { role: 'weight', axis: 1, parameters: 48 * 96, scales: 96 };
const NBITS = { K: 72, N: 3, bits: 4, block_size: 32 };

const CASES: readonly Case[] = [
  [
    'QAttention',
    ['x', 'q', 'b', 'xs', 's', '', 'xz', 'z'],
    {},
    [...MATRIX, floats('b', 96)],
    right,
  ],
  [
    'MatMulIntegerToFloat',
    ['x', 'q', 'xs', 's', 'xz', 'z', 'b'],
    {},
    [...MATRIX, floats('b', 96)],
    right,
  ],
  ['DynamicQuantizeMatMul', ['x', 'q', 's', 'z', 'b'], {}, [...MATRIX, floats('b', 96)], right],
  ['QLinearMatMul', ['x', 'xs', 'xz', 'q', 's', 'z', 'ys', 'yz'], {}, MATRIX, right],
  [
    'QLinearMatMul',
    ['q', 's', 'z', 'x', 'xs', 'xz', 'ys', 'yz'],
    {},
    [bytes('q', [48, 96]), floats('s', 48)],
    { ...right, axis: 0, scales: 48 },
  ],
  ['MatMulInteger', ['x', 'q', '', 'z'], {}, MATRIX, { ...right, scales: 0 }],
  [
    'QGemm',
    ['x', 'xs', 'xz', 'q', 's', 'z', 'b'],
    { transB: 1 },
    [bytes('q', [96, 48]), floats('s', 96), bytes('b', [96], 6)].map((t) =>
      t.name === 'b' ? { ...t, rawData: new Uint8Array(384) } : t,
    ),
    { ...right, axis: 0 },
  ],
  [
    'QOrderedMatMul',
    ['x', 'xs', 'q', 's', 'ys', 'b'],
    {},
    [bytes('q', [48, 96], 3), floats('s', 96), floats('b', 96)],
    right,
  ],
  // 72 rows in blocks of 32 take 3 x 32 codes a column, and 3 zero points two bytes.
  [
    'MatMulNBits',
    ['x', 'q', 's', 'z', '', 'b'],
    NBITS,
    [bytes('q', [3, 3, 16]), floats('s', 9), bytes('z', [6]), floats('b', 3)],
    {
      role: 'weight',
      axis: 0,
      parameters: 216,
      scales: 9,
      zeroPoint: [7, 8, 7, 7, 8, 7, 7, 8, 7],
      blockSize: 32,
    },
  ],
  [
    'MatMulNBits',
    ['x', 'q', 's'],
    { ...NBITS, bits: 8 },
    [bytes('q', [3, 3, 32]), floats('s', 9)],
    { role: 'weight', axis: 0, parameters: 216, scales: 9, blockSize: 32 },
  ],
  [
    'MatMulNBits',
    ['x', 'q', 's'],
    { ...NBITS, K: 1 << 30 },
    [bytes('q', [3, 3, 16]), floats('s', 9)],
    { role: 'weight', axis: 0, parameters: 288, scales: 9, blockSize: 32 },
  ],
  [
    'MatMulNBitsQkv',
    ['x', '', 'n', 'q', 's', 'b', 'q2', 's2', '', 'q3', 's3'],
    { K: 64, Nq: 3, Nkv: 2, bits: 4, block_size: 32 },
    [bytes('q', [3, 2, 16]), floats('s', 6), floats('b', 3)],
    { role: 'weight', axis: 0, parameters: 192, scales: 6, blockSize: 32 },
  ],
  [
    'MatMulBnb4',
    ['x', 'q', 's'],
    { K: 64, N: 3, block_size: 32, quant_type: 1 },
    [bytes('q', [96]), floats('s', 6)],
    { role: 'weight', axis: null, parameters: 192, scales: 6, blockSize: 32 },
  ],
  [
    'MatMulFpQ4',
    ['x', 'q', 'shape'],
    { blk_quant_type: 1 },
    [bytes('q', [120]), { name: 'shape', dims: [2], dataType: 7, int64Data: [64, 3] }],
    { role: 'weight', axis: null, parameters: 192, scales: 0 },
  ],
  [
    'GatherBlockQuantized',
    ['q', 'ids', 's'],
    { bits: 4, block_size: 16, gather_axis: 0, quantize_axis: 1 },
    [bytes('q', [10, 16]), floats('s', 10, 2)],
    { role: 'embedding', axis: 0, parameters: 320, scales: 20, blockSize: 16 },
  ],
  [
    'QMoE',
    ['x', 'r', 'q', 's', 'b', 'q2', 's2'],
    {},
    [bytes('q', [4, 32, 8]), floats('s', 4, 32), floats('b', 4, 32)],
    { role: 'weight', axis: 1, parameters: 2048, scales: 128 },
  ],
  [
    'QEmbedLayerNormalization',
    ['ids', '', 'q', 'p', '', 'g', 'h', '', 's', 's2', '', 's3', 's4', 'z'],
    {},
    [bytes('q', [10, 16]), floats('s'), bytes('z', [])],
    { role: 'embedding', axis: 0, parameters: 160, scales: 1, zeroPoint: [0x87] },
  ],
];

test.each(CASES)(
  '%s: the values that its codes stand for, with scales and zero points',
  (op, inputs, values, stored, found) => {
    const consumer = node(op, [...inputs], ['y'], {
      domain: 'com.microsoft',
      ...attributes(values),
    });
    const opened = openModel(
      writeFile(folder, model({ node: [consumer], initializer: [...stored] })),
    );
    opened.close();
    const tensors = Object.fromEntries(opened.model.tensors.map((tensor) => [tensor.name, tensor]));
    const q = tensors['q']!;
    expect(q).toMatchObject({ role: found.role, axis: found.axis });
    expect(q.quantization).toMatchObject({ blockSize: found.blockSize ?? null });
    expect(q.quantization!.scale).toHaveLength(found.scales);
    if (found.zeroPoint !== undefined) expect(q.quantization!.zeroPoint).toEqual(found.zeroPoint);
    expect(q.parameters ?? q.elements).toBe(found.parameters);
    for (const name of ['s', 'z', 'shape'].filter((input) => inputs.includes(input)))
      expect(tensors[name]?.role ?? 'constant').toBe('constant');
    expect(tensors['b']?.role ?? 'bias').toBe('bias');
    const biases = tensors['b']?.elements ?? 0;
    expect(opened.model.parameters).toBe(found.parameters + biases);
  },
);

test.each<[string, readonly string[], string, readonly number[], string]>([
  ['Attention of ai.onnx has no weights', ['x', 'x', 'w'], '', [1, 2, 8, 8], 'constant'],
  ['MultiHeadAttention: a bias', ['x', 'x', 'x', 'w'], 'com.microsoft', [192], 'bias'],
  [
    'GroupQueryAttention: caches of rotations',
    ['x', '', '', '', '', '', '', 'w'],
    'com.microsoft',
    [64, 8],
    'constant',
  ],
  ['SkipLayerNormalization: a bias', ['x', 'x', 'g', 'h', 'w'], 'com.microsoft', [64], 'bias'],
  ['SkipSimplifiedLayerNormalization: a norm', ['x', 'x', 'w'], 'com.microsoft', [64], 'norm'],
  ['SkipGroupNorm: a bias', ['x', 'g', 'h', 'x', 'w'], 'com.microsoft', [64], 'bias'],
  ['BiasGelu: a bias', ['x', 'w'], 'com.microsoft', [64], 'bias'],
  ['LSTM of two directions: a bias', ['x', 'a', 'r', 'w'], '', [2, 64], 'bias'],
  ['MoE: biases of experts', ['x', 'r', 'a', 'w'], 'com.microsoft', [4, 64], 'bias'],
  ['ScatterND: a buffer to write to', ['w', 'ids', 'x'], '', [8, 64], 'constant'],
  ['GatherElements: single values', ['w', 'ids'], '', [8, 64], 'constant'],
  ['RotaryEmbedding: caches of rotations', ['x', 'w'], '', [64, 8], 'constant'],
])('%s', (name, inputs, domain, dims, role) => {
  const op = /^\w+/.exec(name)![0];
  const graph = {
    node: [node(op, [...inputs], ['y'], { domain })],
    initializer: [floats('w', ...dims)],
  };
  const opened = openModel(writeFile(folder, model(graph)));
  opened.close();
  expect(opened.model.tensors[0]).toMatchObject({ name: 'w', role });
});

import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { TensorRef } from '../../../shared/model.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { call, functionModel, type TestFunction } from '../../helpers/onnx-functions.ts';
import {
  constant,
  floatTensor,
  model,
  node,
  randomValues,
  value,
  type ModelOptions,
} from '../../helpers/onnx-model.ts';
import { concat, integer, tag, varint } from '../../helpers/protobuf.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function tensorsOf(graph: onnx.IGraphProto, options: ModelOptions = {}): Record<string, TensorRef> {
  const opened = openModel(writeFile(folder, model(graph, options)));
  opened.close();
  return Object.fromEntries(opened.model.tensors.map((tensor) => [tensor.name, tensor]));
}

const weight = (name: string, ...dims: number[]): onnx.ITensorProto =>
  floatTensor(
    name,
    dims,
    randomValues(
      dims.reduce((a, b) => a * b, 1),
      7,
    ),
  );
const integers = (name: string, values: number[]): onnx.ITensorProto => ({
  name,
  dims: [values.length],
  dataType: 7,
  int64Data: values,
});

describe('the role and channel axis of a weight', () => {
  test.each<[string, onnx.INodeProto, number[], string, number | null]>([
    ['Conv: axis 0', node('Conv', ['x', 'w'], ['y']), [8, 4, 3, 3], 'weight', 0],
    ['ConvTranspose: axis 1', node('ConvTranspose', ['x', 'w'], ['y']), [8, 4, 3, 3], 'weight', 1],
    ['MatMul on the right: the last axis', node('MatMul', ['x', 'w'], ['y']), [8, 4], 'weight', 1],
    ['MatMul of a stack: the last axis', node('MatMul', ['x', 'w'], ['y']), [2, 8, 4], 'weight', 2],
    ['MatMul on the left: the rows', node('MatMul', ['w', 'x'], ['y']), [8, 4], 'weight', 0],
    ['Gemm: axis 1', node('Gemm', ['x', 'w'], ['y']), [8, 4], 'weight', 1],
    [
      'Gemm with transB: axis 0',
      node('Gemm', ['x', 'w'], ['y'], { attribute: [{ name: 'transB', type: 2, i: 1 }] }),
      [8, 4],
      'weight',
      0,
    ],
    ['Gather: an embedding, axis 0', node('Gather', ['w', 'x'], ['y']), [8, 4], 'embedding', 0],
    [
      'LSTM: axis 1 within each direction',
      node('LSTM', ['x', 'w'], ['y']),
      [1, 16, 4],
      'weight',
      1,
    ],
    ['Conv bias', node('Conv', ['x', 'v', 'w'], ['y']), [8], 'bias', null],
    ['BatchNormalization', node('BatchNormalization', ['x', 'w'], ['y']), [8], 'norm', null],
    ['Gemm with one axis too few', node('Gemm', ['x', 'w'], ['y']), [8], 'other', null],
    ['Add of one axis: a bias', node('Add', ['x', 'w'], ['y']), [8], 'bias', null],
    ['Add of two axes: a constant', node('Add', ['x', 'w'], ['y']), [8, 4], 'constant', null],
    ['Resize scales', node('Resize', ['x', '', 'w'], ['y']), [4], 'constant', null],
    [
      'an operator of an unknown domain',
      node('MatMul', ['x', 'w'], ['y'], { domain: 'ai.unknown' }),
      [8, 4],
      'other',
      null,
    ],
  ])('%s', (_, consumer, dims, role, axis) => {
    const { w } = tensorsOf({ node: [consumer], initializer: [weight('w', ...dims)] });
    expect(w).toMatchObject({ role, axis, op: consumer.opType, layer: consumer.name });
  });

  test('is followed through Identity, Cast, Transpose, Slice, Concat, Unsqueeze and Reshape', () => {
    const perm = (...ints: number[]) => ({ attribute: [{ name: 'perm', type: 7, ints }] });
    const found = tensorsOf({
      initializer: [
        weight('a', 8, 4),
        weight('b', 8, 4),
        weight('c', 8, 4),
        weight('d', 16, 4),
        integers('axes', [0]),
        integers('shape', [4, 8]),
      ],
      node: [
        node('Identity', ['a'], ['a1']),
        node('MatMul', ['x', 'a1'], ['y1']),
        node('Transpose', ['b'], ['b1'], perm(1, 0)),
        node('MatMul', ['x', 'b1'], ['y2']),
        node('Reshape', ['c', 'shape'], ['c1']),
        node('MatMul', ['x', 'c1'], ['y3']),
        node('Slice', ['d'], ['d1']),
        node('Slice', ['d'], ['d2']),
        node('Concat', ['d1', 'd2'], ['d3']),
        node('Unsqueeze', ['d3', 'axes'], ['d4']),
        node('LSTM', ['x', 'd4'], ['y4']),
      ],
    });
    expect(found['a']).toMatchObject({ role: 'weight', axis: 1, op: 'MatMul' });
    expect(found['b']).toMatchObject({ role: 'weight', axis: 0, op: 'MatMul' });
    expect(found['c']).toMatchObject({ role: 'weight', axis: null, op: 'MatMul' });
    expect(found['d']).toMatchObject({ role: 'weight', axis: 0, op: 'LSTM' });
    expect(found['shape']).toMatchObject({ role: 'constant' });
  });

  test('stays a constant when it also feeds an input where any error breaks the graph', () => {
    const { w } = tensorsOf({
      initializer: [weight('w', 2, 4)],
      node: [node('MatMul', ['x', 'w'], ['y']), node('Resize', ['x', '', 'w'], ['z'])],
    });
    expect(w!.role).toBe('constant');
  });
});

describe('stored tensors are found', () => {
  test('tied weights once, with every consumer', () => {
    const { w } = tensorsOf({
      initializer: [weight('w', 8, 8)],
      node: [node('Gather', ['w', 'i'], ['y']), node('MatMul', ['x', 'w'], ['z'])],
    });
    expect(w!.consumers).toEqual([
      { node: 'Gather_y', op: 'Gather', input: 0 },
      { node: 'MatMul_z', op: 'MatMul', input: 1 },
    ]);
  });

  test('in Constant nodes: value, value_float, value_floats, value_ints and value_string', () => {
    const listed = (name: string, attribute: onnx.IAttributeProto) =>
      node('Constant', [], [name], { attribute: [attribute] });
    const found = tensorsOf({
      node: [
        constant('t', weight('inner', 4, 4)),
        listed('f', { name: 'value_float', type: 1, f: 2.5 }),
        listed('fs', { name: 'value_floats', type: 6, floats: [1, 2, 3] }),
        listed('is', { name: 'value_ints', type: 7, ints: [1, 2] }),
        listed('s', { name: 'value_string', type: 3, s: Buffer.from('text') }),
        node('MatMul', ['x', 't'], ['y']),
      ],
    });
    expect(found['t']).toMatchObject({
      storage: 'constant',
      shape: [4, 4],
      role: 'weight',
      bytes: 64,
    });
    expect(found['f']).toMatchObject({ dtype: 'float32', shape: [], elements: 1 });
    expect(found['fs']).toMatchObject({ dtype: 'float32', shape: [3], bytes: 12 });
    expect(found['is']).toMatchObject({ dtype: 'int64', shape: [2], bytes: 16 });
    expect(found['s']).toMatchObject({ dtype: 'string', shape: [] });
  });

  test('in subgraphs, whose consumers may sit deeper and whose names may repeat across branches', () => {
    const branch = (op: string): onnx.IGraphProto => ({
      name: 'branch',
      initializer: [weight('w', 4, 4)],
      node: [
        node('If', ['condition'], ['out'], {
          attribute: [
            {
              name: 'then_branch',
              type: 5,
              g: { name: 'deep', node: [node(op, ['x', 'w'], ['y'])] },
            },
          ],
        }),
      ],
    });
    const opened = openModel(
      writeFile(
        folder,
        model({
          node: [
            node('If', ['condition'], ['z'], {
              name: 'gate',
              attribute: [
                { name: 'then_branch', type: 5, g: branch('MatMul') },
                { name: 'else_branch', type: 5, g: branch('Gemm') },
              ],
            }),
          ],
        }),
      ),
    );
    opened.close();
    expect(opened.model.tensors.map(({ name, graph, role }) => [name, graph, role])).toEqual([
      ['w', 'gate.then_branch', 'weight'],
      ['w', 'gate.else_branch', 'weight'],
    ]);
  });

  test('in functions', () => {
    const body: onnx.IFunctionProto = {
      name: 'Linear',
      input: ['x'],
      output: ['y'],
      node: [constant('w', weight('', 4, 4)), node('MatMul', ['x', 'w'], ['y'])],
      opsetImport: [{ domain: '', version: 13 }],
    };
    (body as { domain?: string }).domain = 'local';
    const { w } = tensorsOf(
      { node: [node('Linear', ['x'], ['y'], { domain: 'local' })] },
      { functions: [body] },
    );
    expect(w).toMatchObject({ role: 'weight', axis: 1 });
    expect(w!.graph).toMatch(/^function .*:Linear$/);
  });

  test('functions that call each other in a circle are refused', () => {
    const calling = (name: string, callee: string): TestFunction => ({
      name,
      inputs: ['x'],
      outputs: ['y'],
      nodes: [call(callee, ['x'], ['y'])],
    });
    const bytes = functionModel({ node: [] }, [calling('A', 'B'), calling('B', 'A')]);
    expect(() => openModel(writeFile(folder, bytes))).toThrow(
      /functions call each other in a circle.*:A/,
    );
  });

  test('already quantized tensors, with their stored scales, zero points and axis', () => {
    const found = tensorsOf({
      initializer: [
        { name: 'q', dims: [2, 2], dataType: 3, rawData: Uint8Array.of(1, 2, 3, 4) },
        {
          name: 's',
          dims: [2],
          dataType: 1,
          rawData: new Uint8Array(Float32Array.of(0.5, 0.25).buffer),
        },
        { name: 'z', dims: [2], dataType: 3, rawData: Uint8Array.of(0, 255) },
      ],
      node: [
        node('DequantizeLinear', ['q', 's', 'z'], ['w'], {
          attribute: [{ name: 'axis', type: 2, i: 1 }],
        }),
        node('MatMul', ['x', 'w'], ['y']),
      ],
    });
    expect(found['q']).toMatchObject({
      role: 'weight',
      op: 'MatMul',
      quantization: { scale: [0.5, 0.25], zeroPoint: [0, -1], axis: 1, blockSize: null },
    });
    expect(found['s']!.role).toBe('constant');
  });

  test.each<[string, onnx.INodeProto, number[], number]>([
    ['ConvInteger', node('ConvInteger', ['x', 'q', '', 'z'], ['y']), [8, 4, 3, 3], 0],
    ['MatMulInteger', node('MatMulInteger', ['x', 'q', '', 'z'], ['y']), [8, 4], 1],
    [
      'QLinearConv',
      node('QLinearConv', ['x', 's', 'z', 'q', 's', 'z', 's', 'z'], ['y']),
      [8, 4, 3, 3],
      0,
    ],
    [
      'QLinearMatMul',
      node('QLinearMatMul', ['x', 's', 'z', 'q', 's', 'z', 's', 'z'], ['y']),
      [8, 4],
      1,
    ],
    [
      'QGemm with transB',
      node('QGemm', ['x', 's', 'z', 'q', 's', 'z'], ['y'], {
        domain: 'com.microsoft',
        attribute: [{ name: 'transB', type: 2, i: 1 }],
      }),
      [8, 4],
      0,
    ],
    [
      'DynamicQuantizeMatMul',
      node('DynamicQuantizeMatMul', ['x', 'q', 's', 'z'], ['y'], { domain: 'com.microsoft' }),
      [8, 4],
      1,
    ],
    [
      'DynamicQuantizeLSTM',
      node('DynamicQuantizeLSTM', ['x', 'q', 'q', '', '', '', '', '', 's', 'z', 's', 'z'], ['y'], {
        domain: 'com.microsoft',
      }),
      [1, 4, 16],
      2,
    ],
    [
      'MatMulNBits',
      node('MatMulNBits', ['x', 'q', 's', 'z'], ['y'], { domain: 'com.microsoft' }),
      [8, 1, 16],
      0,
    ],
  ])('the integers that %s takes are a weight', (_, consumer, dims, axis) => {
    const elements = dims.reduce((a, b) => a * b, 1);
    const initializer: onnx.ITensorProto[] = [
      { name: 'q', dims, dataType: 2, rawData: new Uint8Array(elements) },
      { name: 's', dims: [], dataType: 1, rawData: new Uint8Array(Float32Array.of(0.5).buffer) },
      { name: 'z', dims: [], dataType: 2, rawData: Uint8Array.of(128) },
    ];
    const found = tensorsOf({ initializer, node: [consumer] });
    expect(found['q']).toMatchObject({ role: 'weight', axis });
    expect(found['q']!.quantization?.zeroPoint).toEqual([128]);
    expect(found['z']!.role).not.toBe('weight');
  });
});

test('the model states its opsets, producer, parameters and footprint', () => {
  const opened = openModel(
    writeFile(
      folder,
      model({
        initializer: [weight('w', 8, 4), weight('b', 4), integers('shape', [1, 2])],
        node: [node('Gemm', ['x', 'w', 'b'], ['y']), node('Reshape', ['y', 'shape'], ['z'])],
        input: [value('x', [1, 8])],
      }),
    ),
  );
  opened.close();
  expect(opened.model).toMatchObject({
    format: 'onnx',
    producer: 'test',
    opsets: [{ domain: 'ai.onnx', version: 13 }],
    parameters: 36,
    tensorBytes: 160,
    footprint: { float32: 160, float16: 88, bfloat16: 88, int8: 52, int4: 34 },
  });
});

test('refuses a model of more than 2,000,000 nodes before its records fill the memory', () => {
  const nodes = Buffer.alloc(2 * 2_000_001);
  for (let at = 0; at < nodes.length; at += 2) nodes[at] = 0x0a;
  const bytes = concat(integer(1, 8), tag(7, 2), varint(nodes.length), nodes);
  expect(() => openModel(writeFile(folder, bytes))).toThrow(/too many nodes.*2000000/s);
});

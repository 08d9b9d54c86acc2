import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const exported = exporter(testPool(), folder);

const tensor = (name: string, ...dims: number[]): onnx.ITensorProto =>
  floatTensor(
    name,
    dims,
    randomValues(
      dims.reduce((a, b) => a * b, 1),
      name.charCodeAt(0),
    ),
  );
const whole = (name: string, i: number): onnx.IAttributeProto => ({ name, type: 2, i });
const real = (name: string, f: number): onnx.IAttributeProto => ({ name, type: 1, f });
const gemm = (
  inputs: string[],
  output: string,
  ...attribute: onnx.IAttributeProto[]
): onnx.INodeProto => node('Gemm', inputs, [output], { attribute });
const transB = whole('transB', 1);
const transA = whole('transA', 1);

interface Form {
  readonly nodes: onnx.INodeProto[];
  readonly stored: onnx.ITensorProto[];
  readonly input: readonly number[];
  readonly outputs?: readonly string[];
}

/** All forms in which Gemm and MatMul take a weight. */
const FORMS: Readonly<Record<string, Form>> = {
  'Gemm that scales, with a bias': {
    nodes: [gemm(['x', 'w', 'b'], 'y', real('alpha', 0.5), real('beta', 2), transB)],
    stored: [tensor('w', 64, 48), tensor('b', 64)],
    input: [3, 48],
  },
  'Gemm of a transposed input': {
    nodes: [gemm(['x', 'w', 'b'], 'y', transA)],
    stored: [tensor('w', 48, 64), tensor('b', 1, 64)],
    input: [48, 3],
  },
  'Gemm with a bias for each row': {
    nodes: [gemm(['x', 'w', 'b'], 'y', transB)],
    stored: [tensor('w', 64, 48), tensor('b', 3, 1)],
    input: [3, 48],
  },
  'Gemm with a scalar bias': {
    nodes: [gemm(['x', 'w', 'b'], 'y')],
    stored: [tensor('w', 48, 64), tensor('b')],
    input: [3, 48],
  },
  'MatMul with its weight on the left': {
    nodes: [node('MatMul', ['w', 'x'], ['y'])],
    stored: [tensor('w', 64, 48)],
    input: [48, 5],
  },
  'Gemm with its weight on the left': {
    nodes: [gemm(['w', 'x'], 'y', transA)],
    stored: [tensor('w', 48, 64)],
    input: [48, 5],
  },
  'MatMul with a stack of weights': {
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    stored: [tensor('w', 4, 48, 64)],
    input: [4, 3, 48],
  },
  'MatMul with a stack of one weight': {
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    stored: [tensor('w', 1, 48, 64)],
    input: [2, 3, 48],
  },
  'MatMul with a vector': {
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    stored: [tensor('w', 2048)],
    input: [3, 2048],
  },
  'MatMul of a vector': {
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    stored: [tensor('w', 48, 64)],
    input: [48],
  },
  'a weight shared by MatMul, Gemm and Add': {
    nodes: [
      node('MatMul', ['x', 'w'], ['a']),
      node('Relu', ['a'], ['r']),
      node('MatMul', ['r', 'w'], ['c']),
      gemm(['c', 'w'], 'e', transB),
      node('Add', ['e', 'w'], ['y']),
    ],
    stored: [tensor('w', 64, 64)],
    input: [64, 64],
  },
  'a weight that is also an output': {
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    stored: [tensor('w', 48, 64)],
    input: [3, 48],
    outputs: ['y', 'w'],
  },
  'a weight on both sides': {
    nodes: [node('MatMul', ['w', 'w'], ['s']), node('MatMul', ['x', 's'], ['y'])],
    stored: [tensor('w', 64, 64)],
    input: [3, 64],
  },
  'a weight of odd sizes': {
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    stored: [tensor('w', 67, 61)],
    input: [3, 67],
  },
  'a weight of one column': {
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    stored: [tensor('w', 3000, 1)],
    input: [3, 3000],
  },
  'weights put together by Concat': {
    nodes: [
      node('Concat', ['q', 'k'], ['w'], { attribute: [whole('axis', 1)] }),
      node('MatMul', ['x', 'w'], ['y']),
    ],
    stored: [tensor('q', 48, 64), tensor('k', 48, 32)],
    input: [3, 48],
  },
  'a weight with a low-rank correction': {
    nodes: [
      node('MatMul', ['a', 'b'], ['p']),
      node('Add', ['w', 'p'], ['s']),
      node('MatMul', ['x', 's'], ['y']),
    ],
    stored: [tensor('w', 64, 64), tensor('a', 64, 4), tensor('b', 4, 64)],
    input: [3, 64],
  },
};

const MODES: readonly (readonly [ExportMode, string, number])[] = [
  ['qdq', 'int8', 30],
  ['dynamic', 'int8', 25],
  ['float', 'bfloat16', 40],
  ['float16', 'float16', 50],
  ['nbits', 'int4-block32', 10],
];

describe.each(Object.entries(FORMS))('%s', (_, { nodes, stored, input, outputs = ['y'] }) => {
  test.each(MODES)('keeps its answer in mode %s with %s', async (mode, preset, least) => {
    const graph = {
      node: nodes,
      initializer: stored,
      input: [value('x', input)],
      output: outputs.map((name) => ({ name, type: { tensorType: { elemType: 1 } } })),
    };
    const file = writeFile(folder, model(graph, { opset: 17 }));
    const { out } = await exported(file, recipe(preset), mode);
    const feeds = { x: { shape: input, dtype: 'float32' } } as const;
    const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    for (const name of outputs)
      expect(outputSqnr(source[name]!, answer[name]!)).toBeGreaterThan(least);
  });
});

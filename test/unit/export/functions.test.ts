import type { onnx } from 'onnx-proto';
import * as fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import {
  call,
  functionModel,
  LOCAL,
  referring,
  type FunctionGraph,
  type TestFunction,
} from '../../helpers/onnx-functions.ts';
import { constant, floatTensor, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);

const SIZE = 64;

function weight(
  name: string,
  seed: number,
  dims: readonly number[] = [SIZE, SIZE],
): onnx.ITensorProto {
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, dims, randomValues(count, seed));
}

/** x [3, 64] through nodes to y. */
function graphOf(
  nodes: FunctionGraph['node'],
  initializer: onnx.ITensorProto[] = [],
): FunctionGraph {
  return {
    node: nodes,
    initializer,
    input: [value('x', [3, SIZE])],
    output: [value('y', [3, SIZE])],
  };
}

/** y = x w + 0 with the weight as a Constant of the body. */
function constantLinear(opset: number, more: onnx.INodeProto[] = []): TestFunction {
  return {
    name: 'Linear',
    inputs: ['x'],
    outputs: ['y'],
    nodes: [
      constant('w', weight('', 1)),
      node('MatMul', ['x', 'w'], [more.length === 0 ? 'y' : 'm']),
      ...more,
    ],
    imports: [{ domain: '', version: opset }],
  };
}

const linear: TestFunction = {
  name: 'Linear',
  inputs: ['x', 'w', 'b'],
  outputs: ['y'],
  nodes: [node('MatMul', ['x', 'w'], ['m']), node('Add', ['m', 'b'], ['y'])],
};

/** Two calls inside another function, each with its own weight (torch.onnx.dynamo_export's modules). */
const mlp: TestFunction = {
  name: 'MLP',
  inputs: ['x', 'w1', 'b1', 'w2', 'b2'],
  outputs: ['y'],
  nodes: [
    call('Linear', ['x', 'w1', 'b1'], ['a']),
    node('Relu', ['a'], ['r']),
    call('Linear', ['r', 'w2', 'b2'], ['y']),
  ],
  imports: [
    { domain: '', version: 13 },
    { domain: LOCAL, version: 1 },
  ],
};

const bias = floatTensor('b', [SIZE], randomValues(SIZE, 9));

/** A Gemm whose transB its calls give. */
const gemm: TestFunction = {
  name: 'Gemm',
  inputs: ['x', 'w'],
  outputs: ['y'],
  attributes: ['transposed'],
  nodes: [referring(node('Gemm', ['x', 'w'], ['y']), 'transB', 2, 'transposed')],
};

const transposed = (of: number): onnx.IAttributeProto[] => [{ name: 'transposed', type: 2, i: of }];

const convolution: TestFunction = {
  name: 'Convolution',
  inputs: ['x'],
  outputs: ['y'],
  nodes: [
    constant('w', weight('', 1, [16, 16, 1, 3])),
    constant('image', { dims: [4], dataType: 7, int64Data: [3, 16, 1, 4] }),
    constant('flat', { dims: [2], dataType: 7, int64Data: [3, SIZE] }),
    node('Reshape', ['x', 'image'], ['i']),
    node('Conv', ['i', 'w'], ['c'], { attribute: [{ name: 'pads', type: 7, ints: [0, 1, 0, 1] }] }),
    node('Reshape', ['c', 'flat'], ['y']),
  ],
};

/** Models by what is unusual in them, and how many of their weights qdq quantizes to int8. */
const MODELS: Readonly<Record<string, readonly [bytes: Uint8Array, weights: number]>> = {
  'a Constant, opset 13': [
    functionModel(graphOf([call('Linear', ['x'], ['y'])]), [constantLinear(13)]),
    1,
  ],
  'a Constant, opset 8': [
    functionModel(graphOf([call('Linear', ['x'], ['y'])]), [constantLinear(8)], { opset: 8 }),
    1,
  ],
  'a Constant, opset 21': [
    functionModel(graphOf([call('Linear', ['x'], ['y'])]), [constantLinear(21)], {
      opset: 21,
      irVersion: 10,
    }),
    1,
  ],
  'the model at opset 21, its function at 13': [
    functionModel(graphOf([call('Linear', ['x'], ['y'])]), [constantLinear(13)], {
      opset: 21,
      irVersion: 10,
    }),
    1,
  ],
  'the model at opset 13, its function at 21': [
    functionModel(graphOf([call('Linear', ['x'], ['y'])]), [constantLinear(21)], {
      irVersion: 10,
    }),
    1,
  ],
  'a function that cannot be raised': [
    functionModel(
      graphOf([call('Linear', ['x'], ['y'])]),
      [constantLinear(12, [node('Softmax', ['m'], ['y'])])],
      { opset: 12 },
    ),
    1,
  ],
  'a model that cannot be raised': [
    functionModel(
      graphOf([call('Linear', ['x'], ['m']), node('Softmax', ['m'], ['y'])]),
      [constantLinear(12)],
      { opset: 12 },
    ),
    1,
  ],
  'a convolution': [functionModel(graphOf([call('Convolution', ['x'], ['y'])]), [convolution]), 1],
  'weights given to nested calls': [
    functionModel(
      graphOf(
        [call('MLP', ['x', 'w1', 'b', 'w2', 'b'], ['y'])],
        [weight('w1', 1), weight('w2', 2), bias],
      ),
      [linear, mlp],
    ),
    2,
  ],
  'one weight given to several calls': [
    functionModel(
      graphOf(
        [call('Linear', ['x', 'w', 'b'], ['m']), call('Linear', ['m', 'w', 'b'], ['y'])],
        [weight('w', 1), bias],
      ),
      [linear],
    ),
    1,
  ],
  'a function that takes a weight in one call and an activation in another': [
    functionModel(
      graphOf(
        [
          node('Transpose', ['x'], ['t'], { attribute: [{ name: 'perm', type: 7, ints: [1, 0] }] }),
          call('Linear', ['x', 'w', 'b'], ['m']),
          node('MatMul', ['t', 'm'], ['square']),
          call('Linear', ['x', 'square', 'b'], ['y']),
        ],
        [weight('w', 1), bias],
      ),
      [linear],
    ),
    1,
  ],
  'a Gemm whose transB the calls give': [
    functionModel(
      graphOf(
        [
          call('Gemm', ['x', 'w1'], ['m'], { attribute: transposed(1) }),
          call('Gemm', ['m', 'w2'], ['y'], { attribute: transposed(0) }),
        ],
        [weight('w1', 1), weight('w2', 2)],
      ),
      [gemm],
    ),
    2,
  ],
  'a weight that a function hands on': [
    functionModel(
      graphOf([call('Turn', ['w'], ['t']), node('MatMul', ['x', 't'], ['y'])], [weight('w', 1)]),
      [
        {
          name: 'Turn',
          inputs: ['w'],
          outputs: ['t'],
          nodes: [
            node('Transpose', ['w'], ['t'], {
              attribute: [{ name: 'perm', type: 7, ints: [1, 0] }],
            }),
          ],
        },
      ],
    ),
    1,
  ],
  'overloads, functions first and imports last': [
    functionModel(
      graphOf(
        [
          call('Linear', ['x', 'w', 'b'], ['m']),
          call('Linear', ['m', 'w'], ['y'], { overload: 'plain' }),
        ],
        [weight('w', 1), bias],
      ),
      [
        linear,
        {
          name: 'Linear',
          overload: 'plain',
          inputs: ['x', 'w'],
          outputs: ['y'],
          nodes: [node('MatMul', ['x', 'w'], ['y'])],
        },
      ],
      { irVersion: 10, isReversed: true },
    ),
    1,
  ],
};

const EXPORTS: readonly (readonly [mode: ExportMode, preset: string, dB: number])[] = [
  ['qdq', 'int8', 30],
  ['qdq', 'uint8', 30],
  ['qdq', 'int4-block32', 10],
  ['qdq', 'uint4-block32', 10],
  ['qdq', 'int16', 60],
  ['qdq', 'float16', 60],
  ['qdq', 'bfloat16', 40],
  ['dynamic', 'int8', 25],
  ['dynamic', 'uint8', 25],
  ['dynamic', 'int4-block32', 10],
  ['float', 'float16', 60],
  ['float', 'bfloat16', 40],
  ['float16', 'float16', 50],
  ['nbits', 'int4-block32', 10],
  ['nbits', 'uint4-block32', 10],
];

const feeds = { x: { shape: [3, SIZE], dtype: 'float32' } } as const;

describe.each(Object.keys(MODELS))('%s', (name) => {
  const [bytes, weights] = MODELS[name]!;
  const file = writeFile(folder, bytes);

  test('every export loads and answers as its scheme lets it', async () => {
    const { y } = await runOnnx(file, feeds);
    for (const [mode, preset, least] of EXPORTS) {
      const { out, names } = await exported(file, recipe(preset, { minElements: 0 }), mode);
      const changed = await runOnnx(out, feeds);
      expect(outputSqnr(y!, changed['y']!), `${mode} ${preset}`).toBeGreaterThan(least);
      if (preset === 'int8' && mode === 'qdq') expect(names).toHaveLength(weights);
      const isSmaller = fs.statSync(out).size < fs.statSync(file).size * 0.75;
      if (preset === 'int8') expect(isSmaller, `${mode} ${preset}`).toBe(true);
    }
  }, 60_000);
});

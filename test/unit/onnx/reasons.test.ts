import * as path from 'node:path';
import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Recipe, Rule } from '../../../shared/recipe.ts';
import { BASE_SCHEME, type SchemeFields } from '../../../shared/scheme.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { functionModel, LOCAL } from '../../helpers/onnx-functions.ts';
import {
  constant,
  floatTensor,
  halfTensor,
  model,
  node,
  randomValues,
  value,
  type ModelOptions,
} from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;

function tensor(name: string, dims: readonly number[], scale = 1): onnx.ITensorProto {
  const elements = dims.reduce((product, size) => product * size, 1);
  return floatTensor(
    name,
    dims,
    randomValues(elements, 1).map((each) => each * scale),
  );
}

const square = tensor('w', [64, 64]);
const half = halfTensor('w', [64, 64], randomValues(4096, 1));

/** From x to y, with a weight w. */
function fileOf(
  nodes: readonly onnx.INodeProto[],
  tensors: readonly onnx.ITensorProto[] = [square],
  options: ModelOptions & { readonly outputs?: readonly string[] } = {},
): string {
  const graph = {
    node: [...nodes],
    initializer: [...tensors],
    input: [value('x', [64, 64])],
    output: ['y', ...(options.outputs ?? [])].map((name) => value(name, [64, 64])),
  };
  return writeFile(folder, model(graph, options));
}

function recipe(scheme: Partial<SchemeFields>, rules: readonly Rule[] = []): Recipe {
  const wanted = { ...BASE_SCHEME, ...scheme };
  return { version: 1, name: 'r', default: wanted, minElements: 0, rules };
}

const int8 = recipe({});
const block32 = { granularity: { block: 32 } } as const;
const product = node('MatMul', ['x', 'w'], ['y']);
/** Hold a model below opsets 13 and 7, as they change these operators. */
const holds = {
  13: node('ReduceSum', ['x'], ['s']),
  6: node('Add', ['x', 'x'], ['s']),
};

function real(name: string, value: number): Partial<onnx.INodeProto> {
  return { attribute: [{ name, type: 1, f: value }] };
}

describe('an export keeps a weight, or restores it, with the reason', () => {
  const bodyOf = (opset: number) => ({
    name: 'Linear',
    inputs: ['x'],
    outputs: ['y'],
    nodes: [
      constant('w', square),
      node('BatchNormalization', ['x', 'x', 'x', 'x', 'x'], ['s']),
      node('MatMul', ['x', 'w'], ['y']),
    ],
    imports: [{ domain: '', version: opset }],
  });
  const inFunction = writeFile(
    folder,
    functionModel(
      {
        node: [node('Linear', ['x'], ['y'], { domain: LOCAL })],
        input: [value('x', [64, 64])],
        output: [value('y', [64, 64])],
      },
      [bodyOf(8)],
      { opset: 8 },
    ),
  );
  const restored = 'restored to float: ';

  test.each<[string, ExportMode, Recipe, string]>(
    [
      [
        'the float mode stores float types only, not int8',
        ...(['float', int8, fileOf([product])] as const),
      ],
      [
        'the float16 mode stores float16 only, not bfloat16',
        ...(['float16', recipe({ dtype: 'bfloat16' }), fileOf([product])] as const),
      ],
      [
        'shown only, as an export keeps it: DequantizeLinear takes int32 with zero point 0 only, so symmetric',
        ...(['qdq', recipe({ dtype: 'int32', symmetric: false }), fileOf([product])] as const),
      ],
      [
        'Cast takes bfloat16 from opset 13 on, and the file is at opset 12: ReduceSum changes on the way to opset 13',
        'qdq',
        recipe({ dtype: 'bfloat16' }),
        fileOf([product, holds[13]], [square], { opset: 12 }),
      ],
      [
        'Cast restores float16 from opset 6 on, and the file is at opset 5: Add changes on the way to opset 6',
        'qdq',
        int8,
        fileOf([product, holds[6]], [half], { opset: 5 }),
      ],
      [
        'a Constant in a function may be int8 from opset 9 on, and the file is at opset 8: BatchNormalization changes on the way to opset 9',
        'qdq',
        int8,
        inFunction,
      ],
      [
        'with its scales and nodes it would grow from 77 to 151 bytes of the file',
        'qdq',
        int8,
        fileOf([product], [tensor('w', [4, 4])]),
      ],
      [
        'restored to float for 0 of 1 uses: the model or a function call takes it under its own name',
        'dynamic',
        int8,
        fileOf([product], [square], { outputs: ['w'] }),
      ],
      [
        `${restored}the weight reaches MatMul through other operators, such as Transpose or Concat`,
        'dynamic',
        int8,
        fileOf([node('Transpose', ['w'], ['t']), node('MatMul', ['x', 't'], ['y'])]),
      ],
      [
        `${restored}integer operators take scales per tensor or per channel, not per block`,
        'dynamic',
        recipe(block32),
        fileOf([product]),
      ],
      [
        `${restored}integer operators give float32, and the weight is float16`,
        'dynamic',
        int8,
        fileOf([product], [half]),
      ],
      [
        `${restored}no integer operator takes this form of Gemm under this scheme`,
        'dynamic',
        int8,
        fileOf([node('Gemm', ['x', 'w'], ['y'], real('alpha', 2))]),
      ],
      [
        `${restored}MatMulNBits takes codes of 4 or 8 bits, not int16`,
        'nbits',
        recipe({ ...block32, dtype: 'int16' }),
        fileOf([product]),
      ],
      [
        `${restored}MatMulNBits takes a matrix, not 3 axes`,
        'nbits',
        recipe({ ...block32, dtype: 'int4' }),
        fileOf([product], [tensor('w', [2, 64, 64])]),
      ],
      [
        `${restored}MatMulNBits takes a weight as the second input of MatMul, with blocks along its rows`,
        'nbits',
        recipe({ ...block32, dtype: 'int4' }),
        fileOf([node('MatMul', ['w', 'x'], ['y'])]),
      ],
      [
        `${restored}MatMulNBits takes the place of a Gemm that scales and transposes nothing but its weight`,
        'nbits',
        recipe({ ...block32, dtype: 'int4' }),
        fileOf([node('Gemm', ['x', 'w'], ['y'], real('alpha', 2))]),
      ],
    ].map(([reason, mode, wanted, file]) => [reason, mode, wanted, file] as never),
  )('%s', (reason, mode, wanted, file = '') => {
    const session = Session.open(file, pool);
    const at = session.tensors.findIndex(({ name }) => name === 'w');
    const { weights } = session.plan(wanted, mode);
    session.close();
    expect(weights[at]!.reason).toBe(reason);
  });
});

describe('float16 arithmetic keeps an operator in float32 with the reason', () => {
  test.each<[string, readonly onnx.INodeProto[], readonly onnx.ITensorProto[]]>([
    ['Exp exceeds 65504 from 11.1 on', [node('Exp', ['h'], ['y'])], []],
    ['Sinh exceeds 65504 from 11.8 on', [node('Sinh', ['h'], ['y'])], []],
    ['Cosh exceeds 65504 from 11.8 on', [node('Cosh', ['h'], ['y'])], []],
    [
      'the exponential in Softplus exceeds 65504 from 11.1 on',
      [node('Softplus', ['h'], ['y'])],
      [],
    ],
    ['a sum of exponentials may exceed 65504', [node('ReduceLogSumExp', ['h'], ['y'])], []],
    ['a sum over an axis may exceed 65504', [node('ReduceSum', ['h'], ['y'])], []],
    ['a sum of squares may exceed 65504', [node('ReduceSumSquare', ['h'], ['y'])], []],
    ['a sum of powers may exceed 65504', [node('GlobalLpPool', ['h'], ['y'])], []],
    ['a product over an axis may exceed 65504', [node('ReduceProd', ['h'], ['y'])], []],
    ['a determinant may exceed 65504', [node('Det', ['h'], ['y'])], []],
    ['a power may exceed 65504', [node('Pow', ['h', 'c'], ['y'])], [floatTensor('c', [], [3])]],
    [
      'squares exceed 65504 from 256 on',
      [node('Pow', ['h', 'c'], ['y'])],
      [floatTensor('c', [], [2])],
    ],
    ['a factor of 5000', [node('Mul', ['h', 'c'], ['y'])], [floatTensor('c', [], [5000])]],
    [
      'an error of float16 in its result would grow in the operator that takes it',
      [node('Softmax', ['h'], ['p']), node('Log', ['p'], ['y'])],
      [],
    ],
    [
      'float16 does not hold the constant 100000',
      [node('Mul', ['h', 'c'], ['y'])],
      [floatTensor('c', [64], [1e5, ...new Array<number>(63).fill(1)])],
    ],
    ['onnxruntime does not run it in float16, or not well', [node('Transpose', ['h'], ['y'])], []],
    [
      'takes a stored tensor that stays in float32',
      [node('MatMul', ['h', 'kept'], ['y'])],
      [tensor('kept', [64, 64])],
    ],
  ])('%s', async (reason, nodes, tensors) => {
    const file = fileOf([node('MatMul', ['x', 'w'], ['h']), ...nodes], [square, ...tensors]);
    const session = Session.open(file, pool);
    const out = path.join(folder, 'half.onnx');
    const wanted = recipe({ dtype: 'float16' }, [{ match: { name: '^kept$' }, scheme: null }]);
    const { operators = [] } = await session.export(wanted, 'float16', out, {
      signal,
      overwrite: true,
    });
    session.close();
    expect(operators.map((operator) => operator.reason)).toContain(reason);
  });

  test('a weight that float16 cannot hold', async () => {
    const session = Session.open(fileOf([product], [tensor('w', [64, 64], 1e6)]), pool);
    const wanted = recipe({ dtype: 'float16' });
    const { reports } = await session.analyze(wanted, { signal, mode: 'float16' });
    session.close();
    expect(reports[0]!.reason).toMatch(/^holds -?9\d{5}[.\d]*, and float16 ends at 65504$/);
  });
});

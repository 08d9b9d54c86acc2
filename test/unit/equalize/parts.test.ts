import * as fs from 'node:fs';
import * as path from 'node:path';
import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { writeEqualized } from '../../../electron/engine/equalize/equalize.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { Equalizables, OpenedModel } from '../../../electron/engine/formats/format.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { writeExternalModel } from '../../helpers/external-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const never = new AbortController().signal;

const ints = (name: string, ...values: number[]) => ({ name, type: 7, ints: values });
const int = (name: string, i: number) => ({ name, type: 2, i });
const tensor = (name: string, dims: number[], seed = name.length) =>
  floatTensor(
    name,
    dims,
    randomValues(
      dims.reduce((a, b) => a * b, 1),
      seed,
    ),
  );
const shape = (name: string, ...values: number[]): onnx.ITensorProto => ({
  ...{ name, dims: [values.length], dataType: 7 },
  rawData: new Uint8Array(BigInt64Array.from(values, BigInt).buffer),
});

interface Between {
  readonly nodes: readonly onnx.INodeProto[];
  readonly stored?: readonly onnx.ITensorProto[];
  readonly output?: readonly onnx.IValueInfoProto[];
}

/** x -> Conv of 4 channels with a bias -> a -> what is between -> b -> the last node -> y. */
function between({ nodes, stored = [], output = [] }: Between, last: onnx.INodeProto): Uint8Array {
  return model(
    {
      node: [node('Conv', ['x', 'first', 'bias'], ['a']), ...nodes, last],
      initializer: [tensor('first', [4, 3, 3, 3]), tensor('bias', [4]), ...stored],
      input: [value('x', [1, 3, 6, 6])],
      output: [value('y', ['n', 'm']), ...output],
    },
    { opset: 17 },
  );
}

const conv = (input = 'b', ...attribute: onnx.IAttributeProto[]) =>
  node('Conv', [input, 'last'], ['y'], { attribute });
const LAST_CONV = tensor('last', [5, 4, 2, 2]);
const gemm = (transB: number) =>
  node('Gemm', ['b', 'last'], ['y'], { attribute: [int('transB', transB)] });

/** @param source its bytes, or a file */
function opened<T>(source: Uint8Array | string, work: (model: OpenedModel, file: string) => T): T {
  const file = typeof source === 'string' ? source : writeFile(folder, source);
  const own = openModel(file);
  try {
    return work(own, file);
  } finally {
    own.close();
  }
}

const found = (bytes: Uint8Array): Equalizables => opened(bytes, (own) => own.equalizables!());

/** Why the first operator's result has no factors. */
const why = (bytes: Uint8Array): string | undefined => {
  const { parts, left } = found(bytes);
  expect(parts.filter(({ operator }) => operator === 0)).toEqual([]);
  return left.find(({ operator }) => operator === 0)?.reason;
};

/** Factors of all parts are moved, and outputs are the same to the bit. */
async function expectExact(
  source: Uint8Array | string,
  parts: number,
  input = [1, 3, 6, 6],
): Promise<void> {
  const { file, copy, exponents } = opened(source, (own, file) => {
    const { operators, values } = own.graph();
    const { parts: all } = own.equalizables!();
    const layers = all.map(({ operator, channels }, at) => {
      const { name, outputs } = operators[operator]!;
      const exponents = randomValues(channels, at + 1).map((each) => Math.round(5 * each) + 0);
      return { name, result: values[outputs[0]!]!.name, takers: [], exponents };
    });
    const out = fs.mkdtempSync(path.join(folder, 'copy-'));
    return {
      ...{ file, copy: writeEqualized(own, { layers, left: [] }, out, never) },
      exponents: layers.map((layer) => layer.exponents),
    };
  });
  expect(exponents).toHaveLength(parts);
  const filesOf = (of: string) =>
    fs
      .readdirSync(path.dirname(copy))
      .map((name) => fs.readFileSync(path.join(path.dirname(of), name)));
  const [ours, theirs] = [Buffer.concat(filesOf(file)), Buffer.concat(filesOf(copy))];
  expect(theirs.equals(ours)).toBe(false);
  const noted = opened(copy, (own) => own.equalization!()!.layers);
  expect(noted.map(({ exponents }) => exponents)).toEqual(exponents);
  expect(opened(file, (own) => own.equalization!())).toBeNull();
  const feeds = { x: { shape: input, dtype: 'float32' } } as const;
  const [before, after] = [await runOnnx(file, feeds), await runOnnx(copy, feeds)];
  expect(Object.values(before).some((each) => each.some((value) => value !== 0))).toBe(true);
  expect(after).toEqual(before);
}

describe('factors pass, and leave float results as they are to the bit,', () => {
  const passing: readonly (readonly [string, Between, onnx.INodeProto, onnx.ITensorProto])[] = [
    ['nothing', { nodes: [] }, conv('a'), LAST_CONV],
    ...(['Relu', 'LeakyRelu', 'Identity', 'Abs', 'Neg'] as const).map(
      (op) => [op, { nodes: [node(op, ['a'], ['b'])] }, conv(), LAST_CONV] as const,
    ),
    [
      'a PRelu of a slope for each channel',
      { nodes: [node('PRelu', ['a', 'slope'], ['b'])], stored: [tensor('slope', [4, 1, 1])] },
      conv(),
      LAST_CONV,
    ],
    [
      'a PRelu of one slope',
      { nodes: [node('PRelu', ['a', 'slope'], ['b'])], stored: [tensor('slope', [1])] },
      conv(),
      LAST_CONV,
    ],
    ...(['MaxPool', 'AveragePool'] as const).map(
      (op) =>
        [
          op,
          {
            nodes: [node(op, ['a'], ['b'], { attribute: [ints('kernel_shape', 2, 2)] })],
          },
          conv(),
          LAST_CONV,
        ] as const,
    ),
    [
      'GlobalAveragePool and Flatten before a Gemm',
      { nodes: [node('GlobalAveragePool', ['a'], ['p']), node('Flatten', ['p'], ['b'])] },
      gemm(0),
      tensor('last', [4, 5]),
    ],
    [
      'GlobalMaxPool and a Reshape to rows before a Gemm of transposed weights',
      {
        nodes: [node('GlobalMaxPool', ['a'], ['p']), node('Reshape', ['p', 'shape'], ['b'])],
        stored: [shape('shape', -1, 4)],
      },
      gemm(1),
      tensor('last', [5, 4]),
    ],
    [
      'Flatten, so that each channel is 16 columns of a Gemm',
      { nodes: [node('Flatten', ['a'], ['b'])] },
      gemm(0),
      tensor('last', [64, 5]),
    ],
    [
      'a Reshape that keeps the first axis, before a MatMul',
      { nodes: [node('Reshape', ['a', 'shape'], ['b'])], stored: [shape('shape', 0, -1)] },
      node('MatMul', ['b', 'last'], ['y']),
      tensor('last', [64, 5]),
    ],
    [
      'a ReduceMean of the last axes',
      {
        nodes: [
          node('ReduceMean', ['a'], ['b'], {
            attribute: [ints('axes', 2, -1), int('keepdims', 0)],
          }),
        ],
      },
      gemm(0),
      tensor('last', [4, 5]),
    ],
    [
      'a ReduceMean that keeps axes, and Squeeze',
      {
        nodes: [
          node('ReduceMean', ['a'], ['p'], { attribute: [ints('axes', 2, 3)] }),
          node('Squeeze', ['p', 'axes'], ['b']),
        ],
        stored: [shape('axes', 2, 3)],
      },
      gemm(0),
      tensor('last', [4, 5]),
    ],
    [
      'a Transpose of channels to the last axis, before a MatMul',
      { nodes: [node('Transpose', ['a'], ['b'], { attribute: [ints('perm', 0, 2, 3, 1)] })] },
      node('MatMul', ['b', 'last'], ['y']),
      tensor('last', [4, 5]),
    ],
    [
      'an Add of a number for each channel',
      { nodes: [node('Add', ['a', 'added'], ['b'])], stored: [tensor('added', [1, 4, 1, 1])] },
      conv(),
      LAST_CONV,
    ],
    [
      'a Sub, from a number for each place',
      { nodes: [node('Sub', ['added', 'a'], ['b'])], stored: [tensor('added', [4, 4, 4])] },
      conv(),
      LAST_CONV,
    ],
    [
      'a Mul by what is computed of the input',
      {
        nodes: [
          node('Conv', ['x', 'gate'], ['g']),
          node('Sigmoid', ['g'], ['s']),
          node('Mul', ['s', 'a'], ['b']),
        ],
        stored: [tensor('gate', [1, 3, 3, 3])],
      },
      conv(),
      LAST_CONV,
    ],
    [
      'a Div by what is computed of the input',
      {
        nodes: [
          node('Conv', ['x', 'gate'], ['g']),
          node('Sigmoid', ['g'], ['s']),
          node('Div', ['a', 's'], ['b']),
        ],
        stored: [tensor('gate', [1, 3, 3, 3])],
      },
      conv(),
      LAST_CONV,
    ],
    [
      'into a grouped Conv',
      { nodes: [] },
      conv('a', int('group', 2)),
      tensor('last', [6, 2, 3, 3]),
    ],
    [
      'into a ConvTranspose',
      { nodes: [] },
      node('ConvTranspose', ['a', 'last'], ['y']),
      tensor('last', [4, 3, 2, 2]),
    ],
  ];
  test.each(passing)('%s', (_, { nodes, stored = [] }, last, weight) =>
    expectExact(between({ nodes, stored: [...stored, weight] }, last), 1),
  );

  test('a depthwise Conv, which takes some and makes others', () =>
    expectExact(
      between(
        {
          nodes: [
            node('Relu', ['a'], ['r']),
            node('Conv', ['r', 'deep', 'deep bias'], ['b'], { attribute: [int('group', 4)] }),
          ],
          stored: [LAST_CONV, tensor('deep', [4, 1, 3, 3]), tensor('deep bias', [4])],
        },
        conv(),
      ),
      2,
    ));

  test('to two consumers, one of them a gate on the other (squeeze and excitation)', () =>
    expectExact(
      between(
        {
          nodes: [
            node('Relu', ['a'], ['r']),
            node('GlobalAveragePool', ['r'], ['p']),
            node('Conv', ['p', 'gate'], ['g']),
            node('Sigmoid', ['g'], ['s']),
            node('Mul', ['r', 's'], ['b']),
          ],
          stored: [LAST_CONV, tensor('gate', [4, 4, 1, 1])],
        },
        conv(),
      ),
      1,
    ));

  test('from a ConvTranspose in groups', () =>
    expectExact(
      model({
        node: [
          node('ConvTranspose', ['x', 'first', 'bias'], ['a'], { attribute: [int('group', 2)] }),
          conv('a'),
        ],
        initializer: [tensor('first', [6, 2, 2, 2]), tensor('bias', [4]), LAST_CONV],
        input: [value('x', [1, 6, 5, 5])],
        output: [value('y', ['n', 'm'])],
      }),
      1,
      [1, 6, 5, 5],
    ));

  test('from a Gemm through Reshapes around a Relu', () =>
    expectExact(
      model({
        node: [
          node('Gemm', ['x', 'first', 'bias'], ['g'], { attribute: [int('transB', 1)] }),
          node('Reshape', ['g', 'in'], ['p']),
          node('Relu', ['p'], ['r']),
          node('Reshape', ['r', 'out'], ['b']),
          gemm(0),
        ],
        initializer: [
          ...[tensor('first', [6, 7]), tensor('bias', [1, 6]), tensor('last', [6, 5])],
          ...[shape('in', 1, 3, 6), shape('out', -1, 6)],
        ],
        input: [value('x', [3, 7])],
        output: [value('y', ['n', 'm'])],
      }),
      1,
      [3, 7],
    ));

  test('in weights outside of the model', () =>
    expectExact(writeExternalModel(folder, 'outside'), 1, [2, 128]));

  test('in a real model, of 16 layers', () =>
    expectExact(REAL_MODELS.find(({ name }) => name === 'PP-OCR cls')!.file, 16, [1, 3, 48, 192]));

  const NORMS: readonly (readonly [string, onnx.INodeProto, number[]])[] = [
    ['LayerNormalization', node('LayerNormalization', ['x', 's', 'b'], ['n']), [2, 3, 6]],
    ['a Mul by a number for each channel', node('Mul', ['x', 's'], ['n']), [2, 3, 6]],
  ];
  test.each(NORMS)('from %s and an Add into three MatMuls', (_, norm, dims) =>
    expectExact(
      model(
        {
          node: [
            norm,
            node('Add', ['n', 'added'], ['a']),
            ...['q', 'k', 'v'].map((name) => node('MatMul', ['a', name], [`${name} of x`])),
            node('Concat', ['q of x', 'k of x', 'v of x'], ['y'], { attribute: [int('axis', -1)] }),
          ],
          initializer: [
            ...['s', 'b', 'added'].map((name, at) => tensor(name, [6], at + 3)),
            ...['q', 'k', 'v'].map((name, at) => tensor(name, [6, 5], at + 9)),
          ],
          input: [value('x', dims)],
          output: [value('y', ['n', 'm', 'k'])],
        },
        { opset: 17 },
      ),
      1,
      dims,
    ),
  );

  test.each(['BatchNormalization', 'InstanceNormalization'])('from a %s left in the model', (op) =>
    expectExact(
      model({
        node: [
          node(op, ['x', 's', 'b', ...(op === 'BatchNormalization' ? ['mean', 'var'] : [])], ['a']),
          node('Relu', ['a'], ['r']),
          conv('r'),
        ],
        initializer: [
          LAST_CONV,
          ...['s', 'b', 'mean'].map((name, at) => tensor(name, [4], at + 3)),
          floatTensor('var', [4], [1, 2, 3, 4]),
        ],
        input: [value('x', [1, 4, 5, 5])],
        output: [value('y', ['n', 'm'])],
      }),
      1,
      [1, 4, 5, 5],
    ),
  );
});

describe('a result has no factors', () => {
  const refused: readonly (readonly [string, Between, string])[] = [
    ...(['Sigmoid', 'HardSwish', 'Tanh', 'Exp'] as const).map(
      (op) =>
        [
          `through ${op}`,
          { nodes: [node(op, ['a'], ['b'])] },
          `${op} takes its result and passes no factors on`,
        ] as const,
    ),
    [
      'through a Clip',
      {
        nodes: [node('Clip', ['a', 'low', 'high'], ['b'])],
        stored: [floatTensor('low', [], [0]), floatTensor('high', [], [6])],
      },
      'Clip takes its result and passes no factors on',
    ],
    [
      'where another value is added to it',
      {
        nodes: [node('Conv', ['x', 'other'], ['o']), node('Add', ['a', 'o'], ['b'])],
        stored: [tensor('other', [4, 3, 3, 3], 9)],
      },
      'Add takes its result and passes no factors on',
    ],
    [
      'where one number is added to all channels',
      { nodes: [node('Add', ['a', 'one'], ['b'])], stored: [tensor('one', [1])] },
      'Add adds a number to all channels',
    ],
    [
      'where the number that is added is another operator’s as well',
      {
        nodes: [node('Add', ['a', 'added'], ['b']), node('Add', ['x', 'added'], ['z'])],
        stored: [tensor('added', [1, 4, 1, 1])],
        output: [value('z', ['n'])],
      },
      'Add takes it, and other operators take its weight or bias as well',
    ],
    [
      'where it is multiplied by itself',
      { nodes: [node('Relu', ['a'], ['r']), node('Mul', ['r', 'a'], ['b'])] },
      'Mul takes its result twice',
    ],
    [
      'where it is an output of the model',
      { nodes: [node('Relu', ['a'], ['b'])], output: [value('a', ['n'])] },
      'its result is an output of the model',
    ],
    [
      'through a pool of another axis',
      {
        nodes: [
          node('Transpose', ['a'], ['t'], { attribute: [ints('perm', 0, 2, 3, 1)] }),
          node('MaxPool', ['t'], ['b'], { attribute: [ints('kernel_shape', 1, 1)] }),
        ],
      },
      'MaxPool takes its result and passes no factors on',
    ],
    [
      'where the channels are reduced',
      { nodes: [node('ReduceMean', ['a'], ['b'], { attribute: [ints('axes', 1)] })] },
      'ReduceMean takes its result and passes no factors on',
    ],
    [
      'through a Reshape that may split channels',
      { nodes: [node('Reshape', ['a', 'shape'], ['b'])], stored: [shape('shape', 1, 4, 4, 4)] },
      'Reshape takes its result and passes no factors on',
    ],
    [
      'where what takes it adds up another axis',
      { nodes: [node('Transpose', ['a'], ['b'], { attribute: [ints('perm', 0, 2, 1, 3)] })] },
      'Conv adds up other channels than it makes',
    ],
  ];
  test.each(refused)('%s', (_, { stored = [], ...rest }, reason) => {
    expect(why(between({ ...rest, stored: [...stored, LAST_CONV] }, conv()))).toBe(reason);
  });

  test('where no weight takes it', () => {
    expect(why(between({ nodes: [node('Relu', ['a'], ['b'])] }, node('Shape', ['b'], ['y'])))).toBe(
      'Shape takes its result and passes no factors on',
    );
    const idle = between({ nodes: [] }, node('Identity', ['x'], ['y']));
    expect(why(idle)).toBe('no weight takes its result');
  });

  test('where the weight that takes it is another operator’s as well', () => {
    const twice = between(
      {
        nodes: [node('Conv', ['a', 'last'], ['z'])],
        stored: [LAST_CONV],
        output: [value('z', ['n'])],
      },
      conv('a'),
    );
    expect(why(twice)).toBe('Conv takes it, and other operators take its weight or bias as well');
  });

  test('where its own weight is another operator’s, an input, or no float32', () => {
    const shared = between(
      {
        nodes: [node('Conv', ['x', 'first'], ['z'])],
        stored: [LAST_CONV],
        output: [value('z', ['n'])],
      },
      conv('a'),
    );
    expect(why(shared)).toBe('other operators take its weight or bias as well');
    const fed = (input: onnx.IValueInfoProto) =>
      model({
        node: [node('Conv', ['x', 'first'], ['a']), conv('a')],
        initializer: [tensor('first', [4, 3, 3, 3]), LAST_CONV],
        input: [value('x', [1, 3, 6, 6]), input],
        output: [value('y', ['n'])],
      });
    expect(why(fed(value('first', [4, 3, 3, 3])))).toBe(
      'its weight or bias is an input of the model',
    );
    const half = { ...tensor('first', [4, 3, 3, 3]), dataType: 10, rawData: new Uint8Array(216) };
    const halves = model({
      node: [node('Conv', ['x', 'first'], ['a']), conv('a')],
      initializer: [half, LAST_CONV],
      input: [value('x', [1, 3, 6, 6], 10)],
      output: [value('y', ['n'], 10)],
    });
    expect(why(halves)).toBe('a weight or bias is not stored as float32');
  });

  test('where its bias is computed, or one number', () => {
    const biased = (bias: onnx.INodeProto[], dims: number[]) =>
      model({
        node: [
          ...bias,
          node('Gemm', ['x', 'first', 'c'], ['a']),
          node('Gemm', ['a', 'last'], ['y']),
        ],
        initializer: [
          ...[
            tensor('first', [7, 6]),
            tensor('last', [6, 5]),
            tensor(bias.length > 0 ? 'd' : 'c', dims),
          ],
        ],
        input: [value('x', [3, 7])],
        output: [value('y', ['n'])],
      });
    expect(why(biased([], [1]))).toBe('its bias is one number for all channels');
    const computed = found(biased([node('Abs', ['d'], ['c'])], [6]));
    expect(computed.left).toContainEqual({
      operator: 1,
      reason: 'its bias is computed by the model',
    });
  });

  test('where a body takes it', () => {
    const branch = (name: string, nodes: onnx.INodeProto[]): onnx.IAttributeProto => ({
      ...{ name, type: 5 },
      g: { name, node: nodes, output: [value(`${name} y`, ['n'])] },
    });
    const bytes = model({
      node: [
        node('Conv', ['x', 'first'], ['a']),
        node('If', ['yes'], ['y'], {
          attribute: [
            branch('then_branch', [node('Relu', ['a'], ['then_branch y'])]),
            branch('else_branch', [node('Identity', ['a'], ['else_branch y'])]),
          ],
        }),
      ],
      initializer: [
        tensor('first', [4, 3, 3, 3]),
        { name: 'yes', dims: [], dataType: 9, rawData: Uint8Array.of(1) },
      ],
      input: [value('x', [1, 3, 6, 6])],
      output: [value('y', ['n'])],
    });
    expect(why(bytes)).toBe('a body of If, Loop or Scan takes its result');
  });
});

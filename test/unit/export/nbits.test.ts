import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import type { SchemeFields } from '../../../shared/scheme.ts';
import {
  ColumnCodes,
  columnScales,
  columnZeroPoints,
} from '../../../electron/engine/export/nbits-layout.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import {
  floatTensor,
  matMulModel,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);
const { signal } = new AbortController();
const base: SchemeFields = {
  dtype: 'int4',
  symmetric: true,
  granularity: { block: 32 },
  range: 'minmax',
};

describe.each<[string, SchemeFields, number]>([
  ['int4', base, 12],
  ['uint4 with zero points', { ...base, dtype: 'uint4', symmetric: false }, 12],
  ['uint4, symmetric', { ...base, dtype: 'uint4' }, 12],
  ['int8', { ...base, dtype: 'int8' }, 35],
  [
    'uint8 with zero points',
    { ...base, dtype: 'uint8', symmetric: false, granularity: { block: 16 } },
    35,
  ],
])('MatMulNBits of %s', (_, scheme, least) => {
  // 72 rows end in a block of 8, 31 columns in an odd one.
  const file = writeFile(folder, matMulModel(72, 31, { opset: 13 }));
  const feeds = { x: { shape: [3, 72], dtype: 'float32' } } as const;
  const wanted = recipe('int8', { minElements: 0, default: scheme });

  test('counts the whole blocks that it stores', async () => {
    const { bytes } = await exported(file, wanted, 'nbits');
    const { initializer } = onnx.ModelProto.decode(bytes).graph!;
    const session = Session.open(file, pool);
    const { total } = await session.analyze(wanted, { signal, mode: 'nbits' });
    session.close();
    expect(total.bytesAfter).toBe(
      initializer!.reduce((sum, { rawData }) => sum + rawData!.length, 0),
    );
  });

  test("answers as the blocked DequantizeLinear of the same codes does, at the file's own opset", async () => {
    const { out, bytes } = await exported(file, wanted, 'nbits');
    const decoded = onnx.ModelProto.decode(bytes);
    expect(decoded.graph!.node!.map((made) => made.opType)).toEqual(['MatMulNBits']);
    expect(decoded.opsetImport.map((entry) => [entry.domain ?? '', Number(entry.version)])).toEqual(
      [
        ['', 13],
        ['com.microsoft', 1],
      ],
    );
    const blocked = await exported(file, wanted, 'qdq');
    const [source, nbits, qdq] = [
      await runOnnx(file, feeds),
      await runOnnx(out, feeds),
      await runOnnx(blocked.out, feeds),
    ];
    // onnxruntime rounds MatMulNBits' other input to 8 bits as it runs, which costs about 49 dB.
    expect(outputSqnr(qdq['y']!, nbits['y']!)).toBeGreaterThan(45);
    expect(outputSqnr(source['y']!, nbits['y']!)).toBeGreaterThan(least);
  });
});

describe('a Gemm', () => {
  const gemm = (attribute: onnx.IAttributeProto[], inputs = ['x', 'w', 'b'], opset = 13) => {
    const isTransposed = attribute.some(({ name }) => name === 'transB');
    const graph = {
      node: [node('Gemm', inputs, ['y'], { attribute })],
      initializer: [
        floatTensor('w', isTransposed ? [31, 72] : [72, 31], randomValues(72 * 31, 4)),
        floatTensor('b', [31], randomValues(31, 5)),
      ],
      input: [value('x', [3, 72])],
      output: [value('y', [3, 31])],
    };
    return writeFile(folder, model(graph, { opset }));
  };
  const transB = { name: 'transB', type: 2, i: 1 } as onnx.IAttributeProto;
  const wanted = recipe('int4-block32', { minElements: 0 });
  const typesOf = (bytes: Uint8Array) =>
    onnx.ModelProto.decode(bytes).graph!.node!.map(({ opType }) => opType);

  test.each([
    ['as it is', [], ['x', 'w', 'b'], ['MatMulNBits', 'Add']],
    ['with its weight transposed', [transB], ['x', 'w', 'b'], ['MatMulNBits', 'Add']],
    ['without a bias', [transB], ['x', 'w'], ['MatMulNBits']],
  ])(
    '%s becomes MatMulNBits, of the codes that DequantizeLinear restores',
    async (_, attribute, inputs, types) => {
      const file = gemm(attribute, inputs);
      const feeds = { x: { shape: [3, 72], dtype: 'float32' } } as const;
      const [nbits, qdq] = [
        await exported(file, wanted, 'nbits'),
        await exported(file, wanted, 'qdq'),
      ];
      expect(typesOf(nbits.bytes)).toEqual(types);
      const [made, restored] = [await runOnnx(nbits.out, feeds), await runOnnx(qdq.out, feeds)];
      expect(outputSqnr(restored['y']!, made['y']!)).toBeGreaterThan(45);
      expect(outputSqnr((await runOnnx(file, feeds))['y']!, made['y']!)).toBeGreaterThan(12);
    },
  );
});

test('a weight that something else takes as well stays as the tensor is', async () => {
  const graph = {
    node: [
      node('MatMul', ['x', 'w'], ['h']),
      node('Mul', ['w', 'w'], ['z']),
      node('ReduceMean', ['z'], ['m']),
      node('Add', ['h', 'm'], ['y']),
    ],
    initializer: [floatTensor('w', [64, 64], randomValues(4096, 2))],
    input: [value('x', [1, 64])],
    output: [value('y', [1, 64])],
  };
  const { bytes } = await exported(
    writeFile(folder, model(graph, { opset: 21, irVersion: 10 })),
    recipe('int8', { minElements: 0, default: base }),
    'nbits',
  );
  expect(onnx.ModelProto.decode(bytes).graph!.node![0]!.opType).toBe('DequantizeLinear');
});

test.each(REAL_MODELS)(
  '$name exports as nbits and as float, loads and runs',
  async ({ file, feeds }) => {
    for (const [name, mode] of [
      ['int4-block32', 'nbits'],
      ['float16', 'float'],
    ] as const) {
      const { out } = await exported(file, recipe(name), mode);
      for (const numbers of Object.values(await runOnnx(out, feeds)))
        expect(numbers.every(Number.isFinite)).toBe(true);
    }
  },
);

test('the float mode leaves integer schemes alone, and says so', async () => {
  const file = writeFile(folder, matMulModel(64, 64));
  const { refused } = await exported(file, recipe('int8'), 'float');
  expect(refused).toContain('the float mode stores float types only, not int8');
});

describe('the layout', () => {
  test('turns rows into columns of blocks, the first of two codes low, whatever runs the codes come in', () => {
    // [K, N] = [3, 2], codes 1..6 row by row; one block of 4 along K.
    const columns = new ColumnCodes(
      { k: 3, n: 2, block: 4, bits: 4, isTransposed: false },
      0,
      2,
      0,
    );
    columns.push(Uint8Array.of(0x21));
    columns.push(Uint8Array.of(0x43, 0x65));
    expect([...columns.bytes]).toEqual([0x31, 0x05, 0x42, 0x06]);
    const second = new ColumnCodes({ k: 3, n: 2, block: 4, bits: 4, isTransposed: false }, 1, 2, 0);
    second.push(Uint8Array.of(0x21, 0x43, 0x65));
    expect([...second.bytes]).toEqual([0x42, 0x06]);
  });

  test('has the columns of a transposed weight one after the other already', () => {
    const shape = { k: 3, n: 2, block: 4, bits: 4, isTransposed: true } as const;
    const columns = new ColumnCodes(shape, 0, 2, 0);
    columns.push(Uint8Array.of(0x21, 0x43, 0x65));
    expect([...columns.bytes]).toEqual([0x21, 0x03, 0x54, 0x06]);
    const wide = { ...shape, k: 5 };
    expect([...columnScales(wide, [1, 2, 3, 4])]).toEqual([1, 2, 3, 4]);
    expect([...columnZeroPoints(wide, [1, 2, 3, 4], 0)]).toEqual([0x21, 0x43]);
  });

  test('makes signed codes unsigned, and pads the last block with the zero point', () => {
    const columns = new ColumnCodes(
      { k: 1, n: 1, block: 4, bits: 4, isTransposed: false },
      0,
      1,
      8,
    );
    columns.push(Uint8Array.of(0x0f));
    expect([...columns.bytes]).toEqual([0x87, 0x88]);
  });

  test('packs the zero points of each column to whole bytes', () => {
    expect([
      ...columnZeroPoints(
        { k: 48, n: 2, block: 16, bits: 4, isTransposed: false },
        [1, 2, 3, 4, 5, 6],
        0,
      ),
    ]).toEqual([0x31, 0x05, 0x42, 0x06]);
  });
});

test.each([
  [undefined, []],
  [0, []],
  [1, [1]],
  [4, [4]],
] as const)('accuracy level %s is written on MatMulNBits as %j', async (accuracyLevel, written) => {
  const file = writeFile(folder, matMulModel(64, 32));
  const wanted = recipe('int8', { minElements: 0, default: base, accuracyLevel });
  const { bytes } = await exported(file, wanted, 'nbits');
  const [made] = onnx.ModelProto.decode(bytes).graph!.node!;
  const levels = made!.attribute!.filter(({ name }) => name === 'accuracy_level');
  expect(levels.map(({ i }) => Number(i))).toEqual(written);
});

test('a recipe with an accuracy level that onnxruntime does not have on the CPU is invalid', () => {
  const wanted = { ...recipe('int8', {}), accuracyLevel: 2 };
  expect(() => parseRecipe(wanted)).toThrow(/accuracyLevel/);
});

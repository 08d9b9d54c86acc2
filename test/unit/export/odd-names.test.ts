import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { printable } from '../../../shared/errors.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import {
  constant,
  floatTensor,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const exported = exporter(testPool(), folder);
const SIZE = 64;
const feeds = { x: { shape: [3, SIZE], dtype: 'float32' } } as const;

/** The bytes with each "@1" and "@2" made a byte that UTF-8 never has, or a surrogate's half. */
function withInvalidNames(bytes: Uint8Array): Uint8Array {
  const made = Buffer.from(bytes);
  for (const [mark, ...other] of [
    ['@1', 0xff, 0xfe],
    ['@2', 0xff, 0xfd],
    ['@3', 0xc3, 0x28],
  ] as const)
    for (let at = made.indexOf(mark); at >= 0; at = made.indexOf(mark)) made.set(other, at);
  return made;
}

function weight(name: string, seed: number): onnx.ITensorProto {
  return floatTensor(name, [SIZE, SIZE], randomValues(SIZE * SIZE, seed));
}

function chain(inputs: readonly string[]): onnx.INodeProto[] {
  return inputs.map((name, at) =>
    node(
      'MatMul',
      [at === 0 ? 'x' : `h@2${at}`, name],
      [at + 1 < inputs.length ? `h@2${at + 1}` : 'y'],
    ),
  );
}

function graphOf(
  nodes: onnx.INodeProto[],
  rest: Omit<onnx.IGraphProto, 'node' | 'input' | 'output'>,
): onnx.IGraphProto {
  return {
    node: nodes,
    input: [value('x', [3, SIZE])],
    output: [value('y', [3, SIZE])],
    ...rest,
  };
}

function sparse(name: string, seed: number): onnx.ISparseTensorProto {
  const values = randomValues(SIZE, seed);
  const indices = new BigInt64Array(SIZE).map((_, at) => BigInt(at * (SIZE + 1)));
  return {
    values: floatTensor(name, [SIZE], values),
    indices: { dims: [SIZE], dataType: 7, rawData: new Uint8Array(indices.buffer) },
    dims: [SIZE, SIZE],
  };
}

async function expectSameOutput(file: string, mode: ExportMode, preset: string): Promise<string[]> {
  const { out, names } = await exported(file, recipe(preset, { minElements: 1 }), mode);
  const [before, after] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(25);
  return names;
}

function namesIn(file: string): string[] {
  const opened = openModel(file);
  try {
    return opened.model.tensors.map(({ name }) => name);
  } finally {
    opened.close();
  }
}

describe('names that are not UTF-8', () => {
  const graph = graphOf(
    [
      ...chain(['w@1', 'w@2', 'w@3', 'c@1']).slice(0, 3),
      ...[constant('c@1', weight('t@2', 4)), ...chain(['w@1', 'w@2', 'w@3', 'c@1']).slice(3)],
    ],
    {
      name: 'graph@1',
      docString: 'doc@3',
      initializer: [weight('w@1', 1), weight('w@2', 2), weight('w@3', 3)],
    },
  );
  const file = writeFile(folder, withInvalidNames(model(graph)));

  test('are read without loss, so that distinct names stay distinct, and are printable', () => {
    const names = namesIn(file);
    expect(names).toEqual(['w\udcff\udcfe', 'w\udcff\udcfd', 'w\udcc3(', 'c\udcff\udcfe']);
    expect(printable(names[0]!)).toBe('w\\udcff\\udcfe');
  });

  test.each<[ExportMode, string]>([
    ['qdq', 'int8'],
    ['dynamic', 'int8'],
    ['float16', 'float16'],
    ['float', 'bfloat16'],
    ['nbits', 'int4-block32'],
  ])('are written as they were in mode %s', async (mode, preset) => {
    if (preset === 'int4-block32') {
      const { out } = await exported(file, recipe(preset, { minElements: 1 }), mode);
      expect((await runOnnx(out, feeds))['y']).toHaveLength(3 * SIZE);
    } else expect(await expectSameOutput(file, mode, preset)).toHaveLength(4);
  });
});

describe('an initializer whose name is that of another one', () => {
  const open = (rest: Omit<onnx.IGraphProto, 'node'>): string =>
    writeFile(folder, model(graphOf(chain(['w', 'v']), rest)));

  test.each<[string, Omit<onnx.IGraphProto, 'node'>]>([
    ['dense', { initializer: [weight('w', 1), weight('v', 2), weight('w', 3)] }],
    [
      'sparse',
      { initializer: [weight('w', 1), weight('v', 2)], sparseInitializer: [sparse('w', 3)] },
    ],
  ])('is kept beside it when it is %s, and the rest is quantized', async (_kind, rest) => {
    expect(await expectSameOutput(open(rest), 'qdq', 'int8')).toEqual(['v']);
  });

  test('is what nodes take when it is the last, and the others are not used', () => {
    const opened = openModel(
      open({ initializer: [weight('w', 1), weight('v', 2), weight('w', 3)] }),
    );
    const used = opened.model.tensors.map(({ name, consumers }) => [name, consumers.length]);
    opened.close();
    expect(used).toEqual([
      ['w', 1],
      ['v', 1],
      ['w', 0],
    ]);
  });

  test('of a Constant node is kept as well', async () => {
    const nodes = [constant('w', weight('', 5)), ...chain(['w', 'v'])];
    const initializer = [weight('w', 1), weight('v', 2)];
    const file = writeFile(folder, model(graphOf(nodes, { initializer })));
    expect(await expectSameOutput(file, 'qdq', 'int8')).toEqual(['v']);
  });

  test.each<[string, Omit<onnx.IGraphProto, 'node'>, RegExp]>([
    [
      'another shape',
      { initializer: [floatTensor('w', [2], [1, 2]), weight('w', 1), weight('v', 2)] },
      /w.*initializers of one name.*\[64, 64\].*\[2\]/,
    ],
    [
      'another type',
      {
        initializer: [
          { name: 'w', dims: [SIZE, SIZE], dataType: 10, rawData: new Uint8Array(2 * SIZE * SIZE) },
          weight('w', 1),
          weight('v', 2),
        ],
      },
      /w.*initializers of one name.*float32.*float16/,
    ],
    [
      'the same name in another sparse one',
      { initializer: [weight('v', 2)], sparseInitializer: [sparse('w', 1), sparse('w', 2)] },
      /w.*sparse initializers of one name/,
    ],
  ])('is refused with %s, as onnxruntime refuses it', async (_what, rest, message) => {
    const file = open(rest);
    expect(() => openModel(file)).toThrow(message);
    await expect(runOnnx(file, feeds)).rejects.toThrow();
  });
});

test('an initializer without a name is kept', async () => {
  const initializer = [weight('w', 1), weight('', 2), weight('v', 3)];
  const file = writeFile(folder, model(graphOf(chain(['w', 'v']), { initializer })));
  expect(await expectSameOutput(file, 'qdq', 'int8')).toEqual(['w', 'v']);
});

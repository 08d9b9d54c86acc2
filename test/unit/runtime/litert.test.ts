import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { RANDOM_WARNING } from '../../../electron/engine/calibrate/data/random-samples.ts';
import { LitertModel } from '../../../electron/engine/runtime/litert/litert-model.ts';
import type { ArrayValue } from '../../../electron/engine/runtime/inputs.ts';
import { runBeside } from '../../../electron/engine/runtime/run-models.ts';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { Session } from '../../../electron/engine/session.ts';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { i32, ints, table, tables, text } from '../../helpers/flatbuffer.ts';
import { denseModel, litertModel, type ModelSpec } from '../../helpers/litert-model.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import { normalValues } from '../../helpers/random.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { bytesOf, float32Of, readGolden } from '../quantize/goldens.ts';

interface Output {
  readonly name: string;
  readonly shape: readonly number[];
  readonly step: number;
  readonly values: string;
}

const goldens = readGolden<{
  made: { model: string; variant: 'float' | 'dynamic' | 'float16'; outputs: Output[] }[];
  real: { file: string; outputs: Output[] }[];
}>('litert_runs.json');
const sources = readGolden<{ models: { name: string; float: string }[] }>('litert_models.json');

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);
const never = new AbortController().signal;
const loaded: LitertModel[] = [];
afterAll(() => Promise.all(loaded.map((model) => model.release())));

async function load(file: string): Promise<LitertModel> {
  const opened = openModel(file);
  opened.close();
  const model = await LitertModel.load(file, opened.runHints!, path.dirname(RUNTIME_SCRIPT));
  loaded.push(model);
  return model;
}

/** The formula of litert_runs.py. */
function filled(type: string, dims: readonly number[]): ArrayValue {
  const count = dims.reduce((product, size) => product * size, 1);
  const indices = Array.from({ length: count }, (_, index) => index);
  if (type === 'int32') return { type, dims, data: Int32Array.from(indices, (at) => at % 10) };
  const fraction = (at: number): number => (Math.imul(at + 1, 2654435761) >>> 0) / 2 ** 32;
  return { type, dims, data: Float32Array.from(indices, fraction) };
}

/** The greatest difference of an output from its golden, relative to the greatest value. */
async function differences(file: string, outputs: readonly Output[]): Promise<number[]> {
  const model = await load(file);
  const feeds = model.inputs.map(({ name, type, shape }) => [
    name,
    filled(type, shape as readonly number[]),
  ]);
  const found = await model.run(Object.fromEntries(feeds) as Record<string, ArrayValue>);
  expect([...found.keys()].sort()).toEqual(outputs.map(({ name }) => name));
  return outputs.map(({ name, shape, step, values }) => {
    const value = found.get(name)!;
    expect(value.dims).toEqual(shape);
    const [expected, data] = [float32Of(values), value.data as ArrayLike<number>];
    let [most, largest] = [0, 0];
    for (const [index, each] of expected.entries()) {
      most = Math.max(most, Math.abs(each - data[index * step]!));
      largest = Math.max(largest, Math.abs(each));
    }
    return most / largest;
  });
}

/** How our exports of a variant are made. */
const VARIANTS: Readonly<Record<'dynamic' | 'float16', [Recipe, ExportMode]>> = {
  // The converter gives GATHER and BATCH_MATMUL one scale a tensor.
  dynamic: [
    recipe('litert-dynamic', {
      rules: ['GATHER', 'BATCH_MATMUL'].map((op) => ({
        match: { op },
        scheme: { granularity: 'tensor' as const },
      })),
    }),
    'dynamic',
  ],
  float16: [recipe('float16'), 'float'],
};

/** Kernels for x86 and for WebAssembly differ in the order of float32 sums, over one layer and over a whole model. */
const ONE_LAYER = 1e-6;
const WHOLE_MODEL = 5e-5;

describe("LiteRT's WebAssembly build answers as tf.lite.Interpreter", () => {
  test.each(goldens.real)('$file', async ({ file, outputs }) => {
    const found = Object.values(LITERT_MODELS).find((each) => path.basename(each) === file)!;
    for (const difference of await differences(found, outputs))
      expect(difference).toBeLessThan(WHOLE_MODEL);
  });

  test.each(goldens.made)('$model, $variant', async ({ model, variant, outputs }) => {
    const { float } = sources.models.find(({ name }) => name === model)!;
    const source = writeFile(folder, bytesOf(float), `${model}.tflite`);
    const file = variant === 'float' ? source : (await exported(source, ...VARIANTS[variant])).out;
    for (const difference of await differences(file, outputs))
      expect(difference).toBeLessThan(ONE_LAYER);
  });
});

async function verify(file: string, other = file): ReturnType<typeof runBeside> {
  const session = Session.open(file, pool);
  const wanted = { samples: 2, seed: 1, inputs: null };
  try {
    return await runBeside(session, sharedRuntime, other, wanted, { signal: never });
  } finally {
    session.close();
  }
}

function written(spec: ModelSpec, name: string): string {
  return writeFile(folder, litertModel(spec).bytes, `${name}.tflite`);
}

/** x and y [1, 4] of a type, with y an operator's result. */
function small(name: string, changes: Partial<ModelSpec['graphs'][0]>, rest = {}): string {
  const tensors = [
    { name: 'x', shape: [1, 4] },
    { name: 'y', shape: [1, 4] },
  ];
  const add = { op: 'ADD', inputs: [0, 0], outputs: [1], options: [11, table({})] } as const;
  const graph = { tensors, operators: [add], inputs: [0], outputs: [1], ...changes };
  return written({ graphs: [graph], buffers: [], ...rest }, name);
}

describe('verify runs LiteRT models', () => {
  test('a model equals itself, and its int8 export has a finite error', async () => {
    const file = writeFile(folder, denseModel(64, 32, normalValues(2048, 3)).bytes, 'dense.tflite');
    const same = await verify(file);
    expect(same).toMatchObject({ runtime: 'LiteRT', kernels: null, warnings: [] });
    expect(same.outputs).toMatchObject([{ name: 'y', sqnrDb: Infinity, maxAbsError: 0 }]);
    const { out } = await exported(file, recipe('litert-dynamic'), 'dynamic');
    const [output] = (await verify(file, out)).outputs;
    expect(output!.sqnrDb).toBeGreaterThan(35);
    expect(output!.sqnrDb).toBeLessThan(60);
  });

  test('names inputs and outputs as the first signature does, and says that there are others', async () => {
    const map = (name: string, tensor: number) => table({ 0: text(name), 1: i32(tensor) });
    const signature = (key: string) =>
      table({
        ...{ 0: tables([map('image', 0)]), 1: tables([map('scores', 1)]) },
        ...{ 2: text(key), 4: i32(0) },
      });
    const file = small('signed', {}, { extra: { 7: tables([signature('a'), signature('b')]) } });
    const result = await verify(file);
    expect(result.outputs.map(({ name }) => name)).toEqual(['scores']);
    expect(result.warnings).toEqual(['the model has 2 signatures; only the first, a, is run']);
  });

  test('a custom operator that LiteRT does not have is named', async () => {
    const custom = { op: 'CUSTOM', customCode: 'Secret', inputs: [0], outputs: [1] } as const;
    await expect(verify(small('custom', { operators: [custom] }))).rejects.toThrow(
      /LiteRT does not have the custom operator \(found Secret/,
    );
  });

  test('outputs that are one tensor all get its values, under names that differ', async () => {
    const file = small('twice', { outputs: [1, 1] });
    const model = await load(file);
    const feeds = { x: { type: 'float32', dims: [1, 4], data: Float32Array.of(1, 2, 3, 4) } };
    const found = await model.run(feeds);
    expect([...found.keys()].sort()).toEqual(['y', 'y#1']);
    for (const { data } of found.values()) expect(data).toEqual(Float32Array.of(2, 4, 6, 8));
  });

  test('a model with an output that is an input is refused, as LiteRT computes it from nothing', async () => {
    await expect(verify(small('passes', { outputs: [0, 1] }))).rejects.toThrow(
      /cannot run a model with an output that is an input/,
    );
  });

  test('a free size of an input is 1, and other shapes are refused by name', async () => {
    const tensors = [
      { name: 'x', shape: [1, 4], extra: { 7: ints([-1, 4]) } },
      { name: 'y', shape: [1, 4], extra: { 7: ints([-1, 4]) } },
    ];
    const model = await load(small('free', { tensors }));
    expect(model.inputs).toEqual([{ name: 'x', type: 'float32', shape: [1, 4] }]);
    const data = new Float32Array(12);
    await expect(model.run({ x: { type: 'float32', dims: [3, 4], data } })).rejects.toThrow(
      /x: LiteRT does not take the input \(found float32 of shape 3 x 4, expected float32 of shape 1 x 4\)/,
    );
  });

  test.each(['INT8', 'INT32', 'INT64', 'BOOL', 'UINT8', 'FLOAT16'] as const)(
    '%s goes in and comes out unchanged',
    async (type) => {
      const tensors = [
        { name: 'x', shape: [1, 4], type },
        { name: 'y', shape: [4, 1], type },
        { name: 'shape', shape: [2], type: 'INT32' as const, buffer: 1 },
      ];
      const reshape = {
        ...({ op: 'RESHAPE', inputs: [0, 2], outputs: [1] } as const),
        options: [17, table({ 0: ints([4, 1]) })],
      } as const;
      const shape = new Uint8Array(Int32Array.of(4, 1).buffer);
      const file = small(`type-${type}`, { tensors, operators: [reshape] }, { buffers: [shape] });
      const model = await load(file);
      const data = {
        INT8: Int8Array.of(-128, -1, 0, 127),
        INT32: Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1),
        INT64: BigInt64Array.of(-(2n ** 40n), -1n, 0n, 2n ** 40n),
        BOOL: Uint8Array.of(0, 1, 1, 0),
        UINT8: Uint8Array.of(0, 1, 128, 255),
        FLOAT16: Uint16Array.of(0x3c00, 0xc000, 0, 0x3555),
      }[type];
      const expected =
        type === 'FLOAT16' ? [1, -2, 0, 0.333251953125] : Array.from(data as Int8Array, Number);
      const found = await model.run({ x: { type: type.toLowerCase(), dims: [1, 4], data } });
      expect(found.get('y')).toMatchObject({ dims: [4, 1], isText: false });
      expect(Array.from(found.get('y')!.data as ArrayLike<number>)).toEqual(expected);
    },
  );

  test('an input of strings is named as one that cannot be passed', async () => {
    const tensors = [
      { name: 'x', shape: [1, 4], type: 'STRING' as const },
      { name: 'y', shape: [1, 4], type: 'STRING' as const },
    ];
    await expect(verify(small('words', { tensors }))).rejects.toThrow(
      /x: LiteRT's WebAssembly build cannot pass the input \(found string/,
    );
  });

  test('an index input stays within the rows of its table', async () => {
    const file = small(
      'table',
      {
        tensors: [
          { name: 'ids', shape: [8], type: 'INT32' },
          { name: 'rows', shape: [3, 2], buffer: 1 },
          { name: 'y', shape: [8, 2] },
        ],
        operators: [{ op: 'GATHER', inputs: [1, 0], outputs: [2], options: [23, table({})] }],
        outputs: [2],
      },
      { buffers: [new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)] },
    );
    expect(openModel(file).runHints).toMatchObject({ runtime: 'LiteRT', limits: { ids: 3 } });
    expect((await verify(file)).outputs).toMatchObject([{ sqnrDb: Infinity }]);
  });

  test('a file that LiteRT does not load is an error with its words', async () => {
    const file = path.join(folder, 'cut.tflite');
    const whole = fs.readFileSync(LITERT_MODELS.faceShort);
    fs.writeFileSync(file, whole.subarray(0, whole.length / 2));
    const request = {
      ...{ kind: 'describe' as const, model: file, inputs: null, samples: 1, seed: 0 },
      hints: openModel(LITERT_MODELS.faceShort).runHints!,
    };
    const running = runInRuntime(sharedRuntime, request, never, () => undefined);
    await expect(running).rejects.toThrow(/LiteRT does not load it \(found .+expected a model/);
  });

  test('random samples are described as of any model', async () => {
    const request = {
      ...{ kind: 'describe' as const, model: LITERT_MODELS.faceShort, inputs: null },
      ...{ samples: 3, seed: 0, hints: openModel(LITERT_MODELS.faceShort).runHints! },
    };
    const { description } = await runInRuntime(sharedRuntime, request, never, () => undefined);
    expect(description).toMatchObject({ count: 3, warnings: [RANDOM_WARNING] });
    expect(description.inputs).toMatchObject([{ name: 'input', dims: [1, 128, 128, 3] }]);
  });
});

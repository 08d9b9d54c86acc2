import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PreparedModel } from '../../../electron/engine/calibrate/prepared.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { PagedBytes } from '../../../electron/engine/formats/litert/read/paged-bytes.ts';
import { readModel } from '../../../electron/engine/formats/litert/read/read-model.ts';
import type {
  GraphRecord,
  LitertIndex,
} from '../../../electron/engine/formats/litert/read/records.ts';
import { typeName } from '../../../electron/engine/formats/litert/read/tensor-types.ts';
import { LitertModel } from '../../../electron/engine/runtime/litert/litert-model.ts';
import { Session } from '../../../electron/engine/session.ts';
import { FileSource } from '../../../electron/engine/source.ts';
import type { BorderType } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { npyFile } from '../../helpers/npy.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { bytesOf, float32Of, readGolden } from '../quantize/goldens.ts';

interface GoldenTensor {
  readonly type: string;
  readonly scale?: string;
  readonly zeroPoint?: readonly number[];
  readonly codes?: string;
}

interface GoldenModel {
  readonly name: string;
  readonly float: string;
  readonly samples: readonly string[];
  readonly shape: readonly number[];
  readonly integer: {
    readonly tensors: readonly GoldenTensor[];
    readonly operators: readonly {
      readonly op: string;
      readonly version: number;
      readonly inputs: readonly number[];
      readonly outputs: readonly number[];
    }[];
  };
  readonly output: string;
}

const { models } = readGolden<{ models: GoldenModel[] }>('litert_static.json');
const recipe = findPreset('litert-full-integer')!;
const WIDE = findPreset('litert-16x8')!;
const folder = temporaryFolder();
const pool = testPool();
const { signal } = new AbortController();

/** What is made at the borders, and where the converter scales codes anew. */
const BORDERS = new Set(['QUANTIZE', 'DEQUANTIZE']);

/** Models in which no operator writes over a value whose range is looked for. */
const EXACT = ['dense', 'conv', 'concat', 'transposed'];

/** Kernels for x86 and for WebAssembly differ in the order of float32 sums, and so ranges in their last bits. */
const SUMS = 4e-7;

interface Export {
  readonly index: LitertIndex;
  readonly graph: GraphRecord;
  readonly bytes: Buffer;
  readonly file: string;
}

const exportsOf = new Map<string, Export>();

/** Export a golden's float model, with its inputs and outputs in a type. */
async function exported(
  { name, float, samples, shape }: GoldenModel,
  io: BorderType = 'float32',
  integerOnly = false,
  preset = recipe,
): Promise<Export> {
  const source = Session.open(writeFile(folder, bytesOf(float), `${name}.tflite`), pool);
  const prepared = await PreparedModel.make(source, pool, sharedRuntime, { signal });
  const inputs = samples.map((sample, at) =>
    writeFile(folder, npyFile('<f4', shape, bytesOf(sample)), `${name}-${at}.npy`),
  );
  prepared.use(await prepared.calibrate({ inputs, samples: 0, seed: 0 }, { signal }));
  const file = path.join(
    folder,
    `${name}.${io}.${preset.name}${integerOnly ? '.only' : ''}.tflite`,
  );
  const wanted = { ...preset, activations: { ...preset.activations!, io } };
  try {
    await prepared.session.export(wanted, 'static', file, { signal, integerOnly });
  } finally {
    prepared.close();
    source.close();
  }
  const opened = FileSource.open(file);
  const index = readModel(new PagedBytes(opened));
  opened.close();
  return { index, graph: index.graphs[0]!, bytes: fs.readFileSync(file), file };
}

beforeAll(async () => {
  for (const model of models) exportsOf.set(model.name, await exported(model));
}, 60_000);

/** The codes that a tensor of an export holds. */
function storedOf({ index, bytes }: Export, buffer: number): string | undefined {
  const stored = index.buffers[buffer] ?? null;
  if (stored === null) return undefined;
  return bytes.subarray(stored.offset, stored.offset + stored.length).toString('base64');
}

/** Both models' tensors at the same input or output of the same operator. */
function pairsOf(golden: GoldenModel, own: Export) {
  const expected = golden.integer.operators.filter(({ op }) => !BORDERS.has(op));
  const operators = own.graph.operators.filter(({ op }) => !BORDERS.has(op));
  expect(operators.map(({ op }) => op)).toEqual(expected.map(({ op }) => op));
  return expected.flatMap((operator, at) => {
    const places = (of: { inputs: readonly number[]; outputs: readonly number[] }) => [
      ...of.inputs,
      ...of.outputs,
    ];
    const ours = places(operators[at]!);
    return places(operator).flatMap((tensor, place) => {
      const theirs = golden.integer.tensors[tensor];
      const tensorOf = own.graph.tensors[ours[place]!];
      return theirs === undefined || tensorOf === undefined
        ? []
        : [{ op: operator.op, place: `${at} ${operator.op} ${place}`, theirs, own: tensorOf }];
    });
  });
}

function scalesOf({ scale }: GoldenTensor): number[] {
  return scale === undefined ? [] : [...float32Of(scale)];
}

function int32Of(base64: string): Int32Array {
  return new Int32Array(bytesOf(base64).buffer);
}

/** The values that the lowest and the highest code of an int8 activation stand for. */
function spanOf(scale: number, zeroPoint: number): [number, number] {
  return [(-128 - zeroPoint) * scale, (127 - zeroPoint) * scale];
}

describe("a full integer export has the converter's parameters", () => {
  test.each(models)('$name: input and stored weights to the bit', (golden) => {
    const own = exportsOf.get(golden.name)!;
    const pairs = pairsOf(golden, own);
    for (const { theirs, own: tensor, place } of pairs) {
      expect(typeName(tensor.type), place).toBe(theirs.type);
      if (theirs.type !== 'INT8' || theirs.codes === undefined) continue;
      expect(scalesOf(theirs), place).toEqual(tensor.scale);
      expect(theirs.zeroPoint, place).toEqual(tensor.zeroPoint);
      expect(storedOf(own, tensor.buffer), place).toBe(theirs.codes);
    }
    // The second matrix of a product, whose zero point is 0 here, has the input's parameters.
    if (golden.name === 'attention') return;
    const input = pairs.find(({ theirs }) => theirs.type === 'INT8' && theirs.codes === undefined)!;
    expect(scalesOf(input.theirs)).toEqual(input.own.scale);
    expect(input.theirs.zeroPoint).toEqual(input.own.zeroPoint);
  });

  test.each(EXACT)('%s: values and biases', (name) => {
    const golden = models.find((each) => each.name === name)!;
    const own = exportsOf.get(name)!;
    for (const { theirs, own: tensor, place } of pairsOf(golden, own)) {
      expect(tensor.zeroPoint, place).toEqual(theirs.zeroPoint ?? []);
      for (const [at, scale] of scalesOf(theirs).entries())
        expect(Math.abs(tensor.scale[at]! / scale - 1), place).toBeLessThan(SUMS);
      if (theirs.type !== 'INT32' || theirs.scale === undefined) continue;
      const codes = [storedOf(own, tensor.buffer)!, theirs.codes!].map(int32Of);
      for (const [at, code] of codes[0]!.entries())
        expect(Math.abs(code - codes[1]![at]!), place).toBeLessThanOrEqual(1);
    }
  });

  /**
   * tf.lite.Interpreter lets ADD, MUL and others write over their first input. Its calibrator looks at inputs again
   * behind an operator, for the states of LSTMs, and takes what these give for a part of their input's range.
   */
  test.each(models)('$name: no value has a wider range than there', (golden) => {
    for (const { theirs, own, place } of pairsOf(golden, exportsOf.get(golden.name)!)) {
      if (theirs.type !== 'INT8' || theirs.codes !== undefined) continue;
      // XNNPACK takes the zero point of the second matrix of BATCH_MATMUL for 0, so that it is 0 here.
      if (golden.name === 'attention' && own.zeroPoint[0] === 0) continue;
      const [low, high] = spanOf(own.scale[0]!, own.zeroPoint[0]!);
      const step = scalesOf(theirs)[0]!;
      const [least, most] = spanOf(step, theirs.zeroPoint![0]!);
      expect(low, place).toBeGreaterThanOrEqual(least - step);
      expect(high, place).toBeLessThanOrEqual(most + step);
    }
  });
});

describe('a full integer export runs in the app', () => {
  const loaded: LitertModel[] = [];
  afterAll(() => Promise.all(loaded.map((model) => model.release())));

  async function answerOf(file: string, { shape, samples }: GoldenModel): Promise<Float32Array> {
    const opened = openModel(file);
    opened.close();
    const model = await LitertModel.load(file, opened.runHints!, path.dirname(RUNTIME_SCRIPT));
    loaded.push(model);
    const given = { type: 'float32', dims: shape, data: float32Of(samples[0]!) };
    const found = await model.run({ [model.inputs[0]!.name]: given });
    return [...found.values()][0]!.data as Float32Array;
  }

  const noise = (values: Float32Array, exact: Float32Array): number =>
    exact.reduce((sum, value, at) => sum + (value - values[at]!) ** 2, 0);

  test.each(models)(
    '$name, within two steps of the converter’s, or about as near to float',
    async (golden) => {
      const { name, integer, output } = golden;
      const own = await answerOf(exportsOf.get(name)!.file, golden);
      const theirs = float32Of(output);
      const step = scalesOf(integer.tensors[integer.operators.at(-1)!.inputs[0]!]!)[0]!;
      const most = own.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - theirs[at]!)),
        0,
      );
      if (EXACT.includes(name)) expect(most).toBeLessThan(1.001 * step);
      if (most < 2.001 * step) return;
      const exact = await answerOf(path.join(folder, `${name}.tflite`), golden);
      expect(noise(own, exact)).toBeLessThan(1.5 * noise(theirs, exact));
    },
  );

  test.each(['int8', 'uint8'] as const)('inputs and outputs of %s', async (io) => {
    const golden = models.find(({ name }) => name === 'attention')!;
    const { graph, file } = await exported(golden, io);
    const types = [graph.inputs[0]!, graph.outputs[0]!].map((at) => graph.tensors[at]!.type);
    expect(types.map(typeName)).toEqual([io.toUpperCase(), io.toUpperCase()]);
    const [first, last] = [graph.operators[0]!.op, graph.operators.at(-1)!.op];
    // Between uint8 and int8 a QUANTIZE shifts the codes.
    expect([first, last]).toEqual(io === 'int8' ? ['RESHAPE', 'GELU'] : ['QUANTIZE', 'QUANTIZE']);
    // Given numbers, and asked for numbers, it answers as the export between floats does.
    const answer = await answerOf(file, golden);
    expect([...answer]).toEqual([...(await answerOf(exportsOf.get('attention')!.file, golden))]);
  });

  test.each(['residual', 'transposed', 'recurrent'])(
    '%s on int16, much nearer to float',
    async (name) => {
      const golden = models.find((each) => each.name === name)!;
      const { file, graph } = await exported(golden, 'float32', false, WIDE);
      const types = new Set(graph.tensors.map(({ type }) => typeName(type)));
      expect([types.has('INT16'), types.has('INT64')]).toEqual([true, true]);
      const exact = await answerOf(path.join(folder, `${name}.tflite`), golden);
      const [wide, narrow] = [file, exportsOf.get(name)!.file].map((each) =>
        answerOf(each, golden),
      );
      expect(noise(await wide!, exact)).toBeLessThan(noise(await narrow!, exact) / 2);
    },
  );

  test('an input of another type than its own is refused', async () => {
    const file = exportsOf.get('dense')!.file;
    const opened = openModel(file);
    opened.close();
    const model = await LitertModel.load(file, opened.runHints!, path.dirname(RUNTIME_SCRIPT));
    loaded.push(model);
    const given = { type: 'float64', dims: [1, 20], data: new Float64Array(20) };
    await expect(model.run({ [model.inputs[0]!.name]: given })).rejects.toThrow(
      'LiteRT does not take the input',
    );
  });
});

describe('an export that must be integer only', () => {
  const wanted = (name: string) => models.find((each) => each.name === name)!;

  test('is refused with the operators that stay in float', async () => {
    await expect(exported(wanted('attention'), 'int8', true)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      details: { found: '1 NEG: LiteRT has no integer kernel of NEG' },
    });
    expect(fs.existsSync(path.join(folder, 'attention.int8.litert-full-integer.only.tflite'))).toBe(
      false,
    );
  });

  test('is written where all are on integers', async () => {
    const { graph } = await exported(wanted('conv'), 'int8', true);
    expect(graph.tensors.map(({ type }) => typeName(type))).not.toContain('FLOAT32');
  });
});

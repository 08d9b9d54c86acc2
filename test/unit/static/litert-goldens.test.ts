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
  readonly zeroPoint?: number;
  readonly codes?: string;
}

/** What the converter makes of a model: on int8 activations ("narrow") or int16 ones ("wide"). */
interface GoldenFile {
  readonly tensors: readonly GoldenTensor[];
  readonly operators: readonly {
    readonly op: string;
    readonly inputs: readonly number[];
    readonly outputs: readonly number[];
  }[];
  /** What tf.lite.Interpreter answers. */
  readonly output?: string;
  /** Why it does not run the file. */
  readonly fails?: string;
  /** Why the converter made no file without operators in float. */
  readonly refused?: string;
}

interface GoldenModel {
  readonly name: string;
  readonly float: string;
  readonly samples: readonly string[];
  readonly shape: readonly number[];
  readonly narrow: GoldenFile;
  readonly wide: GoldenFile;
}

const { models } = readGolden<{ models: GoldenModel[] }>('litert_static.json');
const PRESETS = { narrow: findPreset('litert-full-integer')!, wide: findPreset('litert-16x8')! };
type Kind = keyof typeof PRESETS;
const ACTIVATION: Readonly<Record<Kind, string>> = { narrow: 'INT8', wide: 'INT16' };
const folder = temporaryFolder();
const pool = testPool();
const { signal } = new AbortController();

/** What is made at the borders, and where the converter scales codes anew. */
const BORDERS = new Set(['QUANTIZE', 'DEQUANTIZE']);

/** Every model on int8 and on int16, but the one of which nothing is left to store on int16. */
const CASES = models.flatMap((golden) =>
  (['narrow', 'wide'] as const).flatMap((kind) =>
    kind === 'wide' && golden.name === 'norms'
      ? []
      : [{ golden, kind, label: `${golden.name} on ${ACTIVATION[kind].toLowerCase()}` }],
  ),
);

/**
 * Operators that tf.lite.Interpreter lets write over their first input. Its calibrator looks at inputs again behind an
 * operator, for the states of LSTMs, and takes what these give for a part of their input's range.
 */
const IN_PLACE = new Set(['ADD', 'SUB', 'MUL']);

/**
 * Operators whose parameters differ on purpose on int16. The converter puts SQUARED_DIFFERENCE on it, which has no kernel
 * there, and leaves SQRT in float, which has one; it scales the inputs of MINIMUM to the range of its output, with a
 * QUANTIZE each, where all share a scale here; and it gives SUM the scale of its input, so that sums saturate.
 */
const APART = new Set(['SQUARED_DIFFERENCE', 'SQRT', 'MINIMUM', 'SUM']);

/** Kernels for x86 and for WebAssembly differ in the order of float32 sums, and so ranges in their last bits. */
const SUMS = 1e-6;

interface Export {
  readonly index: LitertIndex;
  readonly graph: GraphRecord;
  readonly bytes: Buffer;
  readonly file: string;
}

const exportsOf = new Map<string, Export>();
const exportOf = (name: string, kind: Kind): Export => exportsOf.get(`${name} ${kind}`)!;

interface Wanted {
  readonly kind: Kind;
  readonly io?: BorderType;
  readonly integerOnly?: boolean;
}

/** Export a golden's float model in several ways, all by the same calibration. */
async function exported(
  { name, float, samples, shape }: GoldenModel,
  wanted: readonly Wanted[],
): Promise<Export[]> {
  const source = Session.open(writeFile(folder, bytesOf(float), `${name}.tflite`), pool);
  const prepared = await PreparedModel.make(source, pool, sharedRuntime, { signal });
  const inputs = samples.map((sample, at) =>
    writeFile(folder, npyFile('<f4', shape, bytesOf(sample)), `${name}-${at}.npy`),
  );
  try {
    prepared.use(await prepared.calibrate({ inputs, samples: 0, seed: 0 }, { signal }));
    const made: Export[] = [];
    for (const { kind, io = 'float32', integerOnly = false } of wanted) {
      const file = path.join(folder, `${name}.${io}.${kind}${integerOnly ? '.only' : ''}.tflite`);
      const preset = PRESETS[kind];
      const recipe = { ...preset, activations: { ...preset.activations!, io } };
      await prepared.session.export(recipe, 'static', file, { signal, integerOnly });
      made.push(read(file));
    }
    return made;
  } finally {
    prepared.close();
    source.close();
  }
}

function read(file: string): Export {
  const opened = FileSource.open(file);
  const index = readModel(new PagedBytes(opened));
  opened.close();
  return { index, graph: index.graphs[0]!, bytes: fs.readFileSync(file), file };
}

beforeAll(async () => {
  for (const golden of models) {
    const kinds = CASES.flatMap((each) => (each.golden === golden ? [{ kind: each.kind }] : []));
    for (const [at, made] of (await exported(golden, kinds)).entries())
      exportsOf.set(`${golden.name} ${kinds[at]!.kind}`, made);
  }
}, 60_000);

/** The codes that a tensor of an export holds. */
function storedOf({ index, bytes }: Export, buffer: number): string | undefined {
  const stored = index.buffers[buffer] ?? null;
  if (stored === null) return undefined;
  return bytes.subarray(stored.offset, stored.offset + stored.length).toString('base64');
}

/** Both models' tensors at the same input or output of the same operator. */
function pairsOf(golden: GoldenFile, own: Export) {
  const expected = golden.operators.filter(({ op }) => !BORDERS.has(op));
  const operators = own.graph.operators.filter(({ op }) => !BORDERS.has(op));
  expect(operators.map(({ op }) => op)).toEqual(expected.map(({ op }) => op));
  return expected.flatMap((operator, at) => {
    const places = (of: { inputs: readonly number[]; outputs: readonly number[] }) => [
      ...of.inputs,
      ...of.outputs,
    ];
    const ours = places(operators[at]!);
    return places(operator).flatMap((tensor, place) => {
      const theirs = golden.tensors[tensor];
      const tensorOf = own.graph.tensors[ours[place]!];
      const where = `${at} ${operator.op} ${place}`;
      return theirs === undefined || tensorOf === undefined
        ? []
        : [{ op: operator.op, tensor, place: where, theirs, own: tensorOf }];
    });
  });
}

/** The same of operators whose parameters are to be equal. */
function equalPairs(golden: GoldenModel, kind: Kind) {
  const pairs = pairsOf(golden[kind], exportOf(golden.name, kind));
  return pairs.filter(({ op }) => kind === 'narrow' || !APART.has(op));
}

function scalesOf({ scale }: GoldenTensor): number[] {
  return scale === undefined ? [] : [...float32Of(scale)];
}

/** The codes of a bias. */
function biasOf(base64: string, type: string): number[] {
  const { buffer } = bytesOf(base64);
  return type === 'INT64'
    ? [...new BigInt64Array(buffer)].map(Number)
    : [...new Int32Array(buffer)];
}

/** The values that the lowest and the highest code of an activation stand for. */
function spanOf(scale: number, zeroPoint: number, type: string): [number, number] {
  const [least, most] = type === 'INT16' ? [-32767, 32767] : [-128, 127];
  return [(least - zeroPoint) * scale, (most - zeroPoint) * scale];
}

describe("a full integer export has the converter's parameters", () => {
  test.each(CASES)('$label: types, input and stored weights to the bit', ({ golden, kind }) => {
    const own = exportOf(golden.name, kind);
    const pairs = equalPairs(golden, kind);
    for (const { theirs, own: tensor, place } of pairs) {
      expect(typeName(tensor.type), place).toBe(theirs.type);
      if (!/^INT(8|16)$/.test(theirs.type) || theirs.codes === undefined) continue;
      expect(tensor.scale, place).toEqual(scalesOf(theirs));
      expect(new Set(tensor.zeroPoint), place).toEqual(new Set([theirs.zeroPoint]));
      expect(storedOf(own, tensor.buffer), place).toBe(theirs.codes);
    }
    // The second matrix of a product, whose zero point is 0 here, has the input's parameters.
    if (golden.name === 'attention' && kind === 'narrow') return;
    const input = pairs.find(({ theirs }) => theirs.scale !== undefined && !theirs.codes)!;
    expect(input.own.scale).toEqual(scalesOf(input.theirs));
    expect(input.own.zeroPoint).toEqual([input.theirs.zeroPoint]);
  });

  test.each(CASES)('$label: values and biases, but those computed over', ({ golden, kind }) => {
    const own = exportOf(golden.name, kind);
    const inPlace = golden[kind].operators.filter(({ op }) => IN_PLACE.has(op));
    const computedOver = new Set(inPlace.map(({ inputs }) => inputs[0]!));
    for (const { theirs, own: tensor, place, tensor: at } of equalPairs(golden, kind)) {
      if (theirs.scale === undefined || computedOver.has(at)) continue;
      // XNNPACK takes the zero point of the second matrix of BATCH_MATMUL for 0, so that it is 0 here.
      if (golden.name === 'attention' && kind === 'narrow' && tensor.zeroPoint[0] === 0) continue;
      expect(new Set(tensor.zeroPoint), place).toEqual(new Set([theirs.zeroPoint]));
      for (const [channel, scale] of scalesOf(theirs).entries())
        expect(Math.abs(tensor.scale[channel]! / scale - 1), place).toBeLessThan(SUMS);
      if (!/^INT(32|64)$/.test(theirs.type)) continue;
      const codes = biasOf(storedOf(own, tensor.buffer)!, theirs.type);
      for (const [channel, code] of biasOf(theirs.codes!, theirs.type).entries())
        expect(Math.abs(codes[channel]! - code), place).toBeLessThanOrEqual(1);
    }
  });

  test.each(CASES)('$label: no value has a wider range than there', ({ golden, kind }) => {
    for (const { theirs, own, place } of equalPairs(golden, kind)) {
      if (theirs.type !== ACTIVATION[kind] || theirs.codes !== undefined) continue;
      if (golden.name === 'attention' && kind === 'narrow' && own.zeroPoint[0] === 0) continue;
      const [low, high] = spanOf(own.scale[0]!, own.zeroPoint[0]!, theirs.type);
      const step = scalesOf(theirs)[0]!;
      const [least, most] = spanOf(step, theirs.zeroPoint!, theirs.type);
      expect(low, place).toBeGreaterThanOrEqual(least - step);
      expect(high, place).toBeLessThanOrEqual(most + step);
    }
  });

  test.each(CASES)('$label: all that is converted is taken', ({ golden, kind }) => {
    const { operators, outputs } = exportOf(golden.name, kind).graph;
    const taken = new Set([...operators.flatMap(({ inputs }) => inputs), ...outputs]);
    const borders = operators.filter(({ op }) => BORDERS.has(op));
    expect(borders.filter(({ outputs: [made] }) => !taken.has(made!)).length).toBe(0);
  });
});

describe('a full integer export runs in the app', () => {
  const loaded: LitertModel[] = [];
  afterAll(() => Promise.all(loaded.map((model) => model.release())));

  const answers = new Map<string, Promise<Float32Array>>();

  function answerOf(file: string, golden: GoldenModel): Promise<Float32Array> {
    const found = answers.get(file) ?? ask(file, golden);
    answers.set(file, found);
    return found;
  }

  async function ask(file: string, { shape, samples }: GoldenModel): Promise<Float32Array> {
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

  test.each(CASES)(
    '$label: within a step or two of the converter’s, or nearer to float',
    async ({ golden, kind }) => {
      const { tensors, operators, output } = golden[kind];
      if (output === undefined) return;
      const own = await answerOf(exportOf(golden.name, kind).file, golden);
      const theirs = float32Of(output);
      const step = scalesOf(tensors[operators.at(-1)!.inputs[0]!]!)[0]!;
      const most = own.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - theirs[at]!)),
        0,
      );
      const isExact = !operators.some(
        ({ op }) => IN_PLACE.has(op) || (kind === 'wide' && APART.has(op)),
      );
      if (most < (isExact ? 1.001 : 2.001) * step) return;
      expect(isExact).toBe(false);
      const exact = await answerOf(path.join(folder, `${golden.name}.tflite`), golden);
      expect(noise(own, exact)).toBeLessThan(1.5 * noise(theirs, exact));
    },
  );

  test.each(['int8', 'uint8'] as const)('inputs and outputs of %s', async (io) => {
    const golden = models.find(({ name }) => name === 'attention')!;
    const [made] = await exported(golden, [{ kind: 'narrow', io }]);
    const { graph, file } = made!;
    const types = [graph.inputs[0]!, graph.outputs[0]!].map((at) => graph.tensors[at]!.type);
    expect(types.map(typeName)).toEqual([io.toUpperCase(), io.toUpperCase()]);
    const [first, last] = [graph.operators[0]!.op, graph.operators.at(-1)!.op];
    // Between uint8 and int8 a QUANTIZE shifts the codes.
    expect([first, last]).toEqual(io === 'int8' ? ['RESHAPE', 'GELU'] : ['QUANTIZE', 'QUANTIZE']);
    // Given numbers, and asked for numbers, it answers as the export between floats does.
    const answer = await answerOf(file, golden);
    expect([...answer]).toEqual([
      ...(await answerOf(exportOf('attention', 'narrow').file, golden)),
    ]);
  });

  // The codes of the weights make most of the error of the other two.
  const wide = CASES.filter(({ kind }) => kind === 'wide');
  test.each(wide.filter(({ golden }) => !['dense', 'conv'].includes(golden.name)))(
    '$label: much nearer to float than on int8',
    async ({ golden }) => {
      const types = new Set(
        exportOf(golden.name, 'wide').graph.tensors.map(({ type }) => typeName(type)),
      );
      expect([types.has('INT16'), types.has('INT64')]).toEqual([true, true]);
      const exact = await answerOf(path.join(folder, `${golden.name}.tflite`), golden);
      const [wide, narrow] = (['wide', 'narrow'] as const).map((kind) =>
        answerOf(exportOf(golden.name, kind).file, golden),
      );
      expect(noise(await wide!, exact)).toBeLessThan(noise(await narrow!, exact) / 2);
    },
  );

  test('an input of another type than its own is refused', async () => {
    const file = exportOf('dense', 'narrow').file;
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
    const whole = [{ kind: 'narrow', io: 'int8', integerOnly: true }] as const;
    await expect(exported(wanted('attention'), whole)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      details: { found: '1 NEG: LiteRT has no integer kernel of NEG' },
    });
    expect(fs.existsSync(path.join(folder, 'attention.int8.narrow.only.tflite'))).toBe(false);
  });

  /** The converter refuses NEG and HARD_SWISH as well; it puts the others on int16, which the interpreter then refuses. */
  test.each([
    [
      'attention',
      '1 NEG: LiteRT has no integer kernel of NEG; ' +
        '1 SQUARED_DIFFERENCE: LiteRT has no int16 kernel of SQUARED_DIFFERENCE',
      "op: 'NEG'",
      'SQUARED_DIFFERENCE',
    ],
    [
      'norms',
      '7 TRANSPOSE, STRIDED_SLICE, MUL and others: the whole export would be at least as large as its source; ' +
        '1 HARD_SWISH: LiteRT has no int16 kernel of HARD_SWISH',
      "op: 'HARD_SWISH'",
      undefined,
    ],
  ])('%s is refused on int16 with its operators in float', async (name, found, refused, fails) => {
    const golden = wanted(name);
    await expect(exported(golden, [{ kind: 'wide', integerOnly: true }])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      details: { found },
    });
    expect(golden.wide.refused).toContain(refused);
    if (fails !== undefined) expect(golden.wide.fails).toContain(fails);
  });

  test('is written where all are on integers', async () => {
    const [made] = await exported(wanted('conv'), [
      { kind: 'narrow', io: 'int8', integerOnly: true },
    ]);
    expect(made!.graph.tensors.map(({ type }) => typeName(type))).not.toContain('FLOAT32');
  });
});

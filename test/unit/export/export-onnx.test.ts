import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { Recipe } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import type { SchemeFields } from '../../../shared/scheme.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import {
  constant,
  floatTensor,
  matMulModel,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { concat, integer, message, splitFields, text } from '../../helpers/protobuf.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { answersOf, ONE_THREAD, outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);

function digest(file: string): string {
  return crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
}

/** Each field of a message as hex with its number, but for those that `skip` names. */
function rest(bytes: Uint8Array, skip: (field: number, payload: Uint8Array) => boolean): string[] {
  return splitFields(bytes)
    .filter(({ field, payload }) => !skip(field, payload))
    .map((part) => `${part.field}:${crypto.createHash('sha256').update(part.bytes).digest('hex')}`);
}

const graphOf = (bytes: Uint8Array): Uint8Array =>
  splitFields(bytes).find(({ field }) => field === 7)!.payload;

describe.each(REAL_MODELS)('$name', (real) => {
  const { file, feeds } = real;
  test.each(['int8', 'uint8', 'float16', 'bfloat16'])(
    'exports as %s, loads in onnxruntime and answers nearly the same',
    async (name) => {
      const before = digest(file);
      const { out, bytes } = await exported(file, recipe(name));
      expect(digest(file)).toBe(before);
      const [source, answer] = [await answersOf(real), await runOnnx(out, feeds)];
      expect(Object.keys(answer)).toEqual(Object.keys(source));
      for (const output of Object.keys(source)) {
        expect(answer[output]).toHaveLength(source[output]!.length);
        expect(answer[output]!.every(Number.isFinite)).toBe(true);
      }
      if (name === 'float16')
        for (const output of Object.keys(source))
          expect(outputSqnr(source[output]!, answer[output]!)).toBeGreaterThan(25);
      if (name === 'int8') expect(bytes.length).toBeLessThan(fs.statSync(file).size * 0.5);
    },
  );

  test('an export leaves every other top-level, graph and node field byte for byte as it was', async () => {
    const { bytes, names } = await exported(file, recipe('int8'));
    const source = fs.readFileSync(file);
    const quantized = new Set(names);
    const made = (name: string): boolean =>
      [...quantized].some((base) => name.startsWith(`${base}_`));
    const metadata = (field: number, payload: Uint8Array): boolean =>
      field === 14 && onnx.StringStringEntryProto.decode(payload).key.startsWith('quantscope.');
    // A raised or added opset; what it may be is tested below.
    const isOpset = (field: number): boolean => field === 8;
    expect(
      rest(bytes, (field, payload) => field === 7 || metadata(field, payload) || isOpset(field)),
    ).toEqual(rest(source, (field) => field === 7 || isOpset(field)));
    const inGraph = (field: number, payload: Uint8Array): boolean => {
      if (field === 5) {
        const { name } = onnx.TensorProto.decode(payload);
        return quantized.has(name) || made(name);
      }
      if (field !== 1) return false;
      const decoded = onnx.NodeProto.decode(payload);
      // Nodes with subgraphs hold replaced weights themselves; the functions test below looks into such.
      if (decoded.attribute.some((attribute) => (attribute.g ?? null) !== null)) return true;
      if (decoded.opType === 'Constant')
        return quantized.has(decoded.output[0]!) || made(decoded.output[0]!);
      return decoded.opType === 'DequantizeLinear' && quantized.has(decoded.output[0]!);
    };
    expect(quantized.size).toBeGreaterThan(0);
    expect(rest(graphOf(bytes), inGraph)).toEqual(rest(graphOf(source), inGraph));
  });

  test('an export opens again with its weights recognised as quantized, and is not quantized twice', async () => {
    const { out, names } = await exported(file, recipe('int8'));
    const opened = openModel(out);
    const stored = opened.model.tensors.filter((tensor) => tensor.quantization !== null);
    expect(stored.map((tensor) => tensor.name).sort()).toEqual(
      names.map((name) => `${name}_quantized`).sort(),
    );
    for (const tensor of stored) expect(tensor).toMatchObject({ dtype: 'int8', role: 'weight' });
    opened.close();
    const again = await exported(out, recipe('int8'));
    expect(again.names).toEqual([]);
    expect(Buffer.compare(again.bytes, fs.readFileSync(out))).toBe(0);
  });
});

describe('the plan in the file', () => {
  const small = (name: string): Recipe => recipe(name, { minElements: 0 });

  test('the recipe and the version of the tool stand in metadata_props', async () => {
    const { bytes } = await exported(writeFile(folder, matMulModel(64, 64)), small('int8'));
    const decoded = onnx.ModelProto.decode(bytes);
    const entries = new Map(decoded.metadataProps.map((entry) => [entry.key, entry.value]));
    expect(JSON.parse(entries.get('quantscope.recipe') ?? '')).toEqual(small('int8'));
    expect(entries.get('quantscope.version')).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('a plan that changes nothing gives the source byte for byte', async () => {
    const file = writeFile(folder, matMulModel(64, 64));
    const { bytes } = await exported(file, recipe('int8', { default: null }));
    expect(Buffer.compare(bytes, fs.readFileSync(file))).toBe(0);
  });

  test('a weight too small to shrink in the file is left alone, and the file never grows', async () => {
    const file = writeFile(folder, matMulModel(4, 4));
    const { bytes, refused } = await exported(file, small('int8'));
    expect(Buffer.compare(bytes, fs.readFileSync(file))).toBe(0);
    expect(refused.join()).toMatch(
      /would (grow from \d+ to|stay at) \d+ bytes|at least as large as its source/,
    );
  });

  /** Dropout changed its meaning at opsets 10 and 12, so that a graph with it cannot be raised over them. */
  const held = (opset: number): Uint8Array =>
    model(
      {
        node: [node('MatMul', ['x', 'w'], ['h']), node('Dropout', ['h'], ['y'])],
        initializer: [floatTensor('w', [64, 32], randomValues(2048, 1))],
        input: [value('x', [2, 64])],
        output: [value('y', [2, 32])],
      },
      { opset, irVersion: 7 },
    );

  test.each([
    [9, 'tensor', false, '', 10],
    [9, 'channel', false, '', 13],
    [12, 'channel', false, '', 13],
    [13, 'channel', false, '', 13],
    [18, 'channel', false, '', 18],
    [9, 'tensor', true, 'com.microsoft', 9],
    [11, 'channel', true, 'com.microsoft', 11],
    [11, 'tensor', true, '', 11],
  ] as const)(
    'from opset %i, per %s, held back %s: DequantizeLinear of domain "%s" at opset %i, and the file runs',
    async (opset, granularity, isHeld, domain, raised) => {
      const bytesIn = isHeld ? held(opset) : matMulModel(64, 32, { opset, irVersion: 7 });
      const file = writeFile(folder, bytesIn);
      const scheme = { dtype: 'int8', symmetric: true, granularity, range: 'minmax' } as const;
      const { bytes, out } = await exported(
        file,
        recipe('int8', { minElements: 0, default: scheme }),
      );
      const decoded = onnx.ModelProto.decode(bytes);
      const nodes = decoded.graph!.node!;
      const dequantize = nodes.find((made) => made.opType === 'DequantizeLinear')!;
      expect(dequantize.domain ?? '').toBe(domain);
      const imports = Object.fromEntries(
        decoded.opsetImport.map((entry) => [entry.domain ?? '', Number(entry.version)]),
      );
      expect(imports).toEqual(domain === '' ? { '': raised } : { '': raised, [domain]: 1 });
      const feeds = { x: { shape: [2, 64], dtype: 'float32' } } as const;
      const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
      expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(35);
    },
  );

  test.each<
    [
      string,
      Partial<SchemeFields>,
      { opset: number; ir: number; domain: string; zeroPoint: boolean },
      number,
    ]
  >([
    ['int16', { dtype: 'int16' }, { opset: 21, ir: 8, domain: '', zeroPoint: false }, 80],
    [
      'uint16, asymmetric',
      { dtype: 'uint16', symmetric: false },
      { opset: 21, ir: 8, domain: '', zeroPoint: true },
      80,
    ],
    ['int4', { dtype: 'int4' }, { opset: 21, ir: 10, domain: '', zeroPoint: false }, 12],
    [
      'int4 in blocks',
      { dtype: 'int4', granularity: { block: 32 } },
      { opset: 21, ir: 10, domain: '', zeroPoint: false },
      14,
    ],
    [
      'uint4 in blocks, asymmetric',
      { dtype: 'uint4', symmetric: false, granularity: { block: 16 } },
      { opset: 21, ir: 10, domain: '', zeroPoint: true },
      14,
    ],
    [
      'int8 in blocks',
      { dtype: 'int8', granularity: { block: 16 } },
      { opset: 21, ir: 8, domain: '', zeroPoint: false },
      35,
    ],
    [
      'int8, least error',
      { dtype: 'int8', range: 'mse' },
      { opset: 13, ir: 8, domain: '', zeroPoint: false },
      35,
    ],
    [
      'int8, entropy',
      { dtype: 'int8', range: 'entropy' },
      { opset: 13, ir: 8, domain: '', zeroPoint: false },
      10,
    ],
    [
      'q7',
      { dtype: 'q7', granularity: 'tensor' },
      { opset: 13, ir: 8, domain: '', zeroPoint: false },
      35,
    ],
    [
      'q15 with a shift',
      { dtype: 'q15', powerOfTwo: true },
      { opset: 21, ir: 8, domain: '', zeroPoint: false },
      70,
    ],
    [
      'float8 e4m3fn',
      { dtype: 'float8_e4m3fn' },
      { opset: 19, ir: 9, domain: '', zeroPoint: false },
      25,
    ],
    [
      'float8 e5m2',
      { dtype: 'float8_e5m2' },
      { opset: 19, ir: 9, domain: '', zeroPoint: false },
      20,
    ],
  ])(
    '%s is stored at the opset and IR version that have it, with zero points where they are not all 0, and answers nearly the same',
    async (_, scheme, expected, least) => {
      // 50 rows are no whole number of blocks, 31 columns no whole number of 4-bit pairs.
      const file = writeFile(folder, matMulModel(50, 31, { opset: 13 }));
      const { bytes, out } = await exported(
        file,
        recipe('int8', { minElements: 0, default: { ...findPreset('int8')!.default!, ...scheme } }),
      );
      const decoded = onnx.ModelProto.decode(bytes);
      expect(
        Number(decoded.opsetImport.find((entry) => (entry.domain ?? '') === '')!.version),
      ).toBe(expected.opset);
      expect(Number(decoded.irVersion)).toBe(expected.ir);
      const restoring = decoded.graph!.node![0]!;
      expect(restoring.domain ?? '').toBe(expected.domain);
      expect(decoded.graph!.initializer!.some((tensor) => tensor.name === 'w_zero_point')).toBe(
        expected.zeroPoint,
      );
      const feeds = { x: { shape: [2, 50], dtype: 'float32' } } as const;
      const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
      expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(least);
    },
  );

  test.each(['int16', 'uint16', 'int4', 'uint4'] as const)(
    '%s per channel in a file that cannot be raised is of com.microsoft, blocks are multiplied out',
    async (dtype) => {
      const file = writeFile(folder, held(11));
      const base = findPreset('int8')!.default!;
      const { bytes, out } = await exported(
        file,
        recipe('int8', { minElements: 0, default: { ...base, dtype } }),
      );
      const restoring = onnx.ModelProto.decode(bytes).graph!.node![0]!;
      expect(restoring).toMatchObject({ opType: 'DequantizeLinear', domain: 'com.microsoft' });
      await runOnnx(out, { x: { shape: [2, 64], dtype: 'float32' } });
      const blocked = { ...base, dtype, granularity: { block: 32 } };
      // 64 rows are two blocks of 32, two of 48 with the second cut short, and a part of one of 128.
      for (const block of [32, 48, 128]) {
        const scheme = { ...blocked, granularity: { block } };
        const blocks = await exported(file, recipe('int8', { minElements: 0, default: scheme }));
        const feeds = { x: { shape: [2, 64], dtype: 'float32' } } as const;
        const [source, answer] = [await runOnnx(file, feeds), await runOnnx(blocks.out, feeds)];
        const ops = onnx.ModelProto.decode(blocks.bytes).graph!.node!.map(({ opType }) => opType);
        expect(ops.includes('Reshape')).toBe(block === 32);
        expect(ops.includes('Gather')).toBe(block === 48);
        const least = dtype.endsWith('4') ? 12 : 70;
        expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(least);
      }
    },
  );

  test('blocks raise a file below opset 7 to where arithmetic broadcasts, or are refused', async () => {
    // Softmax changed at 13; LSTM, which changed at 7, holds the second file back.
    const softmax = node('Softmax', ['x'], ['h']);
    const held = node('LSTM', ['', '', ''], ['unused']);
    for (const nodes of [[softmax], [softmax, held]]) {
      const graph = {
        node: [...nodes, node('MatMul', ['h', 'w'], ['y'])],
        initializer: [floatTensor('w', [64, 64], randomValues(4096, 3))],
        input: [value('x', [2, 64])],
        output: [value('y', [2, 64])],
      };
      const file = writeFile(folder, model(graph, { opset: 6, irVersion: 7 }));
      const { refused, out, bytes } = await exported(file, small('int4-block32'));
      const { opsetImport } = onnx.ModelProto.decode(bytes);
      const isHeld = nodes.length > 1;
      expect(Number(opsetImport[0]!.version)).toBe(isHeld ? 6 : 7);
      if (isHeld)
        expect(refused.join()).toMatch(
          /Mul spreads the scales of blocks from opset 7 on, and the file is at opset 6/,
        );
      else await runOnnx(out, { x: { shape: [2, 64], dtype: 'float32' } });
    }
  });

  test('before IR version 4 the new initializers are graph inputs too, from it on the old input goes', async () => {
    for (const irVersion of [3, 8]) {
      const w = floatTensor('w', [64, 64], randomValues(4096, 3));
      const graph = {
        node: [node('MatMul', ['x', 'w'], ['y'])],
        initializer: [w],
        input: [value('x', [1, 64]), value('w', [64, 64])],
        output: [value('y', [1, 64])],
      };
      const file = writeFile(folder, model(graph, { irVersion, opset: irVersion === 3 ? 8 : 13 }));
      const { bytes, out } = await exported(file, small('int8'));
      const inputs = onnx.ModelProto.decode(bytes).graph!.input!.map((input) => input.name);
      expect(inputs).toEqual(irVersion === 3 ? ['x', 'w_quantized', 'w_scale'] : ['x']);
      await runOnnx(out, { x: { shape: [1, 64], dtype: 'float32' } });
    }
  });

  test('float16 and float64 weights come back in their own type', async () => {
    for (const [dataType, width] of [
      [10, 2],
      [11, 8],
    ] as const) {
      const raw = new Uint8Array(4096 * width);
      const values = randomValues(4096, 11);
      const view = new DataView(raw.buffer);
      // Halves in [0.5, 1): exponent 14 and the value's bits as fraction.
      for (const [index, number] of values.entries())
        if (width === 8) view.setFloat64(index * 8, number, true);
        else view.setUint16(index * 2, (14 << 10) | Math.floor(Math.abs(number) * 1024), true);
      const graph = {
        node: [node('MatMul', ['x', 'w'], ['y'])],
        initializer: [{ name: 'w', dims: [64, 64], dataType, rawData: raw }],
        input: [value('x', [1, 64], dataType)],
        output: [value('y', [1, 64], dataType)],
      };
      const { bytes } = await exported(writeFile(folder, model(graph)), small('int8'));
      const made = onnx.ModelProto.decode(bytes).graph!.node!.map((entry) => entry.opType);
      expect(made).toEqual(['DequantizeLinear', 'Cast', 'MatMul']);
      const { default: ort } = await import('onnxruntime-node');
      await (await ort.InferenceSession.create(Buffer.from(bytes), ONE_THREAD)).release();
    }
  });

  test('int32 with zero points is refused: DequantizeLinear has none for it', async () => {
    const graph = {
      node: [node('MatMul', ['x', 'w'], ['y'])],
      initializer: [
        {
          name: 'w',
          dims: [64, 64],
          dataType: 11,
          rawData: new Uint8Array(Float64Array.from(randomValues(4096, 2)).buffer),
        },
      ],
      input: [value('x', [1, 64], 11)],
      output: [value('y', [1, 64], 11)],
    };
    const file = writeFile(folder, model(graph));
    const scheme = { ...findPreset('int8')!.default!, dtype: 'int32' } as const;
    const symmetric = await exported(file, recipe('int8', { minElements: 0, default: scheme }));
    expect(onnx.ModelProto.decode(symmetric.bytes).graph!.node!.map((made) => made.opType)).toEqual(
      ['DequantizeLinear', 'Cast', 'MatMul'],
    );
    const { refused } = await exported(
      file,
      recipe('int8', { minElements: 0, default: { ...scheme, symmetric: false } }),
    );
    expect(refused.join()).toMatch(/int32 with zero point 0 only/);
  });

  test('names that are taken are not taken again', async () => {
    const graph = {
      node: [
        constant('w_scale', floatTensor('', [1], [2])),
        node('MatMul', ['x', 'w'], ['h']),
        node('Mul', ['h', 'w_scale'], ['y']),
      ],
      initializer: [floatTensor('w', [64, 64], randomValues(4096, 3))],
      input: [value('x', [1, 64])],
      output: [value('y', [1, 64])],
    };
    const { out, bytes } = await exported(writeFile(folder, model(graph)), small('int8'));
    expect(
      onnx.ModelProto.decode(bytes).graph!.initializer!.map((tensor) => tensor.name),
    ).toContain('w_scale_1');
    await runOnnx(out, { x: { shape: [1, 64], dtype: 'float32' } });
  });

  test('a weight in a function body is replaced there, and the function imports what it now needs', async () => {
    const body = concat(
      text(1, 'Linear'),
      text(4, 'x'),
      text(5, 'y'),
      message(
        7,
        onnx.NodeProto.encode(
          constant('w', floatTensor('', [64, 64], randomValues(4096, 3))),
        ).finish(),
      ),
      message(7, onnx.NodeProto.encode(node('MatMul', ['x', 'w'], ['y'])).finish()),
      message(9, text(1, ''), integer(2, 12)),
      text(10, 'local'),
    );
    const graph = {
      node: [node('Linear', ['x'], ['y'], { domain: 'local' })],
      input: [value('x', [1, 64])],
      output: [value('y', [1, 64])],
    };
    const file = writeFile(
      folder,
      concat(
        model(graph, { opset: 12, imports: [{ domain: 'local', version: 1 }] }),
        message(25, body),
      ),
    );
    const { out } = await exported(file, small('int8'));
    const feeds = { x: { shape: [1, 64], dtype: 'float32' } } as const;
    const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(35);
    expect(outputSqnr(source['y']!, answer['y']!)).toBeLessThan(80);
  });

  test('unknown fields in the model, the graph and its nodes are kept', async () => {
    const unknown = message(987, [1, 2, 3]);
    const graph = concat(
      message(1, onnx.NodeProto.encode(node('MatMul', ['x', 'w'], ['y'])).finish(), unknown),
      message(
        5,
        onnx.TensorProto.encode(floatTensor('w', [64, 64], randomValues(4096, 3))).finish(),
      ),
      unknown,
    );
    const file = writeFile(
      folder,
      concat(integer(1, 8), message(8, integer(2, 13)), message(7, graph), unknown),
    );
    const { bytes } = await exported(file, small('int8'));
    expect(splitFields(bytes).filter(({ field }) => field === 987)).toHaveLength(1);
    const inner = splitFields(graphOf(bytes));
    expect(inner.filter(({ field }) => field === 987)).toHaveLength(1);
    expect(
      inner.filter(
        ({ field, payload }) => field === 1 && Buffer.from(payload).includes(Buffer.from(unknown)),
      ),
    ).toHaveLength(1);
  });
});

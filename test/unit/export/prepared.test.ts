import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { PreparedModel } from '../../../electron/engine/calibrate/prepared.ts';
import { PreparedView } from '../../../electron/engine/prepared-view.ts';
import { Session } from '../../../electron/engine/session.ts';
import { StaticModel } from '../../../electron/engine/static-model.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { writeExternalModel } from '../../helpers/external-model.ts';
import { LOCAL, functionModel } from '../../helpers/onnx-functions.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { TORCH_LSTM, torchLstm } from '../../helpers/torch-lstm.ts';

const folder = temporaryFolder();
const pool = testPool();
const { signal } = new AbortController();
const int8 = recipe('int8', { minElements: 0 });
const lstm = writeFile(folder, torchLstm());
const feeds = {
  x: { shape: [TORCH_LSTM.steps, 1, TORCH_LSTM.inputs], dtype: 'float32' as const },
};

/** Export the model itself, or by way of its prepared copy, held against its preview and its analysis. */
async function exported(file: string, mode: ExportMode, wanted: Recipe = int8, prepare = true) {
  const source = Session.open(file, pool);
  const copy = prepare ? await PreparedModel.make(source, pool, sharedRuntime, { signal }) : null;
  try {
    const from = copy === null ? source : new PreparedView(source, copy);
    const out = path.join(folder, `${mode}-${prepare}-${path.basename(file)}`);
    const named = { ...wanted, ...(prepare ? { prepare } : {}) };
    const preview = await from.previewExport(named, mode, { signal });
    const result = await from.export(named, mode, out, { signal, overwrite: true });
    const { reports, total } = await from.analyze(named, { signal, mode });
    const bytes = fs.readFileSync(out);
    const sides = fs
      .readdirSync(folder)
      .filter((name) => name.startsWith(`${path.basename(out)}.`));
    const beside = sides.reduce((sum, name) => sum + fs.statSync(path.join(folder, name)).size, 0);
    expect(bytes.length + beside).toBe(result.bytesAfter);
    // A side file's name is in the model: the preview has the suggested one.
    if (beside === 0) expect(preview.bytesAfter).toBe(result.bytesAfter);
    expect(result.preparation).toEqual(preview.preparation);
    const figures = new Map(
      reports.map((report) => [from.tensors[report.tensor]!.name, report] as const),
    );
    const graph = onnx.ModelProto.decode(bytes).graph!;
    return { out, result, total, figures, graph, ops: graph.node!.map(({ opType }) => opType) };
  } finally {
    copy?.close();
    source.close();
  }
}

/** x -> Conv -> BatchNormalization -> Relu -> y. */
function normalized(): string {
  const channels = (name: string, seed: number) =>
    floatTensor(
      name,
      [16],
      randomValues(16, seed).map((each) => Math.abs(each) + 0.5),
    );
  const graph = {
    node: [
      node('Conv', ['x', 'w'], ['c'], { name: 'conv' }),
      node('BatchNormalization', ['c', 'gamma', 'beta', 'mean', 'var'], ['n']),
      node('Relu', ['n'], ['y']),
    ],
    input: [value('x', [1, 8, 8, 8])],
    output: [value('y', [1, 16, 6, 6])],
    initializer: [
      floatTensor('w', [16, 8, 3, 3], randomValues(1152, 1)),
      ...[channels('gamma', 2), channels('beta', 3), channels('mean', 4), channels('var', 5)],
    ],
  };
  return writeFile(folder, model(graph));
}

describe("a torch LSTM, whose R is a Concat of an initializer's Slices", () => {
  test.each(['qdq', 'dynamic'] as const)(
    'mode %s quantizes R once it is prepared',
    async (mode) => {
      const prepared = await exported(lstm, mode);
      expect(prepared.figures.get('R')).toMatchObject({
        ...{ quantized: true, scheme: { dtype: 'int8' }, bytesBefore: 0 },
      });
      expect(prepared.figures.get('weight_hh')).toMatchObject({
        ...{
          quantized: false,
          bytesAfter: 0,
          reason: expect.stringMatching(/when the model was prepared/) as string,
        },
      });
      expect(prepared.ops).toContain(mode === 'dynamic' ? 'DynamicQuantizeLSTM' : 'LSTM');
      for (const op of ['Slice', 'Concat']) expect(prepared.ops).not.toContain(op);
      const [before, after] = [await runOnnx(lstm, feeds), await runOnnx(prepared.out, feeds)];
      expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(30);
    },
  );

  test('without preparation its weights are restored to float in mode dynamic, and the Concat stays', async () => {
    const { ops, figures } = await exported(lstm, 'dynamic', int8, false);
    expect(ops).toContain('LSTM');
    expect(ops).toContain('Concat');
    expect(figures.get('weight_hh')!.reason).toMatch(/^restored to float: the weight reaches LSTM/);
  });

  test('says what preparing changed, and what the copy gives on the checked samples', async () => {
    const { result, total, graph } = await exported(lstm, 'qdq');
    expect(result.preparation).toMatchObject({
      ...{ operators: { before: 11, after: 1 }, constants: 2, normalizations: 0, functions: 0 },
      check: { samples: 2, unchecked: null },
    });
    const stored = graph.initializer!.reduce((sum, { rawData }) => sum + rawData!.length, 0);
    expect(total.bytesAfter).toBe(stored);
    expect(result.preparation!.check.sqnrDb).toBeGreaterThan(120);
    expect(total).toMatchObject({ quantized: 2, kept: 0 });
  });
});

describe('a prepared export', () => {
  const int4 = recipe('int4-block32', { minElements: 0 });

  test.each<[ExportMode, Recipe]>([
    ['qdq', int8],
    ['dynamic', int8],
    ['float', recipe('float16', { minElements: 0 })],
    ['float16', recipe('float16')],
    ['nbits', int4],
  ])(
    'has its normalizations fused in mode %s, and its weights under the names of the source',
    async (mode, wanted) => {
      const rules = [{ match: { name: '^w$' }, scheme: {} }];
      const file = normalized();
      const { out, result, ops, figures, total, graph } = await exported(file, mode, {
        ...wanted,
        rules,
      });
      expect(ops).not.toContain('BatchNormalization');
      expect(result.preparation).toMatchObject({
        ...{ operators: { before: 3, after: 2 }, normalizations: 1, constants: 0, opsets: [] },
      });
      expect(figures.get('w')).toMatchObject({ quantized: true, byRule: true });
      expect(figures.get('beta')).toMatchObject({ bytesBefore: 64 });
      for (const name of ['gamma', 'mean', 'var'])
        expect(figures.get(name)).toMatchObject({
          ...{ folded: true, quantized: false, bytesAfter: 0, reason: 'folded into Conv conv' },
        });
      expect(total.quantized + total.kept).toBe(2);
      if (mode === 'qdq')
        expect(graph.initializer!.reduce((sum, { rawData }) => sum + rawData!.length, 0)).toBe(
          total.bytesAfter,
        );
      const shape = { x: { shape: [1, 8, 8, 8], dtype: 'float32' as const } };
      const [before, after] = [await runOnnx(file, shape), await runOnnx(out, shape)];
      expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(20);
    },
  );

  test('imports no operator set that its source does not use', async () => {
    const { out } = await exported(normalized(), 'qdq');
    const { opsetImport } = onnx.ModelProto.decode(fs.readFileSync(out));
    expect(opsetImport.map(({ domain }) => domain)).toEqual(['']);
  });

  test('is the source where constants take more than codes save, and says so', async () => {
    const shape = {
      name: 'shape',
      dims: [2],
      dataType: 7,
      rawData: new Uint8Array(BigInt64Array.of(512n, 64n).buffer),
    };
    const file = writeFile(
      folder,
      model({
        node: [node('Expand', ['row', 'shape'], ['w']), node('MatMul', ['x', 'w'], ['y'])],
        initializer: [floatTensor('row', [1, 64], randomValues(64, 1)), shape],
        input: [value('x', [2, 512])],
        output: [value('y', [2, 64])],
      }),
    );
    const { out, result, figures } = await exported(file, 'qdq');
    expect(fs.readFileSync(out).equals(fs.readFileSync(file))).toBe(true);
    expect(result).toMatchObject({ quantized: 0, bytesAfter: fs.statSync(file).size });
    expect(result.preparation).toBeUndefined();
    const reason =
      /^the whole export would be at least as large as its source: preparing it adds \d+ bytes$/;
    expect(figures.get('w')!.reason).toMatch(reason);
    expect(result.keptByReason.map((each) => each.reason)).toContainEqual(
      expect.stringMatching(reason),
    );
  });

  test('says how many calls of functions were replaced, and which operator sets those use', async () => {
    const twice = (input: string, output: string) =>
      node('Twice', [input, 'w'], [output], { domain: LOCAL });
    const file = writeFile(
      folder,
      functionModel(
        {
          node: [twice('x', 'h'), twice('h', 'y')],
          initializer: [floatTensor('w', [32, 32], randomValues(1024, 1))],
          input: [value('x', [2, 32])],
          output: [value('y', [2, 32])],
        },
        [
          {
            name: 'Twice',
            inputs: ['a', 'm'],
            outputs: ['b'],
            nodes: [node('MatMul', ['a', 'm'], ['c']), node('MatMul', ['c', 'm'], ['b'])],
          },
        ],
      ),
    );
    const { result, ops } = await exported(file, 'qdq');
    expect(result.preparation).toMatchObject({ functions: 2, operators: { before: 2, after: 4 } });
    expect(ops.filter((op) => op === 'MatMul')).toHaveLength(4);
  });

  test('of a model with external data has a side file of its own', async () => {
    const file = writeExternalModel(folder, 'prepared-external');
    const { out, result, figures } = await exported(file, 'qdq');
    expect(figures.get('w1')).toMatchObject({ quantized: true });
    expect(fs.existsSync(`${out}.data`)).toBe(true);
    expect(result.bytesAfter).toBeLessThan(result.bytesBefore / 3);
    const shape = { x: { shape: [2, 128], dtype: 'float32' as const } };
    const [before, after] = [await runOnnx(file, shape), await runOnnx(out, shape)];
    expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(30);
  });
});

test('the tensors of a static analysis take what the file stores, but for the parameters of activations', async () => {
  const file = normalized();
  const source = Session.open(file, pool);
  const copy = await PreparedModel.make(source, pool, sharedRuntime, { signal });
  const wanted = recipe('static-int8');
  const ranges = await copy.calibrate({ inputs: null, samples: 2, seed: 1 }, { signal });
  copy.use(ranges);
  const calibrated = new StaticModel(source, copy, ranges);
  const out = path.join(folder, 'static.onnx');
  await calibrated.export(wanted, 'static', out, { signal });
  const { total } = await calibrated.analyze(wanted, { signal, mode: 'static' });
  const beside = calibrated.storedActivations(wanted);
  copy.close();
  source.close();
  const { initializer } = onnx.ModelProto.decode(fs.readFileSync(out)).graph!;
  const stored = initializer!.reduce((sum, { rawData }) => sum + rawData!.length, 0);
  expect(beside).toEqual({ values: 2, bytes: 10 });
  expect(total.bytesAfter + beside.bytes).toBe(stored);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { reducedHistogram } from '../../../electron/engine/activations.ts';
import type { Runtime } from '../../../electron/engine/runtime/host.ts';
import { EngineServer } from '../../../electron/engine/server.ts';
import { HISTOGRAM_BINS, RANGE_METHODS, type BestRange } from '../../../shared/ranges.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { TensorFigures } from '../../../shared/report.ts';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { Page } from '../../helpers/engine-page.ts';
import { recipe } from '../../helpers/export.ts';
import { floats, floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { npyFile } from '../../helpers/npy.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const int8 = recipe('static-int8');

/** x -> Conv -> BatchNormalization -> Relu -> Conv -> Mul by a computed gate -> y. */
function network(): string {
  const channels = (name: string, seed: number) =>
    floatTensor(
      name,
      [16],
      randomValues(16, seed).map((each) => Math.abs(each) + 0.5),
    );
  return writeFile(
    folder,
    model({
      node: [
        node('Conv', ['x', 'w1'], ['c1'], { name: 'conv1' }),
        node('BatchNormalization', ['c1', 'gamma', 'beta', 'mean', 'var'], ['n1'], { name: 'bn1' }),
        node('Relu', ['n1'], ['r1'], { name: 'relu1' }),
        node('Conv', ['r1', 'w2'], ['c2'], { name: 'conv2' }),
        node('Sigmoid', ['c2'], ['gate'], { name: 'sigmoid' }),
        node('Mul', ['c2', 'gate'], ['y'], { name: 'mul' }),
      ],
      input: [value('x', [1, 3, 8, 8])],
      output: [value('y', [1, 8, 4, 4])],
      initializer: [
        floatTensor('w1', [16, 3, 3, 3], randomValues(432, 1)),
        ...[channels('gamma', 2), channels('beta', 3), channels('mean', 4), channels('var', 5)],
        floatTensor('w2', [8, 16, 3, 3], randomValues(1152, 6)),
      ],
    }),
  );
}

async function opened(runtime: Runtime = sharedRuntime) {
  const server = new EngineServer(pool, runtime);
  const grant = (handle: string, file: string, use: 'read' | 'write' = 'read') =>
    server.grant({ type: 'grant', handle, path: file, use });
  grant('model', network());
  const page = new Page(server);
  const { tensors, modes } = await page.ask('open', { handle: 'model' });
  const idOf = (name: string) => tensors.find((each) => each.name === name)!.id;
  return { page, tensors, modes, idOf, grant };
}

const random = { inputs: null, samples: 3, seed: 1 };
const forStatic = { handle: 'model', mode: 'static', choosesCodes: false } as const;

async function reports(
  page: Page,
  wanted: Recipe,
  mode: ExportMode = 'static',
): Promise<ReadonlyMap<number, TensorFigures>> {
  const params = { handle: 'model', side: 'a', recipe: wanted, mode, first: [] } as const;
  const { id, answer } = page.request('analyze', params);
  await answer;
  const sent = page.messages.flatMap((message) =>
    message.type === 'reports' && message.id === id ? message.reports : [],
  );
  return new Map(sent.map((report) => [report.tensor, report]));
}

describe('codes that are chosen on samples in the window', () => {
  const gptq: Recipe = {
    ...int8,
    ...{ name: 'gptq', minElements: 0 },
    default: { ...int8.default!, dtype: 'int4', range: 'mse', algorithm: 'gptq' },
  };
  const wanted = { handle: 'model', ...random, recipe: gptq, choosesCodes: true };

  test.each(['qdq', 'static'] as const)('mode %s', async (mode) => {
    const best = recipe('static-int8-best', { minElements: 0 });
    const chosen = mode === 'qdq' ? gptq : best;
    const { page, idOf } = await opened();
    const found = await page.ask('calibrate', { ...wanted, recipe: chosen, mode });
    expect(found).toMatchObject({ samples: 3, weights: 2 });
    expect(found.values > 0).toBe(mode === 'static');
    const all = await reports(page, chosen, mode);
    for (const name of ['w1', 'w2']) {
      expect(all.get(idOf(name))).toMatchObject({ scheme: { algorithm: 'gptq' }, reason: null });
      const params = { handle: 'model', tensor: idOf(name), a: chosen, b: null, mode, bins: 8 };
      const { a } = await page.ask('inspect', params);
      expect(a!.report.mse).toBe(all.get(idOf(name))!.mse);
    }
  });

  test('are the nearest ones before', async () => {
    const { page, idOf } = await opened();
    const all = await reports(page, gptq, 'qdq');
    const reason = "rounded to nearest: GPTQ needs samples of the model's inputs";
    expect(all.get(idOf('w1'))).toMatchObject({ reason });
  });
});

describe('mode static in the window', () => {
  test('is offered, and asks for samples before the model is calibrated', async () => {
    const { page, modes } = await opened();
    expect(modes).toContain('static');
    const asked = page.ask('previewExport', { handle: 'model', recipe: int8, mode: 'static' });
    await expect(asked).rejects.toThrow('mode static needs samples; calibrate the model first');
  });

  test('tells of the source: fused weights by their names, and where the others were folded', async () => {
    const { page, tensors, idOf } = await opened();
    const found = await page.ask('calibrate', { ...forStatic, ...random, recipe: int8 });
    expect(found).toMatchObject({ samples: 3, skipped: 0 });
    const all = await reports(page, int8);
    expect([...all.keys()].sort((a, b) => a - b)).toEqual(tensors.map(({ id }) => id));
    expect(all.get(idOf('w1'))).toMatchObject({ quantized: true, scheme: { dtype: 'int8' } });
    expect(all.get(idOf('beta'))).toMatchObject({ quantized: true, scheme: { dtype: 'int32' } });
    // The bias makes up for the rounded weight, which it differs by.
    expect(all.get(idOf('beta'))!.sqnrDb).toBeGreaterThan(40);
    for (const name of ['gamma', 'mean', 'var'])
      expect(all.get(idOf(name))).toMatchObject({
        ...{ quantized: false, bytesAfter: 0, reason: 'folded into Conv conv1' },
      });
    const detail = { handle: 'model', a: int8, b: null, mode: 'static', bins: 16 } as const;
    const fused = await page.ask('inspect', { ...detail, tensor: idOf('w1') });
    expect(fused).toMatchObject({ tensor: idOf('w1'), a: { report: { quantized: true } } });
    const scales = { handle: 'model', recipe: int8, mode: 'static' } as const;
    const whole = await page.ask('scales', { ...scales, tensor: idOf('w1') });
    expect([...whole.scale]).toEqual(fused.a!.scales.first.scale);
    expect(await page.ask('scales', { ...scales, tensor: idOf('gamma') })).toEqual({
      ...{ scale: [], zeroPoint: [] },
    });
    const channels = await page.ask('channels', { ...scales, tensor: idOf('w1') });
    expect([...channels!.sqnrDb!]).toEqual(fused.a!.channelSqnr!.first);
    expect(await page.ask('channels', { ...scales, tensor: idOf('gamma') })).toBeNull();
    const gone = await page.ask('inspect', { ...detail, tensor: idOf('gamma') });
    expect(gone.a!.report).toMatchObject({ reason: 'folded into Conv conv1', quantized: false });
    expect(gone.statistics.elements).toBe(16);
  });

  test('applies a rule by the name that the source gives a fused weight', async () => {
    const { page, idOf } = await opened();
    await page.ask('calibrate', { ...forStatic, ...random, recipe: int8 });
    const rules = [{ match: { name: '^w1$' }, scheme: null }];
    const all = await reports(page, recipe('static-int8', { rules }));
    expect(all.get(idOf('w1'))).toMatchObject({ quantized: false, reason: 'kept by a rule' });
    expect(all.get(idOf('w2'))!.quantized).toBe(true);
  });

  test("gives each layer's output: its observed range, its codes behind the Relu, and ranges that were searched", async () => {
    const { page, idOf } = await opened();
    await page.ask('calibrate', { ...forStatic, ...random, recipe: int8 });
    const layers = await page.ask('activations', { handle: 'model', recipe: int8 });
    expect(layers.map(({ tensor, value: name }) => [tensor, name])).toEqual([
      [idOf('w1'), 'r1'],
      [idOf('w2'), 'c2'],
    ]);
    const [first] = layers;
    expect(first).toMatchObject({ operator: 'conv1', op: 'Conv', observed: { min: 0 } });
    expect(first!.quantized).toMatchObject({ zeroPoint: 0, low: 0, scheme: { dtype: 'uint8' } });
    const asked = { handle: 'model', tensor: idOf('w1'), recipe: int8, bins: 64 };
    const detail = (await page.ask('inspectActivation', asked))!;
    expect(detail.histogram!.counts.reduce((sum, count) => sum + count, 0)).toBe(
      detail.statistics!.count,
    );
    const ranges = new Map(detail.ranges.map((each) => [each.method, each]));
    expect([...ranges.keys()]).toEqual([
      ...['minmax', 'percentile 99.999', 'percentile 99.99', 'percentile 99.9', 'mse', 'entropy'],
    ]);
    expect(ranges.get('minmax')).toMatchObject({ lo: 0, hi: first!.observed!.max });
    expect(ranges.get('mse')!.sqnrDb!).toBeGreaterThanOrEqual(ranges.get('minmax')!.sqnrDb!);
    expect(detail.sqnrDb!).toBeCloseTo(ranges.get('percentile 99.99')!.sqnrDb!, 1);
  });

  test('a rule of an operator sets the range of its output, or keeps it in float and says so', async () => {
    const { page } = await opened();
    await page.ask('calibrate', { ...forStatic, ...random, recipe: int8 });
    const of = async (activations: { range: { clip: [number, number] } } | null) => {
      const rules = [{ match: { name: '^conv2$' }, activations }];
      const wanted = recipe('static-int8', { rules });
      return (await page.ask('activations', { handle: 'model', recipe: wanted }))[1]!;
    };
    const clipped = await of({ range: { clip: [-1, 2] } });
    expect(clipped.quantized!.high - clipped.quantized!.low).toBeCloseTo(3, 5);
    const kept = await of(null);
    expect(kept).toMatchObject({ quantized: null, reason: 'kept in float by a rule' });
  });

  test('exports the calibrated model, and says which operators stay in float', async () => {
    const { page, grant } = await opened();
    await page.ask('calibrate', { ...forStatic, ...random, recipe: int8 });
    const asked = { handle: 'model', recipe: int8, mode: 'static' } as const;
    const preview = await page.ask('previewExport', asked);
    expect(preview.outline).toMatchObject({ activations: 3, integerOperators: 2 });
    expect(preview.outline!.float.map(({ ops }) => ops)).toContainEqual(['Sigmoid']);
    const out = path.join(folder, 'out.onnx');
    grant('out', out, 'write');
    const result = await page.ask('export', { ...asked, target: 'out', overwrite: true });
    expect(result).toMatchObject({ bytesAfter: fs.statSync(out).size, integerOperators: 2 });
    expect(result.bytesBefore).toBe(preview.bytesBefore);
    const verified = await page.ask('verify', {
      ...{ handle: 'model', exported: 'out', samples: 1, seed: 0, inputs: null },
    });
    expect(verified.outputs[0]!.sqnrDb).toBeGreaterThan(20);
    expect(verified.kernels!.integer).toBeGreaterThanOrEqual(2);
  });

  test('describes the samples of a folder, and takes as many of them as asked', async () => {
    const { page, grant } = await opened();
    const samples = path.join(folder, 'samples');
    fs.mkdirSync(samples);
    for (let at = 0; at < 4; at++)
      fs.writeFileSync(
        path.join(samples, `${at}.npy`),
        npyFile('<f4', [1, 3, 8, 8], floats(randomValues(192, at))),
      );
    grant('samples', samples);
    const asked = { handle: 'model', inputs: ['samples'], samples: 3, seed: 0, recipe: int8 };
    const { description, previews } = await page.ask('describeSamples', asked);
    expect(description).toMatchObject({ count: 4, kinds: [{ kind: 'npy', samples: 4 }] });
    expect(description.inputs).toMatchObject([{ name: 'x', dims: [1, 3, 8, 8], from: 'files' }]);
    expect(previews).toEqual([]);
    const found = await page.ask('calibrate', { ...forStatic, ...asked });
    expect(found).toMatchObject({ samples: 3, warnings: [] });
  });

  test('ranges are saved, and take the place of samples for the same model only', async () => {
    const first = await opened();
    const found = await first.page.ask('calibrate', { ...forStatic, ...random, recipe: int8 });
    const file = path.join(folder, 'saved.ranges.json');
    first.grant('target', file, 'write');
    await first.page.ask('saveRanges', { handle: 'model', target: 'target', recipe: int8 });

    const second = await opened();
    second.grant('ranges', file);
    const asked = { handle: 'model', file: 'ranges' };
    expect(await second.page.ask('openRanges', asked)).toEqual({
      ...found,
      isRandom: false,
      warnings: [],
    });
    const figures = await reports(second.page, int8);
    expect(figures).toEqual(await reports(first.page, int8));
    // One name in common, as x is, makes no model the same.
    const text = fs.readFileSync(file, 'utf8');
    fs.writeFileSync(
      file,
      text.replaceAll('"name":"', '"name":"other/').replace('"name":"other/', '"name":"'),
    );
    await expect(second.page.ask('openRanges', asked)).rejects.toThrow(
      'holds ranges of another model',
    );
    fs.writeFileSync(file, '{"version": 2}');
    await expect(second.page.ask('openRanges', asked)).rejects.toThrow('holds no ranges');
  });

  describe('range methods by the outputs', () => {
    const best = recipe('static-int8-best', { minElements: 0 });
    /** A tenth of the values is cut off, which every sample tells. */
    const narrow: Recipe = {
      ...best,
      activations: { ...best.activations!, range: { percentile: 90 } },
    };

    async function calibrated(wanted: Recipe, samples: number) {
      const window = await opened();
      await window.page.ask('calibrate', {
        ...{ ...forStatic, ...random, samples, choosesCodes: true },
        ...{ recipe: wanted, rangeOf: wanted },
      });
      return window;
    }

    async function bestRangeOf(page: Page, wanted: Recipe) {
      const of = { handle: 'model', recipe: wanted, mode: 'static' } as const;
      return (await page.ask('previewExport', of)).outline!.bestRange;
    }

    const layersOf = (page: Page, wanted: Recipe) =>
      page.ask('activations', { handle: 'model', recipe: wanted });

    /** The recipe with the range named, and the codes that were chosen with it. */
    function named(wanted: Recipe, { range, isNearest }: BestRange): Recipe {
      const algorithm = isNearest ? 'nearest' : 'gptq';
      return {
        ...wanted,
        default: { ...wanted.default!, algorithm },
        activations: { ...wanted.activations!, range, rangeByOutputs: false },
      };
    }

    test('a range that loses less beyond chance is chosen, told and saved, and codes that lose less by chance are not', async () => {
      const { page, grant } = await calibrated(narrow, 12);
      const found = (await bestRangeOf(page, narrow))!;
      const { tried, range, isNearest } = found;
      const [gptq, nearest, ...others] = tried;
      expect([gptq, nearest]).toMatchObject([
        { range: { percentile: 90 }, isNearest: false },
        { range: { percentile: 90 }, isNearest: true },
      ]);
      expect([isNearest, nearest!.sqnrDb! > gptq!.sqnrDb!]).toEqual([false, true]);
      expect(nearest!.sqnrDb! - gptq!.sqnrDb!).toBeLessThan(0.5);
      expect(others.map((each) => each.range)).toEqual(RANGE_METHODS);
      expect(others.every((each) => each.isNearest === isNearest)).toBe(true);
      const least = Math.max(...others.map(({ sqnrDb }) => sqnrDb!));
      expect(others.find((each) => each.sqnrDb === least)!.range).toEqual(range);
      const layers = await layersOf(page, narrow);
      expect(layers).toEqual(await layersOf(page, named(narrow, found)));
      expect(await reports(page, narrow)).toEqual(await reports(page, named(narrow, found)));

      const file = path.join(folder, 'best.ranges.json');
      grant('target', file, 'write');
      await page.ask('saveRanges', { handle: 'model', target: 'target', recipe: narrow });
      const second = await opened();
      second.grant('ranges', file);
      await second.page.ask('openRanges', { handle: 'model', file: 'ranges' });
      expect(await layersOf(second.page, narrow)).toEqual(layers);
      expect(await bestRangeOf(second.page, narrow)).toEqual(found);
    });

    test("the recipe's own stays where the samples are too few to tell", async () => {
      const { page } = await calibrated(narrow, 3);
      const { range, tried } = (await bestRangeOf(page, narrow))!;
      expect(range).toEqual({ percentile: 90 });
      expect(tried.length).toBe(2 + RANGE_METHODS.length);
    });

    test('is neither taken nor shown for other activations than it was measured for, nor where a range is named', async () => {
      const { page } = await calibrated(narrow, 12);
      const changes = [{ dtype: 'int8' }, { symmetric: true }] as const;
      for (const change of changes) {
        const other = { ...narrow, activations: { ...narrow.activations!, ...change } };
        const { dtype, symmetric } = other.activations;
        expect(await bestRangeOf(page, other)).toEqual({
          ...{ range: { percentile: 90 }, of: { dtype, symmetric }, isNearest: false, tried: [] },
        });
        const own = { ...other, activations: { ...other.activations, rangeByOutputs: false } };
        expect(await layersOf(page, other)).toEqual(await layersOf(page, own));
      }
      expect((await bestRangeOf(page, narrow))!.range).not.toEqual({ percentile: 90 });
      expect(await bestRangeOf(page, int8)).toBeUndefined();
    });
  });

  test('a runtime that dies is an error, and the model can be calibrated afterwards', async () => {
    const script = path.join(folder, 'dies.cjs');
    fs.writeFileSync(script, `process.on('message', () => process.kill(process.pid, 'SIGKILL'));`);
    const { page } = await opened(script);
    const asked = { ...forStatic, ...random, recipe: int8 };
    await expect(page.ask('calibrate', asked)).rejects.toThrow('onnxruntime crashed');
    fs.writeFileSync(script, `require(${JSON.stringify(RUNTIME_SCRIPT)})`);
    expect(await page.ask('calibrate', asked)).toMatchObject({ samples: 3 });
  });

  test('a calibration that is cancelled leaves the one before', async () => {
    const { page } = await opened();
    const asked = { ...forStatic, ...random, recipe: int8 };
    await page.ask('calibrate', asked);
    const { id, answer } = page.request('calibrate', { ...asked, samples: 1000 });
    page.cancel(id);
    expect(await answer).toMatchObject({ type: 'error', error: { code: 'CANCELLED' } });
    const layers = await page.ask('activations', { handle: 'model', recipe: int8 });
    expect(layers).toHaveLength(2);
  });
});

test('a reduced histogram spans the values observed and loses no count', () => {
  const histogram = new Array<number>(HISTOGRAM_BINS).fill(0);
  histogram[2048] = 5;
  histogram[2100] = 7;
  histogram[4095] = 1;
  const value = { name: 'v', min: 0, max: 2, mean: 0, power: 0, count: 13, nonFinite: 0 };
  const { lo, hi, counts } = reducedHistogram({ ...value, histogram }, 100);
  expect(lo).toBe(0);
  expect(hi).toBeGreaterThanOrEqual(2);
  expect(counts.length).toBeLessThanOrEqual(100);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(13);
});

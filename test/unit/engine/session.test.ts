import * as fs from 'node:fs';
import * as path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { TensorReport } from '../../../shared/report.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { findPreset } from '../../../shared/presets.ts';
import { WorkerPool } from '../../../electron/engine/pool.ts';
import { Session } from '../../../electron/engine/session.ts';
import { writeBigModel } from '../../helpers/big-model.ts';
import { testPool, WORKER_SCRIPT } from '../../helpers/engine.ts';
import {
  constant,
  floatTensor,
  matMulModel,
  model,
  node,
  randomValues,
} from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const single = testPool(1);
const never = new AbortController().signal;
const int8 = findPreset('int8')!;
const sample = REAL_MODELS[2]!.file;

function leftBehind(): string[] {
  return fs.readdirSync(folder).filter((name) => name.endsWith('.tmp'));
}

function noise(count: number, seed: number): Uint8Array {
  return new Uint8Array(Float32Array.from(randomValues(count, seed)).buffer);
}

describe('analyze', () => {
  test('reports every tensor once, streams what it reports, and pools sums into the total', async () => {
    const session = Session.open(sample, pool);
    const streamed: TensorReport[] = [];
    const statistics: number[] = [];
    const { reports, total } = await session.analyze(int8, {
      signal: never,
      onReports: (part) => streamed.push(...part),
      onStatistics: (part) => statistics.push(...part.map((entry) => entry.tensor)),
    });
    expect(reports.map((report) => report.tensor)).toEqual(
      session.tensors.map((tensor) => tensor.id),
    );
    expect(streamed.map((report) => report.tensor).sort((a, b) => a - b)).toEqual(
      reports.map((report) => report.tensor),
    );
    const quantized = reports.filter((report) => report.quantized);
    expect(total.quantized).toBe(quantized.length);
    const signal = quantized.reduce((sum, report) => sum + report.signal, 0);
    const lost = quantized.reduce((sum, report) => sum + report.noise, 0);
    expect(total.sqnrDb).toBeCloseTo(10 * Math.log10(signal / lost), 9);
    expect(total.bytesAfter).toBe(reports.reduce((sum, report) => sum + report.bytesAfter, 0));
    expect(statistics.length).toBe(
      session.tensors.filter((tensor) => tensor.role === 'weight').length,
    );
    session.close();
  });

  test('makes the first pass once: a second recipe brings no new statistics', async () => {
    const session = Session.open(sample, pool);
    await session.analyze(int8, { signal: never });
    let again = 0;
    await session.analyze(findPreset('uint8')!, { signal: never, onStatistics: () => again++ });
    expect(again).toBe(0);
    session.close();
  });

  test('does the tensors asked for first before all others', async () => {
    // With one worker the order of answers is the order of work.
    const session = Session.open(sample, single);
    const order: number[] = [];
    const weights = session.tensors
      .filter((tensor) => tensor.role === 'weight')
      .map((tensor) => tensor.id);
    const last = weights.slice(-2);
    await session.analyze(int8, {
      signal: never,
      first: last,
      onStatistics: (part) => order.push(...part.map((entry) => entry.tensor)),
    });
    expect(order.slice(0, 2).sort()).toEqual([...last].sort());
    session.close();
  });

  test('an override by rule decides for its tensor alone, and null keeps it', async () => {
    const session = Session.open(sample, pool);
    const [first, second] = session.tensors.filter(
      (tensor) => tensor.role === 'weight' && tensor.elements >= 1024,
    );
    const escape = (name: string): string => `^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`;
    const recipe: Recipe = {
      ...int8,
      rules: [
        { match: { name: escape(first!.name) }, scheme: { dtype: 'float16' } },
        { match: { name: escape(second!.name) }, scheme: null },
      ],
    };
    const { reports } = await session.analyze(recipe, { signal: never });
    expect(reports[first!.id]).toMatchObject({
      byRule: true,
      quantized: true,
      scheme: { dtype: 'float16' },
    });
    expect(reports[second!.id]).toMatchObject({
      byRule: true,
      quantized: false,
      reason: 'kept by a rule',
    });
    session.close();
  });

  test('NaN and infinite weights are counted, and refused by integer schemes with their index', async () => {
    const values = randomValues(4096, 1);
    values[77] = NaN;
    values[99] = Infinity;
    const bytes = model({
      node: [node('MatMul', ['x', 'w'], ['y'])],
      initializer: [floatTensor('w', [64, 64], values)],
    });
    const session = Session.open(writeFile(folder, bytes), pool);
    const { reports } = await session.analyze(int8, { signal: never });
    expect(reports[0]).toMatchObject({
      quantized: false,
      reason: expect.stringMatching(/2 NaN or infinite.*first at index 77/) as string,
    });
    const detail = await session.inspect(0, [int8, findPreset('float16')!], 32, never);
    expect(detail.statistics).toMatchObject({ nans: 1, infinities: 1, firstNonFinite: 77 });
    expect(detail.a!.report.quantized).toBe(false);
    expect(detail.b!.report.quantized).toBe(true);
    const preview = await session.previewExport(int8, 'qdq', { signal: never });
    expect(preview.quantized).toBe(0);
    session.close();
  });

  test.each([
    ['int8', 'ReduceMean', false],
    // ReduceMean holds the file at opset 13, where ai.onnx does not restore 16 bits.
    ['int16', 'ReduceMean', true],
    ['int16', 'Relu', false],
  ])('under %s beside %s, an export has operators of com.microsoft: %s', async (name, op, has) => {
    const bytes = model({
      node: [node('MatMul', ['x', 'w'], ['h']), node(op, ['h'], ['y'])],
      initializer: [floatTensor('w', [64, 64], randomValues(64 * 64, 1))],
    });
    const session = Session.open(writeFile(folder, bytes), pool);
    const recipe = { ...int8, default: { ...int8.default!, dtype: name as 'int8' } };
    const preview = await session.previewExport(recipe, 'qdq', { signal: never });
    expect(preview).toMatchObject({ quantized: 1, usesMicrosoft: has });
    session.close();
  });

  test('a file that changed since it was opened is refused, never read stale', async () => {
    const file = writeFile(folder, matMulModel(64, 64));
    const session = Session.open(file, pool);
    fs.writeFileSync(file, matMulModel(64, 64, { seed: 2 }));
    await expect(session.analyze(int8, { signal: never })).rejects.toMatchObject({
      code: 'CHANGED',
      details: { file },
    });
    await expect(
      session.export(int8, 'qdq', path.join(folder, 'x.onnx'), { signal: never }),
    ).rejects.toMatchObject({ code: 'CHANGED' });
    session.close();
    const shortened = Session.open(file, pool);
    fs.truncateSync(file, 100);
    await expect(shortened.inspect(0, [int8], 32, never)).rejects.toMatchObject({
      code: 'CHANGED',
    });
    shortened.close();
  });
});

describe('cancel', () => {
  test('an analysis that is cancelled as its last reports come has no result', async () => {
    const session = Session.open(sample, pool);
    const quantizable = session.tensors.filter(({ role }) => role === 'weight').length;
    const abort = new AbortController();
    let measured = 0;
    const answer = session.analyze(int8, {
      signal: abort.signal,
      onStatistics: (part) => {
        measured += part.length;
        if (measured === quantizable) abort.abort();
      },
    });
    await expect(answer).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(measured).toBe(quantizable);
    session.close();
  });
});

describe('inspect', () => {
  test('gives levels, errors, channels and first values of both sides', async () => {
    const session = Session.open(sample, pool);
    const tensor = session.tensors.find(
      (candidate) => candidate.role === 'weight' && candidate.elements >= 1024,
    )!;
    const detail = await session.inspect(tensor.id, [int8, findPreset('uint8')!], 100, never);
    expect(detail.histogram.counts.reduce((a, b) => a + b, 0)).toBe(tensor.elements);
    expect(detail.channels!.ranges.min).toHaveLength(tensor.shape[tensor.axis!]!);
    expect(detail.a!.scales.first.scale).toHaveLength(tensor.shape[tensor.axis!]!);
    expect(detail.b!.scales.first.scale).toHaveLength(1);
    expect(detail.a!.codes!.count.reduce((a, b) => a + b, 0)).toBe(tensor.elements);
    expect(detail.firstValues.length).toBeGreaterThan(0);
    session.close();
  });

  test('asked again, under other recipes and among other tensors, gives what a first look gives', async () => {
    const session = Session.open(sample, pool);
    const [first, second] = session.tensors.filter(({ role }) => role === 'weight');
    const uint8 = findPreset('uint8')!;
    await session.inspect(first!.id, [int8, null], 100, never);
    await session.inspect(first!.id, [int8, uint8], 100, never);
    const asked = await Promise.all([
      session.inspect(first!.id, [uint8, int8], 100, never),
      session.inspect(second!.id, [int8, null], 100, never),
      session.inspect(first!.id, [null, uint8], 50, never),
    ]);
    const expected = [];
    for (const [id, recipes, bins] of [
      [first!.id, [uint8, int8], 100],
      [second!.id, [int8, null], 100],
      [first!.id, [null, uint8], 50],
    ] as const) {
      const fresh = Session.open(sample, pool);
      expected.push(await fresh.inspect(id, recipes, bins, never));
      fresh.close();
    }
    expect(asked).toEqual(expected);
    session.close();
  });

  test('a tensor without float values says so', async () => {
    const session = Session.open(sample, pool);
    const tensor = session.tensors.find((candidate) => candidate.dtype === 'int32')!;
    await expect(session.inspect(tensor.id, [int8], 10, never)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    });
    session.close();
  });
});

describe('faults', () => {
  const big = path.join(folder, 'big.onnx');
  beforeAll(() => {
    const weights = noise(2048 * 2048, 1);
    writeBigModel(big, 8, 2048, 2048, () => weights);
  });

  test('cancel ends analysis and export at once, and leaves no file', async () => {
    const session = Session.open(big, pool);
    const target = path.join(folder, 'cancelled.onnx');
    for (const run of [
      (signal: AbortSignal, onProgress: () => void) =>
        session.analyze(int8, { signal, onProgress }),
      (signal: AbortSignal, onProgress: () => void) =>
        session.export(int8, 'qdq', target, { signal, onProgress }),
    ]) {
      const abort = new AbortController();
      await expect(run(abort.signal, () => abort.abort())).rejects.toMatchObject({
        code: 'CANCELLED',
      });
    }
    expect(fs.existsSync(target)).toBe(false);
    expect(leftBehind()).toEqual([]);
    session.close();
  });

  test('a worker that dies fails its job by name, and the next job works', async () => {
    const doomed = new WorkerPool(WORKER_SCRIPT, 1);
    const session = Session.open(big, doomed);
    const inner = doomed as unknown as {
      pool: { workers: { worker: { terminate(): Promise<number> } }[] };
    };
    // Most of its layers are still to come when the first is told.
    let terminated: Promise<number> | undefined;
    const onProgress = (): void => {
      terminated ??= inner.pool.workers[0]!.worker.terminate();
    };
    await expect(session.analyze(int8, { signal: never, onProgress })).rejects.toMatchObject({
      code: 'WORKER_DIED',
      message: expect.stringMatching(/worker on w\d died/) as string,
    });
    const detail = await session.inspect(0, [int8], 16, never);
    expect(detail.statistics.elements).toBe(2048 * 2048);
    session.close();
    await doomed.close();
  });

  test('the target may be none of the sources, by any path or link', async () => {
    const file = writeFile(folder, matMulModel(64, 64), 'source.onnx');
    const before = fs.readFileSync(file);
    fs.symlinkSync(file, path.join(folder, 'alias.onnx'));
    fs.linkSync(file, path.join(folder, 'hard.onnx'));
    const session = Session.open(file, pool);
    for (const target of [
      file,
      path.join(folder, '.', 'source.onnx'),
      path.join(folder, 'alias.onnx'),
      path.join(folder, 'hard.onnx'),
    ])
      await expect(session.export(int8, 'qdq', target, { signal: never })).rejects.toMatchObject({
        code: 'TARGET',
      });
    await expect(
      session.export(int8, 'qdq', path.join(folder, 'no', 'where.onnx'), { signal: never }),
    ).rejects.toMatchObject({ code: 'TARGET' });
    await expect(session.export(int8, 'qdq', folder, { signal: never })).rejects.toMatchObject({
      code: 'TARGET',
    });
    expect(Buffer.compare(fs.readFileSync(file), before)).toBe(0);
    expect(leftBehind()).toEqual([]);
    session.close();
  });

  test('temporary files of a process that is gone are swept by the next export; those of a running one stay', async () => {
    const orphan = path.join(folder, '.old.onnx.quantscope-999999999-0123456789ab.tmp');
    const running = path.join(folder, `.new.onnx.quantscope-${process.ppid}-0123456789ab.tmp`);
    fs.writeFileSync(orphan, 'x');
    fs.writeFileSync(running, 'x');
    const session = Session.open(sample, pool);
    await session.export(int8, 'qdq', path.join(folder, 'swept.onnx'), { signal: never });
    expect(fs.existsSync(orphan)).toBe(false);
    expect(fs.existsSync(running)).toBe(true);
    fs.rmSync(running);
    session.close();
  });
});

describe('size', () => {
  test('a 2 GB file opens without reading its weights', () => {
    const file = path.join(folder, 'huge.onnx');
    writeBigModel(file, 31, 4096, 4096);
    expect(fs.statSync(file).size).toBeGreaterThan(2_000_000_000);
    const before = process.memoryUsage().rss;
    const session = Session.open(file, pool);
    expect(session.tensors).toHaveLength(31);
    expect(session.summary().fileBytes).toBeGreaterThan(2_000_000_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(64e6);
    session.close();
    fs.rmSync(file);
  });

  test('a model of 100 000 layers opens', () => {
    const open = (layers: number): number => {
      const graph = {
        node: Array.from({ length: layers }, (_, index) => [
          constant(`w${index}`, floatTensor('', [1, 1], [1])),
          node('MatMul', ['x', `w${index}`], [`y${index}`]),
        ]).flat(),
      };
      const file = writeFile(folder, model(graph), 'many.onnx');
      const session = Session.open(file, pool);
      const { length } = session.tensors;
      session.close();
      return length;
    };
    expect(open(100_000)).toBe(100_000);
  });
});

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { Recipe } from '../../shared/recipe.ts';
import { BASE_SCHEME, type SchemeFields } from '../../shared/scheme.ts';
import { WorkerPool } from '../../electron/engine/pool.ts';
import { Session } from '../../electron/engine/session.ts';
import { writeBigModel } from '../helpers/big-model.ts';
import {
  compared,
  limited,
  median,
  milliseconds,
  round,
  skipped,
  timedInTurn,
  type Row,
} from './measure.ts';
import { pythonPeer, type ModelPeer } from './peers.ts';

/** A layer of 4M weights, and how many make a checkpoint of 900 MB and a model of 2.5 GB. */
const ROWS = 1024;
const COLUMNS = 4096;
const LAYERS = 54;
const LARGE_LAYERS = 150;

const never = new AbortController().signal;

function recipeOf(scheme: Partial<SchemeFields>): Recipe {
  const name = 'bench';
  return { version: 1, name, default: { ...BASE_SCHEME, ...scheme }, minElements: 0, rules: [] };
}

/** The time of a report of the whole model by a fresh session: nothing is known from before. */
async function reportTime(file: string, pool: WorkerPool): Promise<number> {
  const session = Session.open(file, pool);
  const start = performance.now();
  await session.analyze(recipeOf({}), { signal: never });
  const time = performance.now() - start;
  session.close();
  return time;
}

/** Median times of a report by pools that take turns, after one round that does not count. */
async function reportTimes(file: string, pools: readonly WorkerPool[]): Promise<number[]> {
  const times = pools.map((): number[] => []);
  for (let round = -1; round < 7; round++) {
    for (const [index, pool] of pools.entries()) {
      const time = await reportTime(file, pool);
      if (round >= 0) times[index]!.push(time);
    }
  }
  return times.map(median);
}

async function withPool<T>(root: string, size: number, use: (pool: WorkerPool) => Promise<T>) {
  const pool = new WorkerPool(path.join(root, 'dist/worker.js'), size);
  try {
    return await use(pool);
  } finally {
    await pool.close();
  }
}

/** Whole models through the engine's own sessions and workers. */
export async function modelRows(root: string, values: Float32Array): Promise<Row[]> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'quantscope-bench-'));
  try {
    const file = path.join(folder, 'checkpoint.onnx');
    const weights = new Uint8Array(values.buffer, values.byteOffset, ROWS * COLUMNS * 4);
    writeBigModel(file, LAYERS, ROWS, COLUMNS, () => weights);
    const layer = path.join(folder, 'layer.onnx');
    writeBigModel(layer, 1, ROWS, COLUMNS, () => weights);
    const raw = path.join(folder, 'checkpoint.bin');
    for (let count = 0; count < LAYERS; count++) fs.appendFileSync(raw, weights);
    return [
      ...(await checkpointRows(root, file, raw)),
      await settingRow(root, layer),
      ...(await searchRows(root, folder, new Uint8Array(values.buffer, 0, COLUMNS ** 2 * 4))),
      peakRow(root, path.join(folder, 'large.onnx')),
    ];
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function checkpointRows(root: string, file: string, raw: string): Promise<Row[]> {
  const cores = os.cpus().length;
  const [all, one, two] = await withPool(root, cores, (every) =>
    withPool(root, 1, (single) =>
      withPool(root, 2, (pair) => reportTimes(file, [every, single, pair])),
    ),
  );
  const peer = pythonPeer<ModelPeer>(root, ['model', `${LAYERS}`, `${ROWS}`, `${COLUMNS}`, raw]);
  const what = `int8 per-channel report of a 900 MB checkpoint, ${cores} cores`;
  const scaling = compared('the same on two workers', two!, 'one worker', one!, 1 / 1.7);
  if (typeof peer === 'string')
    return [skipped(what, milliseconds(all!), peer, '10x faster'), scaling];
  const name = `PyTorch, ${peer.threads} threads`;
  return [compared(what, all!, name, peer.report, 1 / 10), scaling];
}

/** Settings that a person goes through on one layer. */
const SETTINGS: readonly Partial<SchemeFields>[] = [
  { granularity: 'tensor' },
  { granularity: 'channel' },
  { symmetric: false },
  { dtype: 'uint8', symmetric: false, granularity: 'tensor' },
  { dtype: 'int4' },
  { dtype: 'int4', granularity: { block: 32 } },
  { dtype: 'int16' },
  { dtype: 'float16' },
  { dtype: 'bfloat16' },
  { range: { percentile: 99.99 } },
  { granularity: 'tensor', range: { percentile: 99.9 } },
];

async function settingRow(root: string, file: string): Promise<Row> {
  const times = await withPool(root, os.cpus().length, async (pool) => {
    const session = Session.open(file, pool);
    await session.analyze(recipeOf({}), { signal: never });
    const found: number[] = [];
    for (let round = -1; round < 5; round++) {
      for (const setting of SETTINGS) {
        const start = performance.now();
        await session.analyze(recipeOf(setting), { signal: never });
        if (round >= 0) found.push(performance.now() - start);
      }
    }
    session.close();
    return found;
  });
  const row = limited('a setting changed on a layer of 4M weights', median(times), 30, 'ms');
  return { ...row, peer: `slowest of ${times.length}: ${round(Math.max(...times))} ms` };
}

/** Searches for ranges by the whole command, on weights of 4096 channels of 4096 values, in turns with minmax. */
async function searchRows(root: string, folder: string, weights: Uint8Array): Promise<Row[]> {
  const file = path.join(folder, 'search.onnx');
  writeBigModel(file, 2, COLUMNS, COLUMNS, () => weights);
  const analyze = (range: 'minmax' | 'mse' | 'entropy'): void => {
    const recipe = path.join(folder, `${range}.json`);
    fs.writeFileSync(recipe, JSON.stringify(recipeOf({ range })));
    const args = ['analyze', file, '--recipe', recipe, '--json'];
    const { status, signal, stderr } = spawnSync(
      process.execPath,
      [path.join(root, 'dist/cli.js'), ...args],
      { encoding: 'utf8', maxBuffer: 1 << 28 },
    );
    if (status !== 0) throw new Error(`analyze ended with ${signal ?? status}: ${stderr}`);
  };
  const rows: Row[] = [];
  for (const [range, reach] of [
    ['mse', 5],
    ['entropy', 10],
  ] as const) {
    const [searched, plain] = await timedInTurn(
      () => analyze(range),
      () => analyze('minmax'),
      3,
    );
    const what = `quantscope analyze, int8 per channel, 32M weights, ranges by ${range}`;
    rows.push(compared(what, searched, 'by minmax', plain, reach));
  }
  return rows;
}

function peakRow(root: string, file: string): Row {
  writeBigModel(file, LARGE_LAYERS, ROWS, COLUMNS);
  const script = path.join(import.meta.dirname, 'peak.mjs');
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, root, file], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return limited('peak resident memory, a model of 2.5 GB', Number(stdout), 350, 'MB');
}

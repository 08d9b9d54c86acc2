import { serialize } from 'node:v8';
import { expect, test } from 'vitest';
import { EngineServer } from '../../../electron/engine/server.ts';
import { Session } from '../../../electron/engine/session.ts';
import { summarizeRanges, summarizeSqnr } from '../../../shared/channels.ts';
import { findPreset } from '../../../shared/presets.ts';
import type { TensorDetail } from '../../../shared/report.ts';
import { testPool } from '../../helpers/engine.ts';
import { Page } from '../../helpers/engine-page.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

/** Tensors of very many scales: these are handed over by the worker as typed arrays. */
const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;
const ROWS = 100_000;

/** Row r holds r + 1 and -1. */
const rows = Float32Array.from({ length: 2 * ROWS }, (_, at) => (at % 2 === 0 ? at / 2 + 1 : -1));
const bytes = safetensorsFile({
  'a.weight': { dtype: 'F32', shape: [ROWS, 2], bytes: new Uint8Array(rows.buffer) },
});

test('scales of 100,000 channels come as typed arrays, and stay whole however often they are asked for', async () => {
  const session = Session.open(writeFile(folder, bytes, 'long.safetensors'), pool);
  const int8 = { ...findPreset('int8')!, minElements: 0 };
  const wanted = Float64Array.from({ length: ROWS }, (_, row) => Math.fround((row + 1) / 127));
  for (let turn = 0; turn < 2; turn++) {
    const { reports } = await session.analyze(int8, { signal });
    expect(reports[0]!.scale).toEqual(wanted);
    expect(reports[0]!.zeroPoint).toEqual(new Int32Array(ROWS));
    const detail = await session.inspect(0, [int8, null], 16, signal);
    expect(detail.a!.scales).toMatchObject({
      count: ROWS,
      min: wanted[0],
      max: wanted[ROWS - 1],
      widest: { group: ROWS - 1, scale: wanted[ROWS - 1], zeroPoint: 0 },
    });
    expect(detail.a!.scales.first.scale).toEqual([...wanted.subarray(0, 256)]);
    expect(await session.scales(0, int8, signal)).toEqual({
      scale: wanted,
      zeroPoint: new Int32Array(ROWS),
    });
    const { sqnrDb, ...ranges } = (await session.channels(0, int8, signal))!;
    expect(ranges.min.length).toBe(ROWS);
    expect(Array.from(ranges.min).every((least) => least === -1)).toBe(true);
    expect(Array.from(ranges.max).every((most, row) => most === row + 1)).toBe(true);
    expect(detail.channels).toEqual(summarizeRanges(ranges));
    expect(detail.channels!.widest).toEqual({ channel: ROWS - 1, min: -1, max: ROWS });
    expect(sqnrDb!.length).toBe(ROWS);
    expect(detail.a!.channelSqnr).toEqual(summarizeSqnr(sqnrDb!, ranges));
  }
  session.close();
});

test('asymmetric zero points of 100,000 channels are those of each channel', async () => {
  const session = Session.open(writeFile(folder, bytes, 'zero.safetensors'), pool);
  const recipe = findPreset('int8')!;
  const uint8 = {
    ...recipe,
    minElements: 0,
    default: { ...recipe.default!, dtype: 'uint8', symmetric: false } as const,
  };
  const { reports } = await session.analyze(uint8, { signal });
  const { scale, zeroPoint } = reports[0]!;
  expect(zeroPoint).toBeInstanceOf(Int32Array);
  const few = [1, 2, 99, ROWS - 1];
  expect(few.map((row) => scale[row])).toEqual(few.map((row) => Math.fround((row + 2) / 255)));
  expect(few.map((row) => zeroPoint[row])).toEqual([85, 64, 3, 0]);
  session.close();
});

test('a window gets a summary of 100,000 scales and channels, and all of them only when it asks', async () => {
  const server = new EngineServer(pool, sharedRuntime);
  const file = writeFile(folder, bytes, 'window.safetensors');
  server.grant({ type: 'grant', handle: 'm', path: file, use: 'read' });
  const page = new Page(server);
  await page.request('open', { handle: 'm' }).answer;
  const recipe = { ...findPreset('int8')!, minElements: 0 };
  const asked = { handle: 'm', mode: 'qdq', recipe } as const;
  await page.request('analyze', { ...asked, side: 'a', first: [] }).answer;
  await page.request('budget', { ...asked, candidates: null, outputs: null }).answer;
  const { answer } = page.request('inspect', {
    ...{ handle: 'm', mode: 'qdq', tensor: 0, a: recipe, b: recipe, bins: 16 },
  });
  const detail = ((await answer) as { result: TensorDetail }).result;
  // The chart of the channels has two numbers for each of at most 2048 bars, and their SQNR under A and B.
  expect(serialize(detail).length).toBeLessThan(120_000);
  for (const side of [detail.a!, detail.b!])
    expect(serialize({ ...side, channelSqnr: null }).length).toBeLessThan(16_000);
  for (const message of page.messages.filter(({ type }) => type === 'reports'))
    expect(serialize(message).length).toBeLessThan(4000);
  const { min, max, sqnrDb } = (await page.ask('channels', { ...asked, tensor: 0 }))!;
  expect([min.length, max.length, sqnrDb!.length]).toEqual([ROWS, ROWS, ROWS]);
  const whole = await page.request('scales', { ...asked, tensor: 0 }).answer;
  const scale = Float64Array.from({ length: ROWS }, (__, row) => Math.fround((row + 1) / 127));
  expect(whole).toMatchObject({
    type: 'reply',
    result: { scale, zeroPoint: new Int32Array(ROWS) },
  });
  await page.request('close', { handle: 'm' }).answer;
});

test('a cast has an SQNR of each channel and no scales, a kept tensor has neither', async () => {
  const session = Session.open(writeFile(folder, bytes, 'none.safetensors'), pool);
  for (const scheme of [findPreset('float16')!.default, null]) {
    const recipe = { ...findPreset('int8')!, minElements: 0, default: scheme };
    expect(await session.scales(0, recipe, signal)).toEqual({ scale: [], zeroPoint: [] });
    const { a } = await session.inspect(0, [recipe], 16, signal);
    expect(a!.scales).toMatchObject({ count: 0, widest: null });
    const { max, sqnrDb } = (await session.channels(0, recipe, signal))!;
    expect(max.length).toBe(ROWS);
    expect(sqnrDb?.length).toBe(scheme === null ? undefined : ROWS);
  }
  session.close();
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DOT_FORMATS, type DotProduct } from '../../../shared/dot-product.ts';
import type { EngineState } from '../../../shared/processes.ts';
import type { FromEngine, ModelSummary, RequestKind, Requests } from '../../../shared/protocol.ts';
import { findPreset } from '../../../shared/presets.ts';
import { FORMATS } from '../../../electron/engine/formats/registry.ts';
import { EngineServer } from '../../../electron/engine/server.ts';
import { testPool } from '../../helpers/engine.ts';
import { Page } from '../../helpers/engine-page.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const int8 = findPreset('int8')!;

function opened(): { server: EngineServer; page: Page } {
  const server = new EngineServer(pool, sharedRuntime);
  server.grant({ type: 'grant', handle: 'model', path: REAL_MODELS[2]!.file, use: 'read' });
  server.grant({
    type: 'grant',
    handle: 'target',
    path: path.join(folder, 'out.onnx'),
    use: 'write',
  });
  return { server, page: new Page(server) };
}

describe('the engine', () => {
  test('tells a page how many workers it has, opens a granted file and never sends where bytes or files are', async () => {
    const { page } = opened();
    expect(page.messages[0]).toEqual({ type: 'ready', workers: 2, formats: FORMATS });
    expect(FORMATS.map(({ name }) => name)).toEqual(['LiteRT', 'safetensors', 'ONNX']);
    const reply = await page.request('open', { handle: 'model' }).answer;
    expect(reply).toMatchObject({
      type: 'reply',
      result: { format: 'onnx', file: path.basename(REAL_MODELS[2]!.file) },
    });
    expect(JSON.stringify(reply)).not.toContain(path.dirname(REAL_MODELS[2]!.file));
    expect(JSON.stringify(reply)).not.toContain('"ranges"');
  });

  test('computes dot products of seeded vectors, and of the first values of a tensor', async () => {
    const { page } = opened();
    const ask = async (of: Requests['dotProduct']['params']['of'], length = 1000, seed = 3) =>
      (await page.request('dotProduct', { of, length, seed }).answer) as FromEngine & {
        result: DotProduct;
      };
    const { result } = await ask(null);
    expect(result.rows.map(({ format }) => format)).toEqual(DOT_FORMATS);
    expect(result.length).toBe(1000);
    expect((await ask(null)).result).toEqual(result);
    expect((await ask(null, 1000, 4)).result.reference).not.toBe(result.reference);
    const summary = (await page.request('open', { handle: 'model' }).answer) as FromEngine & {
      result: ModelSummary;
    };
    const weight = summary.result.tensors.find(
      ({ role, elements }) => role === 'weight' && elements > 100 && elements < 1000,
    )!;
    const ofWeight = (await ask({ handle: 'model', tensor: weight.id })).result;
    expect(ofWeight.length).toBe(weight.elements);
    expect(ofWeight.reference).not.toBe(0);
    expect(await ask(null, 0)).toMatchObject({ error: { code: 'BAD_USAGE', field: 'length' } });
    expect(await ask(null, 65_537)).toMatchObject({ error: { code: 'BAD_USAGE' } });
  });

  test('says what computer it runs on, without a model', async () => {
    const page = new Page(new EngineServer(pool, sharedRuntime));
    const reply = await page.request('computer', null).answer;
    expect(reply).toMatchObject({ type: 'reply', result: { architecture: process.arch } });
  });

  test('refuses handles that were not granted, or not for that use', async () => {
    const { page } = opened();
    for (const handle of ['other', 'target'])
      expect(await page.request('open', { handle }).answer).toMatchObject({
        type: 'error',
        error: { code: 'BAD_USAGE' },
      });
    await page.request('open', { handle: 'model' }).answer;
    expect(
      await page.request('export', {
        handle: 'model',
        recipe: int8,
        mode: 'qdq',
        target: 'model',
        overwrite: false,
      }).answer,
    ).toMatchObject({
      type: 'error',
      error: { code: 'BAD_USAGE' },
    });
  });

  test('waits for a grant that is still on its way', async () => {
    const server = new EngineServer(pool, sharedRuntime);
    const page = new Page(server);
    const { answer } = page.request('open', { handle: 'late' });
    await setTimeout(50);
    server.grant({ type: 'grant', handle: 'late', path: REAL_MODELS[2]!.file, use: 'read' });
    expect(await answer).toMatchObject({ type: 'reply', result: { format: 'onnx' } });
  });

  test('streams statistics, reports and progress under the id of the request, then its total', async () => {
    const { page } = opened();
    await page.request('open', { handle: 'model' }).answer;
    const { id, answer } = page.request('analyze', {
      handle: 'model',
      side: 'a',
      recipe: int8,
      mode: 'qdq',
      first: [],
    });
    expect(await answer).toMatchObject({ type: 'reply', id, result: { quantized: 27 } });
    const of = (type: FromEngine['type']) =>
      page.messages.filter(
        (message) => message.type === type && 'id' in message && message.id === id,
      );
    const reports = of('reports').flatMap((message) =>
      message.type === 'reports' ? message.reports : [],
    );
    expect(reports).toHaveLength(250);
    expect(of('statistics').length).toBeGreaterThan(0);
    expect(of('progress').length).toBeGreaterThan(0);
  });

  test('statistics are told once, and again to a page that has none', async () => {
    const { page } = opened();
    await page.request('open', { handle: 'model' }).answer;
    const asked = { handle: 'model', side: 'a', recipe: int8, mode: 'qdq', first: [] } as const;
    const told = async (withStatistics: boolean): Promise<number> => {
      const { id, answer } = page.request('analyze', { ...asked, withStatistics });
      await answer;
      return page.messages.reduce(
        (sum, message) =>
          message.type === 'statistics' && message.id === id
            ? sum + message.statistics.length
            : sum,
        0,
      );
    };
    const first = await told(true);
    expect(first).toBeGreaterThan(0);
    expect(await told(false)).toBe(0);
    expect(await told(true)).toBe(first);
  });

  test('a newer analysis of a side ends the older one of that side, and not the other side', async () => {
    const { page } = opened();
    await page.request('open', { handle: 'model' }).answer;
    const params = { handle: 'model', recipe: int8, mode: 'qdq', first: [] } as const;
    const older = page.request('analyze', { ...params, side: 'a' });
    const other = page.request('analyze', { ...params, side: 'b' });
    const newer = page.request('analyze', { ...params, side: 'a' });
    expect(await older.answer).toMatchObject({ type: 'error', error: { code: 'CANCELLED' } });
    expect(await other.answer).toMatchObject({ type: 'reply' });
    expect(await newer.answer).toMatchObject({ type: 'reply' });
  });

  test('cancels a request by its id', async () => {
    const { page } = opened();
    await page.request('open', { handle: 'model' }).answer;
    const { id, answer } = page.request('export', {
      handle: 'model',
      recipe: int8,
      mode: 'qdq',
      target: 'target',
      overwrite: false,
    });
    page.cancel(id);
    expect(await answer).toMatchObject({ type: 'error', error: { code: 'CANCELLED' } });
  });

  test('tells main of open files and running exports, and stops those', async () => {
    const states: EngineState[] = [];
    const server = new EngineServer(pool, sharedRuntime, (state) => {
      states.push(state);
      if (state.exporting.length > 0) server.cancelExports();
    });
    const target = path.join(folder, 'stopped.onnx');
    server.grant({ type: 'grant', handle: 'm', path: REAL_MODELS[0]!.file, use: 'read' });
    server.grant({ type: 'grant', handle: 't', path: target, use: 'write' });
    const page = new Page(server);
    await page.request('open', { handle: 'm' }).answer;
    const { dev, ino } = fs.statSync(REAL_MODELS[0]!.file, { bigint: true });
    const sources = [{ identity: { dev: String(dev), ino: String(ino) } }];
    const params = { handle: 'm', recipe: int8, mode: 'qdq', target: 't' } as const;
    expect(await page.request('replacedFiles', params).answer).toMatchObject({ result: [] });
    expect(await page.request('export', { ...params, overwrite: false }).answer).toMatchObject({
      error: { code: 'CANCELLED' },
    });
    await page.request('close', { handle: 'm' }).answer;
    expect(states).toEqual([
      { sources, exporting: [] },
      { sources, exporting: [folder] },
      { sources, exporting: [] },
      { sources: [], exporting: [] },
    ]);
    expect(fs.existsSync(target)).toBe(false);
  });

  test.each([
    ['an unknown kind', { kind: 'frob', params: {} }],
    [
      'a recipe that is none',
      {
        kind: 'analyze',
        params: { handle: 'model', side: 'a', recipe: { version: 2 }, mode: 'qdq', first: [] },
      },
    ],
    [
      'a tensor that is not there',
      {
        kind: 'inspect',
        params: { handle: 'model', tensor: 1e9, a: int8, b: null, mode: 'qdq', bins: 10 },
      },
    ],
    [
      'bins without end',
      {
        kind: 'inspect',
        params: { handle: 'model', tensor: 0, a: int8, b: null, mode: 'qdq', bins: 1e9 },
      },
    ],
    [
      'a mode that is none',
      { kind: 'previewExport', params: { handle: 'model', recipe: int8, mode: 'frob' } },
    ],
  ])('answers %s with an error of its own, and goes on', async (_, { kind, params }) => {
    const { page } = opened();
    await page.request('open', { handle: 'model' }).answer;
    const answer = await page.request(kind as RequestKind, params as never).answer;
    expect(answer).toMatchObject({ type: 'error' });
    expect(answer.type === 'error' && answer.error.code).not.toBe('INTERNAL');
    expect(await page.request('open', { handle: 'model' }).answer).toMatchObject({ type: 'reply' });
  });

  test('hands a page that was reloaded the open file and the running export, which it can follow or cancel', async () => {
    const { server, page } = opened();
    await page.request('open', { handle: 'model' }).answer;
    const analysis = page.request('analyze', {
      handle: 'model',
      side: 'a',
      recipe: int8,
      mode: 'qdq',
      first: [],
    });
    const params = {
      handle: 'model',
      recipe: int8,
      mode: 'qdq' as const,
      target: 'target',
      overwrite: true,
    };
    const { answer } = page.request('export', params);
    await setTimeout();
    const next = new Page(server);
    expect(await next.request('running', null).answer).toMatchObject({
      type: 'reply',
      result: {
        open: { handle: 'model', label: path.basename(REAL_MODELS[2]!.file) },
        exports: [{ job: 1, label: 'out.onnx' }],
      },
    });
    const followed = next.request('follow', { job: 1 });
    // To open the open file again must not take it from the export.
    expect(await next.request('open', { handle: 'model' }).answer).toMatchObject({ type: 'reply' });
    expect(await followed.answer).toMatchObject({ type: 'reply', result: { mode: 'qdq' } });
    expect(await answer).toMatchObject({ type: 'reply' });
    expect(await analysis.answer).toMatchObject({ error: { code: 'CANCELLED' } });
    expect(await next.request('running', null).answer).toMatchObject({ result: { exports: [] } });

    const cancelled = next.request('export', params);
    await setTimeout();
    const last = new Page(server);
    await last.request('running', null).answer;
    const follow = last.request('follow', { job: 2 });
    last.cancel(follow.id);
    expect(await follow.answer).toMatchObject({ type: 'error', error: { code: 'CANCELLED' } });
    expect(await cancelled.answer).toMatchObject({ error: { code: 'CANCELLED' } });
  });
});

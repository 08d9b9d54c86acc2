import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { EngineServer } from '../../../electron/engine/server.ts';
import type { RequestKind, Requests } from '../../../shared/protocol.ts';
import { findPreset } from '../../../shared/presets.ts';
import { Page } from '../../helpers/engine-page.ts';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** What becomes of a page's work when the page is loaded again, or crashes: another takes its place. */
const folder = temporaryFolder();
const pool = testPool();
const recipe = findPreset('int8')!;
const asked = { handle: 'model', recipe, mode: 'qdq' } as const;
const random = { samples: 200, seed: 1, inputs: null };
/** Spelled in a way of its own: other files of this process start runtimes too, which do not count here. */
const script = `${path.dirname(RUNTIME_SCRIPT)}/./${path.basename(RUNTIME_SCRIPT)}`;
let count = 0;

function serving(): EngineServer {
  const server = new EngineServer(pool, script);
  server.grant({ type: 'grant', handle: 'model', path: REAL_MODELS[2]!.file, use: 'read' });
  const target = path.join(folder, `out-${count++}.onnx`);
  server.grant({ type: 'grant', handle: 'target', path: target, use: 'write' });
  return server;
}

/** The processes of onnxruntime that this file has started and that still run. */
function runtimes(): number {
  const children = execFileSync('ps', ['-o', 'args=', '--ppid', String(process.pid)]);
  return children
    .toString()
    .split('\n')
    .filter((line) => line.includes(script)).length;
}

/** Waits for something to become so. */
async function until(is: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2000 && !is(); tries++) await setTimeout(10);
  expect(is()).toBe(true);
}

test.each<[RequestKind, (page: Page) => ReturnType<Page['request']>, boolean]>([
  ['verify', (page) => page.request('verify', verifying), true],
  ['run', (page) => page.request('run', { ...asked, ...random }), true],
  [
    'calibrate',
    (page) =>
      page.request('calibrate', { ...asked, choosesCodes: false, ...random, mode: 'static' }),
    true,
  ],
  [
    'budget',
    (page) => page.request('budget', { ...asked, candidates: null, outputs: null }),
    false,
  ],
  ['analyze', (page) => page.request('analyze', { ...asked, side: 'a', first: [] }), false],
])('%s ends with its page, and the next page starts it anew', async (kind, start, isRuntime) => {
  const server = serving();
  const page = new Page(server);
  await page.ask('open', { handle: 'model' });
  await page.ask('export', { ...asked, target: 'target', overwrite: false });
  const { answer } = start(page);
  if (isRuntime) await until(() => runtimes() > 0);
  const next = new Page(server);
  expect(await answer).toMatchObject({ type: 'error', error: { code: 'CANCELLED' } });
  await until(() => runtimes() === 0);
  const { open } = await next.ask('running', null);
  expect(open).toMatchObject({ handle: 'model' });
  await next.ask('open', { handle: 'model' });
  const again = start(next);
  if (isRuntime) await until(() => runtimes() > 0);
  next.cancel(again.id);
  const last = await again.answer;
  expect([kind, last.type === 'error' ? last.error.code : last.type]).toEqual([kind, 'CANCELLED']);
});

const verifying: Requests['verify']['params'] = {
  handle: 'model',
  exported: 'target',
  ...random,
};

test('an export goes on however often the page is loaded again', async () => {
  const server = serving();
  const page = new Page(server);
  await page.ask('open', { handle: 'model' });
  const { answer } = page.request('export', { ...asked, target: 'target', overwrite: false });
  const pages = [page];
  for (let turn = 0; turn < 3; turn++) {
    await setTimeout();
    const next = new Page(server);
    const { exports } = await next.ask('running', null);
    expect(exports).toHaveLength(1);
    next.request('follow', { job: 1 });
    pages.push(next);
  }
  expect(await answer).toMatchObject({ type: 'reply', result: { mode: 'qdq' } });
});

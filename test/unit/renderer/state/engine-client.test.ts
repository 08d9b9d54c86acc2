import { afterEach, expect, test, vi } from 'vitest';
import { EngineClient, isCancelled } from '../../../../renderer/state/engine-client.ts';
import { AppError } from '../../../../shared/errors.ts';
import type { FromEngine, ToEngine } from '../../../../shared/protocol.ts';

const open: MessagePort[] = [];
afterEach(() => {
  for (const port of open.splice(0)) port.close();
});

/** A client, and the engine's end of its port: what it got, and how it answers. */
function connect(client: EngineClient) {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const got: ToEngine[] = [];
  port2.addEventListener('message', (event: MessageEvent<ToEngine>) => got.push(event.data));
  port2.start();
  client.attach(port1);
  return {
    got,
    answer: (message: FromEngine) => port2.postMessage(message),
    count: (count: number) => vi.waitFor(() => expect(got).toHaveLength(count)),
  };
}
const total = { bytesBefore: 2, bytesAfter: 1, quantized: 1, kept: 0, mse: 0, sqnrDb: Infinity };

test('a reply goes to the request that it names, whatever the order', async () => {
  const client = new EngineClient();
  const engine = connect(client);
  const first = client.request('close', { handle: 'a' });
  const second = client.request('close', { handle: 'b' });
  await engine.count(2);
  engine.answer({ type: 'error', id: 2, error: { code: 'IO', message: 'refused' } });
  await expect(second).rejects.toMatchObject({ code: 'IO', message: 'refused' });
  engine.answer({ type: 'reply', id: 1, result: null });
  await expect(first).resolves.toBeNull();
});

test('events reach the listeners of their request, and infinities survive', async () => {
  const workers: number[] = [];
  const client = new EngineClient((count) => workers.push(count));
  const engine = connect(client);
  const seen: string[] = [];
  const recipe = { version: 1, name: 'r', default: null, minElements: 0, rules: [] } as const;
  const running = client.request(
    'analyze',
    { handle: 'a', side: 'a', recipe, mode: 'qdq', first: [] },
    { onReports: () => seen.push('reports'), onStatistics: () => seen.push('statistics') },
  );
  await engine.count(1);
  engine.answer({ type: 'ready', workers: 4, formats: [] });
  engine.answer({ type: 'statistics', id: 1, statistics: [] });
  engine.answer({ type: 'reports', id: 1, reports: [] });
  engine.answer({ type: 'reports', id: 99, reports: [] });
  engine.answer({ type: 'reply', id: 1, result: total });
  await expect(running).resolves.toEqual(total);
  expect(seen).toEqual(['statistics', 'reports']);
  expect(workers).toEqual([4]);
});

test('an aborted request asks the engine to stop, tells nothing more, and fails when the engine says so', async () => {
  const client = new EngineClient();
  const engine = connect(client);
  const abort = new AbortController();
  const onProgress = vi.fn();
  const params = { handle: 'a', exported: 'b', samples: 1, seed: 0, inputs: null };
  const running = client.request('verify', params, { signal: abort.signal, onProgress });
  abort.abort();
  await engine.count(2);
  expect(engine.got[1]).toEqual({ type: 'cancel', id: 1 });
  const progress = { what: '', item: '', done: 0, of: 1, bytesDone: 0, bytesOf: 0 };
  engine.answer({ type: 'progress', id: 1, progress });
  engine.answer({ type: 'error', id: 1, error: { code: 'CANCELLED', message: 'cancelled' } });
  const error: unknown = await running.catch((problem: unknown) => problem);
  expect(isCancelled(error)).toBe(true);
  expect(onProgress).not.toHaveBeenCalled();
});

test('what is aborted before it is sent is never sent', async () => {
  const client = new EngineClient();
  const engine = connect(client);
  const running = client.request('close', { handle: 'a' }, { signal: AbortSignal.abort() });
  await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
  const next = client.request('close', { handle: 'b' });
  await engine.count(1);
  engine.answer({ type: 'reply', id: 1, result: null });
  await next;
  expect(engine.got).toEqual([{ type: 'request', id: 1, kind: 'close', params: { handle: 'b' } }]);
});

test('when the engine is lost everything that waits fails with the reason, and a new port goes on', async () => {
  const client = new EngineClient();
  connect(client);
  const waiting = client.request('close', { handle: 'a' });
  client.lose({ code: 'WORKER_DIED', message: 'the engine stopped' });
  await expect(waiting).rejects.toThrow('the engine stopped');
  expect(client.connected).toBe(false);
  await expect(client.request('close', { handle: 'a' })).rejects.toBeInstanceOf(AppError);
  const engine = connect(client);
  const again = client.request('close', { handle: 'a' });
  await engine.count(1);
  engine.answer({ type: 'reply', id: 2, result: null });
  await expect(again).resolves.toBeNull();
});

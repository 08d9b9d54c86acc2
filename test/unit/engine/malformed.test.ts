import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FromEngine } from '../../../shared/protocol.ts';
import { findPreset } from '../../../shared/presets.ts';
import { EngineServer } from '../../../electron/engine/server.ts';
import { testPool } from '../../helpers/engine.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';

const pool = testPool();
const int8 = findPreset('int8')!;
const model = { handle: 'model', recipe: int8, mode: 'qdq' };

/** One well-formed request of each kind that needs no file of its own. */
const REQUESTS: Record<string, unknown> = {
  open: { handle: 'model' },
  close: { handle: 'model' },
  analyze: { ...model, side: 'a', first: [] },
  inspect: { handle: 'model', tensor: 0, a: int8, b: null, mode: 'qdq', bins: 16 },
  searchRanges: { handle: 'model', tensor: 0, recipe: int8, mode: 'qdq' },
  describeSamples: { handle: 'model', inputs: null, samples: 1, seed: 0, recipe: int8 },
  calibrate: { handle: 'model', inputs: null, samples: 1, seed: 0, recipe: int8 },
  activations: { handle: 'model', recipe: int8 },
  inspectActivation: { handle: 'model', tensor: 0, recipe: int8, bins: 16 },
  previewExport: model,
  export: { ...model, target: 'none', overwrite: false },
  replacedFiles: { ...model, target: 'none' },
  budget: { ...model, candidates: null, outputs: null },
  budgetPlan: { handle: 'model', goal: { maxBytes: 1 } },
  sensitivity: { ...model, inFloat: 'it', samples: 1, seed: 0, inputs: null },
  dotProduct: { of: null, length: 16, seed: 1 },
  computer: null,
  verify: { handle: 'model', exported: 'none', samples: 1, seed: 0, inputs: null },
  layerErrors: {
    ...{ handle: 'model', of: { exported: 'none' }, only: null },
    ...{ samples: 1, seed: 0, inputs: null },
  },
  run: { ...model, samples: 1, seed: 0, inputs: null },
  running: null,
  follow: { job: 1 },
};

/** What no field takes, a few of them what a number or a string nearly is. */
const junk = fc.oneof(
  fc.constantFrom(null, undefined, NaN, -1, 0.5, 2 ** 53, Infinity, '', '__proto__', [], {}, 5n),
  fc.anything({ maxDepth: 2 }),
);

/** A request with one of its parameters replaced or removed. */
const damaged = fc.constantFrom(...Object.keys(REQUESTS)).chain((kind) => {
  const params = REQUESTS[kind] as Record<string, unknown> | null;
  const changed =
    params === null
      ? junk
      : fc.tuple(fc.constantFrom(...Object.keys(params)), junk).map(([key, value]) => ({
          ...params,
          [key]: value,
        }));
  return fc.tuple(fc.constant(kind), fc.oneof(changed, junk));
});

function connected(): { send: (message: unknown) => void; answers: FromEngine[] } {
  const server = new EngineServer(pool, sharedRuntime);
  server.grant({ type: 'grant', handle: 'model', path: REAL_MODELS[2]!.file, use: 'read' });
  const answers: FromEngine[] = [];
  let send: (message: unknown) => void = () => undefined;
  server.connect({
    post: (message) => void answers.push(message),
    onMessage: (listener) => (send = listener),
  });
  return { send: (message) => send(message), answers };
}

async function answerOf(answers: FromEngine[], id: number): Promise<FromEngine> {
  const find = () =>
    answers.find(
      (answer) => (answer.type === 'reply' || answer.type === 'error') && answer.id === id,
    );
  await expect.poll(find, { timeout: 10_000 }).toBeDefined();
  return find()!;
}

describe('a malformed message', () => {
  test('without a usable id is ignored', async () => {
    const { send, answers } = connected();
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.record({
            type: fc.constantFrom('request', 'cancel', 'reply', null),
            id: fc.constantFrom(null, NaN, '1', -1, 0.5, {}, undefined, 2 ** 60),
            kind: fc.constantFrom('open', 'analyze', null),
          }),
        ),
        (message) => send(message),
      ),
      { numRuns: 400, seed: 1 },
    );
    for (const message of [null, undefined, 5, 'x', [], { type: 'cancel' }]) send(message);
    send({ type: 'request', id: 7, kind: 'computer', params: null });
    expect(await answerOf(answers, 7)).toMatchObject({ type: 'reply' });
    expect(answers.filter(({ type }) => type === 'error')).toEqual([]);
  });

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'kind'],
    ['analyze', undefined, 'params'],
    ['analyze', { handle: 'model' }, 'side'],
    ['open', { handle: 5 }, 'handle'],
    ['constructor', null, 'kind'],
    ['__proto__', null, 'kind'],
    ['inspect', { ...(REQUESTS['inspect'] as object), bins: 4097 }, 'bins'],
    ['open', { handle: 'model', path: '/etc/passwd' }, 'path'],
    ['budgetPlan', { handle: 'model', goal: null }, 'goal'],
  ])('of kind %s with %j is answered with BAD_USAGE', async (kind, params, field) => {
    const { send, answers } = connected();
    send({ type: 'request', id: 1, kind, params });
    expect(await answerOf(answers, 1)).toMatchObject({
      type: 'error',
      error: { code: 'BAD_USAGE', field },
    });
  });

  test('never ends the engine nor is an internal error, over 500 damaged requests', async () => {
    const { send, answers } = connected();
    const messages = fc.sample(damaged, { numRuns: 500, seed: 3 });
    for (const [id, [kind, params]] of messages.entries()) {
      send({ type: 'request', id, kind, params });
      if (id % 10 === 0)
        send({ type: 'request', id: 10_000 + id, kind: 'open', params: { handle: 'model' } });
      const answer = await answerOf(answers, id);
      if (answer.type === 'error')
        expect(answer.error, `${kind} ${String(JSON.stringify(answer.error))}`).not.toMatchObject({
          code: 'INTERNAL',
        });
    }
    expect(answers.filter(({ type }) => type === 'error').length).toBeGreaterThan(400);
    send({ type: 'request', id: 50_000, kind: 'open', params: { handle: 'model' } });
    expect(await answerOf(answers, 50_000)).toMatchObject({ type: 'reply' });
  }, 120_000);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test, vi } from 'vitest';
import { EngineServer } from '../../../../electron/engine/server.ts';
import { Announcer } from '../../../../renderer/state/announcer.svelte.ts';
import { sidePoints } from '../../../../renderer/state/budget-marks.ts';
import { Budgeting } from '../../../../renderer/state/budgeting.svelte.ts';
import { EngineClient, type Port } from '../../../../renderer/state/engine-client.ts';
import { Jobs } from '../../../../renderer/state/jobs.svelte.ts';
import { RecipeHistory } from '../../../../renderer/state/recipe-history.svelte.ts';
import type { FromEngine, RequestKind, ToEngine } from '../../../../shared/protocol.ts';
import type { Total } from '../../../../shared/report.ts';
import { testPool } from '../../../helpers/engine.ts';
import { plantedModel } from '../../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../../helpers/shared-runtime.ts';
import { temporaryFolder } from '../../../helpers/temporary.ts';

const folder = temporaryFolder();

/** A client of a real engine whose answers of one kind wait until they are let through. */
function heldClient(): { client: EngineClient; hold: (kind: RequestKind) => () => void } {
  const server = new EngineServer(testPool(), sharedRuntime);
  const file = path.join(folder, 'planted.onnx');
  fs.writeFileSync(file, plantedModel());
  server.grant({ type: 'grant', handle: 'model', path: file, use: 'read' });
  const kinds = new Map<number, RequestKind>();
  const waiting: (() => void)[] = [];
  let held: RequestKind | null = null;
  let receive: (message: unknown) => void = () => undefined;
  const client = new EngineClient();
  const listeners: ((event: MessageEvent<FromEngine>) => void)[] = [];
  const port: Port = {
    postMessage: (message: ToEngine) => {
      if (message.type === 'request') kinds.set(message.id, message.kind);
      receive(message);
    },
    addEventListener: (_, listener) => listeners.push(listener),
    start: () => undefined,
    close: () => undefined,
  };
  client.attach(port);
  server.connect({
    post: (message) => {
      const tell = (): void =>
        listeners.forEach((each) => each({ data: message } as MessageEvent<FromEngine>));
      const isHeld = message.type === 'reply' && held !== null && kinds.get(message.id) === held;
      if (isHeld) waiting.push(tell);
      else tell();
    },
    onMessage: (listener) => (receive = listener),
  });
  const hold = (kind: RequestKind): (() => void) => {
    held = kind;
    return () => {
      held = null;
      waiting.splice(0).forEach((tell) => tell());
    };
  };
  return { client, hold };
}

async function budgeted() {
  const { client, hold } = heldClient();
  const model = await client.request('open', { handle: 'model' });
  const announcer = new Announcer();
  const history = new RecipeHistory(announcer, (change) => change());
  const budgeting: Budgeting = new Budgeting({
    ...{ client, model, history, mode: 'qdq', compare: false },
    get recipes() {
      return history.present;
    },
    ...{ jobs: new Jobs(), file: { handle: 'model', label: 'planted.onnx', folder: '' } },
    nameOf: (tensor) => model.tensors[tensor]!.name,
    runs: { wanted: { samples: 2, seed: 0, inputs: null } },
  });
  await budgeting.measure();
  const side = { total: { sqnrDb: 40 } as Total };
  const marks = () =>
    sidePoints({
      ...{ budgeting, recipes: history.present, compare: false },
      sides: { a: side, b: side },
    });
  return { budgeting, history, hold, marks };
}

test('no plan of the weights is shown or used once the outputs are measured', async () => {
  const { budgeting, hold } = await budgeted();
  expect(budgeting.plan).not.toBeNull();
  const release = hold('budgetPlan');
  const measured = budgeting.setBy('outputs');
  const shown = (): unknown => [budgeting.plan, budgeting.curve, budgeting.shares, budgeting.gains];
  expect(shown()).toEqual([null, [], [], null]);
  await vi.waitFor(() => expect(budgeting.budget?.by).toBe('outputs'), { timeout: 10_000 });
  expect(shown()).toEqual([null, [], [], null]);
  // Neither is a layer left out of it.
  await budgeting.leaveOut();
  expect(budgeting.error).toBeNull();
  release();
  await measured;
  expect(budgeting.plan).not.toBeNull();
});

test('the gains of a plan stay when the engine solves for the same goal again, and are those of that plan alone', async () => {
  const { budgeting, hold } = await budgeted();
  await budgeting.setBy('outputs');
  const release = hold('sensitivity');
  const left = budgeting.leaveOut();
  const { plan } = budgeting;
  await budgeting.solve();
  expect(budgeting.plan).not.toBe(plan);
  release();
  await left;
  expect(Object.keys(budgeting.gains!)).toHaveLength(4);
  expect(budgeting.hasGainsOfOther).toBe(false);
  budgeting.maxBytes = 1;
  await budgeting.solve();
  expect([budgeting.gains, budgeting.hasGainsOfOther]).toEqual([null, true]);
  budgeting.maxBytes = plan!.fileBytes.after;
  await budgeting.solve();
  expect(budgeting.gains).not.toBeNull();
});

test('the mark of a side moves when the side does, and is gone between', async () => {
  const { budgeting, marks } = await budgeted();
  const before = marks().a!.bytes;
  budgeting.maxBytes = 20_000;
  await budgeting.solve();
  await budgeting.use('a');
  expect(marks()).toEqual({});
  await budgeting.sizeSides();
  expect(marks().a!.bytes).toBe(budgeting.plan!.fileBytes.after);
  expect(marks().a!.bytes).not.toBe(before);
});

test('a side takes the plan of the goal that was typed last', async () => {
  const { budgeting, hold, history } = await budgeted();
  budgeting.maxBytes = 20_000;
  const release = hold('budgetPlan');
  void budgeting.solve();
  const used = budgeting.use('a');
  release();
  await used;
  expect(budgeting.plan!.fileBytes.after).toBeLessThanOrEqual(20_000);
  expect(history.present.a).toEqual(budgeting.plan!.recipe);
});

test('what is left out of a plan ends with it', async () => {
  const { budgeting, hold } = await budgeted();
  await budgeting.setBy('outputs');
  hold('sensitivity');
  void budgeting.leaveOut();
  expect(budgeting.isLeavingOut).toBe(true);
  budgeting.reset();
  expect([budgeting.isLeavingOut, budgeting.gains, budgeting.error]).toEqual([false, null, null]);
});

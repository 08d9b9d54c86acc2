import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { EngineServer } from '../../../electron/engine/server.ts';
import { ONLY_PREPARED } from '../../../electron/engine/unprepared-view.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import type { TensorFigures } from '../../../shared/report.ts';
import { testPool } from '../../helpers/engine.ts';
import { Page } from '../../helpers/engine-page.ts';
import { recipe } from '../../helpers/export.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { torchLstm } from '../../helpers/torch-lstm.ts';

const folder = temporaryFolder();
const plain = recipe('int8', { minElements: 0 });
const prepared: Recipe = { ...plain, prepare: true };
const of = { handle: 'model', mode: 'dynamic' } as const;

async function opened() {
  const server = new EngineServer(testPool(), sharedRuntime);
  server.grant({
    type: 'grant',
    handle: 'model',
    path: writeFile(folder, torchLstm()),
    use: 'read',
  });
  const page = new Page(server);
  const { tensors } = await page.ask('open', { handle: 'model' });
  const grant = (handle: string, file: string) =>
    server.grant({ type: 'grant', handle, path: file, use: 'write' });
  return { page, tensors, grant };
}

async function reports(page: Page, wanted: Recipe): Promise<ReadonlyMap<number, TensorFigures>> {
  const { id, answer } = page.request('analyze', { ...of, side: 'a', recipe: wanted, first: [] });
  await answer;
  const sent = page.messages.flatMap((message) =>
    message.type === 'reports' && message.id === id ? message.reports : [],
  );
  return new Map(sent.map((report) => [report.tensor, report]));
}

test('the tensors that preparing makes follow those of the model, under recipes that prepare and others', async () => {
  const { page, tensors } = await opened();
  const before = await reports(page, plain);
  expect(before.size).toBe(tensors.length);
  const { tensors: made, preparation } = await page.ask('prepare', { handle: 'model' });
  expect(made.map(({ id, name, isMade, bytes }) => [id, name, isMade, bytes])).toEqual([
    ...[[tensors.length, 'R', true, 0] as const, [tensors.length + 1, 'W', true, 0] as const],
  ]);
  expect(preparation).toMatchObject({ constants: 2 });
  const [{ id: r }] = made as [(typeof made)[number]];
  const hh = tensors.find(({ name }) => name === 'weight_hh')!.id;

  const all = await reports(page, prepared);
  expect(all.size).toBe(tensors.length + 2);
  expect(all.get(r)).toMatchObject({ quantized: true, bytesBefore: 0 });
  expect(all.get(hh)).toMatchObject({ folded: true, bytesAfter: 0 });
  const others = await reports(page, plain);
  expect(others.get(r)).toMatchObject({ folded: true, bytesAfter: 0, reason: ONLY_PREPARED });
  expect(others.get(hh)).toEqual(before.get(hh));

  // The inspector has each side's own.
  const both = { ...of, a: prepared, b: plain, bins: 16 };
  const ofR = await page.ask('inspect', { ...both, tensor: r });
  expect(ofR.statistics.elements).toBe(6400);
  expect(ofR.a!.report.mse).toBe(all.get(r)!.mse);
  expect(ofR.b!.report).toMatchObject({ folded: true, reason: ONLY_PREPARED, bytesAfter: 0 });
  const ofHh = await page.ask('inspect', { ...both, tensor: hh });
  expect(ofHh.a!.report).toMatchObject({ folded: true, bytesAfter: 0 });
  expect(ofHh.b!.report.mse).toBe(before.get(hh)!.mse);
  const asked = { ...of, tensor: r, recipe: plain } as const;
  expect(await page.ask('scales', asked)).toEqual({ scale: [], zeroPoint: [] });
  expect(await page.ask('channels', asked)).toBeNull();
  expect(await page.ask('searchRanges', asked)).toEqual([]);
  const scales = await page.ask('scales', { ...asked, recipe: prepared });
  expect(scales.scale[0]).toBe(ofR.a!.scales.first.scale[0]);
  const dot = { of: { handle: 'model', tensor: r }, length: 64, seed: 1 };
  expect(await page.ask('dotProduct', dot)).toMatchObject({ length: 64 });
  const matches = [{ name: '^R$' }];
  expect(await page.ask('countMatches', { handle: 'model', matches })).toEqual([1]);
});

test('preview, export, budget and run are of the copy that the recipe asks for', async () => {
  const { page, grant } = await opened();
  const preview = await page.ask('previewExport', { ...of, recipe: prepared });
  expect(preview).toMatchObject({ quantized: 2, preparation: { operators: { after: 1 } } });
  const out = path.join(folder, 'window.onnx');
  grant('out', out);
  const written = { ...of, recipe: prepared, target: 'out', overwrite: true };
  const result = await page.ask('export', written);
  expect(result.bytesAfter).toBe(fs.statSync(out).size);
  expect(result.bytesAfter).toBe(preview.bytesAfter);
  const asked = { ...of, recipe: prepared, candidates: ['int4-block32'], outputs: null };
  const { budget } = await page.ask('budget', asked);
  expect(budget.names.map(({ name }) => name)).toEqual(['R', 'W']);
  const plan = await page.ask('budgetPlan', { handle: 'model', goal: { maxBytes: 12_500 } });
  expect(plan).toMatchObject({ meets: true, recipe: { prepare: true } });
  const run = { ...of, recipe: prepared, samples: 1, seed: 0, inputs: null };
  const { outputs, bytesAfter } = await page.ask('run', run);
  expect(bytesAfter).toBe(result.bytesAfter);
  expect(outputs[0]!.sqnrDb).toBeGreaterThan(30);
  // A layer has the weights that the export has: rules for those keep it in float.
  const under = { handle: 'model', of: { recipe: prepared, mode: of.mode }, only: null } as const;
  const { layers } = await page.ask('layerErrors', {
    ...under,
    ...{ samples: 1, seed: 0, inputs: null },
  });
  const { tensors: made } = await page.ask('prepare', { handle: 'model' });
  expect(layers.map(({ name, tensors: ids }) => [name, ids])).toEqual([
    ['lstm', made.map(({ id }) => id)],
  ]);
});

test('codes that GPTQ chose are chosen for the copy too, whichever was first', async () => {
  const gptq: Recipe = {
    ...prepared,
    default: { ...plain.default!, dtype: 'int4', algorithm: 'gptq' },
  };
  const calibrated = { handle: 'model', mode: 'qdq', choosesCodes: true, inputs: null } as const;
  const wanted = { ...calibrated, samples: 2, seed: 0, recipe: gptq };
  const [first, second] = [await opened(), await opened()];
  await first.page.ask('calibrate', wanted);
  await second.page.ask('prepare', { handle: 'model' });
  await second.page.ask('calibrate', wanted);
  const [one, other] = [await reports(first.page, gptq), await reports(second.page, gptq)];
  expect([...one].map(([id, { mse, reason }]) => [id, mse, reason])).toEqual(
    [...other].map(([id, { mse, reason }]) => [id, mse, reason]),
  );
});

test('a copy that somebody no longer waits for is made for those who do', async () => {
  const { page } = await opened();
  const first = page.request('prepare', { handle: 'model' });
  const second = page.request('analyze', { ...of, side: 'b', recipe: prepared, first: [] });
  page.cancel(first.id);
  expect(await first.answer).toMatchObject({ type: 'error', error: { code: 'CANCELLED' } });
  expect(await second.answer).toMatchObject({ type: 'reply', result: { quantized: 2, kept: 0 } });
});

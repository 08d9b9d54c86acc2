import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { EngineServer } from '../../../electron/engine/server.ts';
import { findPreset } from '../../../shared/presets.ts';
import type { VerifyResult } from '../../../shared/verification.ts';
import { Page } from '../../helpers/engine-page.ts';
import { testPool } from '../../helpers/engine.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { root } from '../../helpers/root.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const convolution = writeFile(
  folder,
  model({
    node: [node('Conv', ['x', 'w'], ['y'])],
    initializer: [floatTensor('w', [8, 3, 16, 16], randomValues(6144, 3))],
    input: [value('x', [1, 3, 16, 16])],
    output: [value('y', [1, 8, 1, 1])],
  }),
);

const pictures = path.join(folder, 'pictures');
fs.mkdirSync(pictures);
fs.copyFileSync(path.join(root, 'test/fixtures/pictures/rgb.png'), path.join(pictures, 'a.png'));

test('pictures become inputs as the recipe says in every run of a model', async () => {
  const server = new EngineServer(testPool(), sharedRuntime);
  const grants = [
    ['model', convolution, 'read'],
    ['pictures', pictures, 'read'],
    ['copy', path.join(folder, 'copy.onnx'), 'write'],
  ] as const;
  for (const [handle, file, use] of grants)
    server.grant({ type: 'grant', handle, path: file, use });
  const page = new Page(server);
  await page.ask('open', { handle: 'model' });
  const under = { recipe: findPreset('int8')!, mode: 'qdq' } as const;
  await page.ask('export', { handle: 'model', ...under, target: 'copy', overwrite: false });
  const wanted = { handle: 'model', samples: 1, seed: 0, inputs: 'pictures' };
  const images = { mean: [0.25, 0.5, 0.75], std: [0.001, 0.002, 0.003] };
  const calibration = { images };

  const prepared = ({ images, outputs }: VerifyResult) => [images?.settings.mean, outputs];
  const guessed = await page.ask('run', { ...wanted, ...under });
  const run = await page.ask('run', { ...wanted, ...under, calibration });
  const verified = await page.ask('verify', { ...wanted, exported: 'copy', calibration });
  expect(guessed.images?.guessed).toContain('mean');
  expect(run.images).toMatchObject({ input: 'x', settings: images });
  expect(prepared(verified)).toEqual(prepared(run));
  expect(run.outputs).not.toEqual(guessed.outputs);

  const layers = (settings: object) =>
    page.ask('layerErrors', { ...wanted, of: { exported: 'copy' }, only: null, ...settings });
  expect(await layers({ calibration })).not.toEqual(await layers({}));
  const budget = (settings: object) =>
    page.ask('budget', {
      ...{ handle: 'model', ...under, candidates: ['int8'] },
      outputs: { samples: 1, seed: 0, inputs: 'pictures', ...settings },
    });
  expect((await budget({ calibration })).budget).not.toEqual((await budget({})).budget);
});

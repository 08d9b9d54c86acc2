import * as fs from 'node:fs';
import * as os from 'node:os';
import { expect, test } from 'vitest';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { forked } from '../../../electron/engine/runtime/host.ts';
import { measureLayersOf } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { endlessModel } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

test('cancelling the measurement of layers in the middle of an inference ends its process and leaves nothing', async () => {
  const file = writeFile(temporaryFolder(), endlessModel());
  const session = Session.open(file, testPool());
  const folders = (): string[] =>
    fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith(`quantscope-run-${process.pid}-`));
  const before = folders();
  const abort = new AbortController();
  const killed: boolean[] = [];
  const runtime = () => {
    const child = forked(RUNTIME_SCRIPT);
    return { ...child, kill: () => (killed.push(true), child.kill()) };
  };
  const told: string[] = [];
  const measuring = measureLayersOf(
    session,
    runtime,
    file,
    { samples: 1, seed: 0, inputs: null },
    {
      signal: abort.signal,
      onProgress: ({ what }) => {
        told.push(what);
        // Then it looks for sizes that the model runs with, and runs it.
        setTimeout(() => abort.abort(), 700);
      },
    },
  );
  await expect(measuring).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(told).toEqual(['Finding the layers']);
  expect(killed).toEqual([true]);
  expect(folders()).toEqual(before);
  session.close();
});

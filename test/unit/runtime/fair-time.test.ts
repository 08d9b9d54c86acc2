import { expect, test } from 'vitest';
import { randomSamples } from '../../../electron/engine/calibrate/data/random-samples.ts';
import { timeFairly } from '../../../electron/engine/runtime/fair-time.ts';
import { NO_HINTS } from '../../../electron/engine/runtime/inputs.ts';
import { OnnxModel } from '../../../electron/engine/runtime/onnx-model.ts';
import { RunClock } from '../../../electron/engine/runtime/run-progress.ts';
import { matMulModel } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

test('few samples are run again until the median of both models is of 15 runs', async () => {
  const file = writeFile(temporaryFolder(), matMulModel(8, 8));
  const [original, exported] = [
    await OnnxModel.load(file, NO_HINTS),
    await OnnxModel.load(file, NO_HINTS),
  ];
  const request = { samples: 2, seed: 0, hints: NO_HINTS };
  const samples = await randomSamples(original, request);
  const clock = new RunClock(() => undefined, 2);
  await timeFairly({ original, exported, samples }, clock);
  expect(clock.times.original).toHaveLength(15);
  expect(clock.times.exported).toHaveLength(15);
  await timeFairly({ original, exported, samples }, clock);
  expect(clock.times.original).toHaveLength(15);
  await original.release();
  await exported.release();
});

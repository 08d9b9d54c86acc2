import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { preparationInWords } from '../../../electron/cli/preparation.ts';
import {
  RANDOM_WARNING,
  randomSamples,
} from '../../../electron/engine/calibrate/data/random-samples.ts';
import { openSamples } from '../../../electron/engine/calibrate/data/samples.ts';
import type { InputFacts } from '../../../electron/engine/runtime/dimensions.ts';
import { NO_HINTS } from '../../../electron/engine/runtime/inputs.ts';
import type { OutputValue } from '../../../electron/engine/runtime/runnable.ts';
import { wavFile } from '../../helpers/wav.ts';
import { npyFile } from '../../helpers/npy.ts';
import { floats } from '../../helpers/onnx-model.ts';
import { root } from '../../helpers/root.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const facts = (shape: InputFacts['shape']) => ({
  inputs: [{ name: 'x', type: 'float32', shape }],
  outputs: [],
  hints: NO_HINTS,
});
const picture = path.join(root, 'test/fixtures/pictures/rgb.png');

describe('what was understood of samples', () => {
  test('pictures: the settings, what of them was guessed, and a thumbnail', async () => {
    const images = { resize: 'cover' as const };
    const samples = await openSamples([picture], facts(['n', 3, 16, 'w']), { images });
    expect(samples.describe()).toMatchObject({
      count: 1,
      kinds: [{ kind: 'image', samples: 1 }],
      inputs: [{ name: 'x', dims: [1, 3, 16, 32], from: 'files' }],
      images: {
        input: 'x',
        settings: { resize: 'cover', size: [16, null], channels: 'RGB', layout: 'NCHW' },
        guessed: ['size', 'channels', 'mean', 'std', 'layout'],
      },
      warnings: [],
    });
    expect(preparationInWords(samples.describe())).toEqual([
      'pictures become x: resize cover to height 16 and the width in proportion, RGB, mean 0.485 0.456 0.406, std 0.229 0.224 0.225, NCHW',
      'guessed from the input: size, channels, mean, std, layout; set them with --images',
    ]);
    // It is smaller than 96 pixels, so its own.
    expect(await samples.preview(0)).toMatchObject({ kind: 'picture', width: 53, height: 37 });
  });

  test('sound: the rate and the window, and an envelope of 96 columns', async () => {
    const sound = wavFile(
      new Uint8Array(
        Int16Array.from({ length: 192 }, (_, at) => (at % 2 === 0 ? 16384 : -8192)).buffer,
      ),
    );
    const samples = await openSamples([writeFile(folder, sound, 'a.wav')], facts([1, 64]));
    expect(samples.describe()).toMatchObject({
      count: 3,
      audio: { input: 'x', rate: 16_000, window: 64 },
    });
    expect(preparationInWords(samples.describe())).toEqual([
      'sound becomes x: one channel at 16000 Hz, windows of 64 samples',
    ]);
    const preview = await samples.preview(0);
    expect(preview).toMatchObject({ kind: 'waveform', seconds: 192 / 16_000 });
    const columns = Array.from({ length: 96 }, () => [-0.25, 0.5]).flat();
    expect(preview).toHaveProperty('envelope', Float32Array.from(columns));
  });

  test('arrays have no picture', async () => {
    const file = writeFile(folder, npyFile('<f4', [1, 2], floats([1, 2])), 'a.npy');
    const samples = await openSamples([file], facts([1, 2]));
    expect(samples.describe().kinds).toEqual([{ kind: 'npy', samples: 1 }]);
    expect(await samples.preview(0)).toBeNull();
  });

  test('random samples carry a warning', async () => {
    const run = (): Promise<ReadonlyMap<string, OutputValue>> => Promise.resolve(new Map());
    const model = { ...facts([1, 2]), file: 'm.onnx', runtime: 'onnxruntime' as const, run };
    const samples = await randomSamples(model, { samples: 4, seed: 1, hints: NO_HINTS });
    expect(samples.describe()).toMatchObject({ count: 4, warnings: [RANDOM_WARNING] });
  });
});

import { samplesFor, type WantedSamples } from '../calibrate/data/samples-for.ts';
import { compareOutputs } from './compare-outputs.ts';
import { loadModel } from './load-model.ts';
import { preparing, SampleClock, type RunProgress } from './run-progress.ts';

export interface OutputNoiseRequest extends WantedSamples {
  readonly model: string;
  /** Copies of the model, each with something of it quantized. */
  readonly copies: readonly string[];
}

/**
 * How much the outputs of each copy of a model are off: noise power over signal power, the mean over its float
 * outputs; null where none can be compared. Without graph optimizations, so that it is the noise of the codes.
 * @throws AppError RUNTIME with the runtime's own words; whatever openSamples throws
 */
export async function outputNoise(
  request: OutputNoiseRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<readonly (number | null)[]> {
  onProgress(preparing('Loading the model'));
  const { model: file, copies, hints } = request;
  const original = await loadModel(file, hints, { isUnchanged: true });
  try {
    const samples = await samplesFor(original, request);
    const clock = new SampleClock(onProgress, 'Running sample', copies.length, samples.count);
    const found: (number | null)[] = [];
    for (const copy of copies) {
      const exported = await loadModel(copy, hints, { isUnchanged: true });
      try {
        const checks = await compareOutputs({ original, exported, samples }, (side, at, work) => {
          if (side === 'original') clock.sample(at);
          return work();
        });
        found.push(meanNoise([...checks.values()].map((check) => check.result([]).sqnrDb)));
      } finally {
        await exported.release();
      }
      clock.nextRound();
    }
    return found;
  } finally {
    await original.release();
  }
}

/** The mean of noise over signal; null where no output has an SQNR. */
function meanNoise(decibels: readonly (number | null)[]): number | null {
  const known = decibels.filter((db) => db !== null).map((db) => 10 ** (-db / 10));
  return known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0) / known.length;
}

import { samplesFor, type WantedSamples } from '../calibrate/data/samples-for.ts';
import { compareOutputs, type Checks } from './compare-outputs.ts';
import { loadModel } from './load-model.ts';
import { preparing, SampleClock, type RunProgress } from './run-progress.ts';

export interface OutputNoiseRequest extends WantedSamples {
  readonly model: string;
  /** Copies of the model, each with something of it quantized. */
  readonly copies: readonly string[];
  /**
   * Whether the runtime leaves graphs as they are, so that the noise is that of the codes alone. What integer kernels round
   * is part of a static export's.
   */
  readonly isUnchanged: boolean;
}

/**
 * Noise power over signal power of a copy's outputs: the mean over its float outputs. Integers and booleans count only
 * where no float output tells anything: a class or an index that differs is no error of its size.
 */
export interface OutputNoise {
  readonly noise: number;
  /** What each sample adds to it; of sequences, what each of some stretches of steps does. */
  readonly bySample: readonly number[];
}

/**
 * How much the outputs of each copy of a model are off; null where none can be compared.
 * @throws AppError RUNTIME with the runtime's own words; whatever openSamples throws
 */
export async function outputNoise(
  request: OutputNoiseRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<readonly (OutputNoise | null)[]> {
  onProgress(preparing('Loading the model'));
  const { model: file, copies, hints, isUnchanged } = request;
  const original = await loadModel(file, hints, { isUnchanged });
  try {
    const samples = await samplesFor(original, request);
    const clock = new SampleClock(onProgress, 'Running sample', copies.length, samples.count);
    const found: (OutputNoise | null)[] = [];
    for (const copy of copies) {
      const exported = await loadModel(copy, hints, { isUnchanged });
      try {
        const sums = new RunningNoise();
        const checks = await compareOutputs(
          { original, exported, samples },
          (side, at, work) => {
            if (side === 'original') clock.sample(at);
            return work();
          },
          { onCompared: (_, each) => sums.add(each) },
        );
        found.push(sums.over(checks, samples.sequence));
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

/**
 * Steps of sequences go on from one another, so that what they lose is no more independent than they are. Sums over
 * stretches of many steps are, nearly (the method of batch means).
 */
const STRETCHES = 16;

/** The noise of each output up to each sample. */
class RunningNoise {
  private readonly upTo = new Map<string, number[]>();

  add(checks: Checks): void {
    for (const [name, check] of checks) {
      const sums = this.upTo.get(name) ?? [];
      sums.push(check.power.noise);
      this.upTo.set(name, sums);
    }
  }

  /** Over the signal of each output, the mean of those that have an SQNR; null where none has. */
  over(checks: Checks, isSequence: boolean): OutputNoise | null {
    const floats = [...checks].filter(([, check]) => check.isFloat);
    // The original alone decides, so that all copies are judged by the same outputs.
    const judged = floats.some(([, check]) => check.power.signal !== 0) ? floats : [...checks];
    const known = judged.filter(([, check]) => check.result([]).sqnrDb !== null);
    if (known.length === 0) return null;
    const upTo = known.map(([name, check]) => {
      const { signal } = check.power;
      // Of an output that is exact there is none, whatever its signal.
      return this.upTo.get(name)!.map((noise) => (noise === 0 ? 0 : noise / signal / known.length));
    });
    const samples = upTo[0]!.length;
    const parts = isSequence ? Math.min(STRETCHES, samples) : samples;
    const total = (part: number): number => {
      const end = Math.round((part * samples) / parts);
      return end === 0 ? 0 : upTo.reduce((sum, each) => sum + each[end - 1]!, 0);
    };
    const bySample = Array.from({ length: parts }, (_, part) => total(part + 1) - total(part));
    return { noise: total(parts), bySample };
  }
}

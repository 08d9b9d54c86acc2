import * as path from 'node:path';
import type { CalibrationSettings } from '../../../shared/calibration-settings.ts';
import type { Preview, SamplesDescription } from '../../../shared/samples.ts';
import type { RunHints } from '../runtime/inputs.ts';
import { loadModel } from '../runtime/load-model.ts';
import { preparing, type RunProgress } from '../runtime/run-progress.ts';
import type { SampleSource } from './data/listing.ts';
import { randomSamples } from './data/random-samples.ts';
import { openSamples, type Samples } from './data/samples.ts';

export interface DescribeRequest {
  readonly model: string;
  /** Where samples are; null draws so many random ones. */
  readonly inputs: SampleSource | null;
  readonly samples: number;
  readonly seed: number;
  readonly hints: RunHints;
  readonly settings?: CalibrationSettings | undefined;
}

export interface DescribedSamples {
  readonly description: SamplesDescription;
  /** The first samples to look at, files by their names alone; empty where they are arrays. */
  readonly previews: readonly Preview[];
}

/** As many as a dialog shows in one row. */
const PREVIEWS = 6;

/**
 * What is understood of samples for a model's inputs, before anything is run on them.
 * @throws AppError as openSamples and randomSamples do
 */
export async function describeForModel(
  { model: file, inputs, samples: count, seed, hints, settings }: DescribeRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<DescribedSamples> {
  onProgress(preparing('Loading the model'));
  const model = await loadModel(file, hints);
  try {
    const facts = { inputs: model.inputs, outputs: model.outputs, hints };
    const samples =
      inputs === null
        ? await randomSamples(model, { samples: count, seed, hints })
        : await openSamples(inputs, facts, settings);
    return { description: samples.describe(), previews: await firstPreviews(samples) };
  } finally {
    await model.release();
  }
}

async function firstPreviews(samples: Samples): Promise<Preview[]> {
  const previews: Preview[] = [];
  for (let index = 0; index < samples.count && previews.length < PREVIEWS; index++) {
    if (!samples.startsSequence(index)) continue;
    const preview = await samples.preview(index);
    // Samples of one kind follow each other: where the first has no picture, no other is looked for.
    if (preview === null) break;
    previews.push({ ...preview, file: path.basename(preview.file) });
  }
  return previews;
}

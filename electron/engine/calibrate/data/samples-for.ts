import type { CalibrationSettings } from '../../../../shared/calibration-settings.ts';
import type { RunHints } from '../../runtime/inputs.ts';
import type { RunnableModel } from '../../runtime/runnable.ts';
import type { SampleSource } from './listing.ts';
import { randomSamples } from './random-samples.ts';
import { openSamples, type Samples } from './samples.ts';

export type { Samples };

/** What a model is run on. */
export interface WantedSamples {
  /** Where samples are; null draws so many random ones. */
  readonly inputs: SampleSource | null;
  readonly samples: number;
  readonly seed: number;
  readonly hints: RunHints;
  /** How many samples of files to take at most; all where it is missing. */
  readonly limit?: number | undefined;
  /** How pictures and sounds become inputs, where the recipe says it. */
  readonly settings?: CalibrationSettings | undefined;
}

/** The samples of a request for a model that is loaded. @throws whatever openSamples throws */
export function samplesFor(model: RunnableModel, wanted: WantedSamples): Promise<Samples> {
  const { inputs, hints, settings, limit } = wanted;
  if (inputs === null) return randomSamples(model, wanted);
  const facts = { inputs: model.inputs, outputs: model.outputs, hints };
  return openSamples(inputs, facts, settings, limit);
}

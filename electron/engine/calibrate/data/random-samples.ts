import { AppError } from '../../../../shared/errors.ts';
import { described } from '../../runtime/dimensions.ts';
import type { RunnableModel } from '../../runtime/runnable.ts';
import { makeInputs, sizeTries, type ModelFacts } from '../../runtime/inputs.ts';
import type { Feeds } from './sample-group.ts';
import type { Samples } from './samples.ts';

/** What runs a model once; throws what the runtime says. */
export type ModelToTry = Pick<RunnableModel, 'file' | 'runtime' | 'inputs' | 'outputs' | 'run'>;

export interface RandomWanted {
  readonly samples: number;
  readonly seed: number;
  readonly hints: ModelFacts['hints'];
}

/** Said wherever random samples stand for calibration data. */
export const RANDOM_WARNING =
  'random inputs are not representative: ranges of real data differ; give real samples';

/**
 * Seeded random samples, with the first of the sizes for free dimensions that the model accepts.
 * @throws AppError RUNTIME when it accepts none.
 */
export async function randomSamples(
  model: ModelToTry,
  { samples, seed, hints }: RandomWanted,
): Promise<Samples> {
  const make = await workingInputs(model, hints, seed);
  const first = make(seed);
  return {
    count: samples,
    sequence: false,
    carried: new Map(),
    startsSequence: () => true,
    at: (index) => Promise.resolve(make(seed + index)),
    preview: () => Promise.resolve(null),
    nameAt: () => null,
    describe: () => ({
      count: samples,
      sequence: false,
      kinds: [{ kind: 'random', samples }],
      inputs: model.inputs.map((input) => ({
        ...input,
        dims: first[input.name]!.dims,
        from: 'random',
      })),
      images: null,
      audio: null,
      warnings: [RANDOM_WARNING],
    }),
  };
}

async function workingInputs(
  model: ModelToTry,
  hints: ModelFacts['hints'],
  seed: number,
): Promise<(seed: number) => Feeds> {
  const { inputs, outputs, file } = model;
  let failure: unknown;
  for (const sizes of sizeTries(inputs)) {
    const make = (from: number): Feeds => makeInputs({ inputs, outputs, hints, sizes }, from);
    try {
      await model.run(make(seed));
      return make;
    } catch (error) {
      if (error instanceof AppError && error.code !== 'LIMIT') throw error;
      failure ??= error;
    }
  }
  if (failure instanceof AppError) throw failure;
  const found = (failure instanceof Error ? failure.message : String(failure)).split('\n')[0] ?? '';
  throw new AppError(
    'RUNTIME',
    `${model.runtime} rejected every generated input; give real ones`,
    { file, found, expected: `for each input a NAME.npy: ${inputs.map(described).join(', ')}` },
    failure,
  );
}

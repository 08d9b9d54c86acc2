import { AppError } from '../../../shared/errors.ts';
import { nextFeeds } from '../calibrate/data/next-feeds.ts';
import type { Feeds } from '../calibrate/data/sample-group.ts';
import type { Samples } from '../calibrate/data/samples.ts';
import { isFloat } from './dimensions.ts';
import { firstLine } from './onnx-session.ts';
import { OutputCheck } from './output-check.ts';
import type { OutputValue, RunnableModel } from './runnable.ts';

export type Outputs = ReadonlyMap<string, OutputValue>;
export type Checks = ReadonlyMap<string, OutputCheck>;

export interface Pair {
  readonly original: RunnableModel;
  readonly exported: RunnableModel;
  readonly samples: Samples;
}

/** Does one run of one model; `index` is the sample's. */
export type Runner = (
  side: 'original' | 'exported',
  index: number,
  work: () => Promise<Outputs>,
) => Promise<Outputs>;

/** What is told of each sample besides its comparison. */
export interface Listeners {
  /** What the original gives for the first sample. */
  readonly onFirst?: (checks: Checks, outputs: Outputs) => void;
  readonly onSample?: (
    index: number,
    feeds: Feeds,
    sides: { readonly before: Outputs; readonly after: Outputs },
  ) => void;
  /** What comparisons have come to with a sample. */
  readonly onCompared?: (index: number, checks: Checks) => void;
}

/** Run two models on every sample and compare their outputs. In a sequence each goes on with its own state. */
export async function compareOutputs(
  { original, exported, samples }: Pair,
  run: Runner,
  { onFirst, onSample, onCompared }: Listeners = {},
): Promise<Checks> {
  const checks = new Map(
    original.outputs.map((facts) => [facts.name, new OutputCheck(facts.name, isFloat(facts))]),
  );
  for (const [name, reason] of original.unfetched)
    checks.set(name, new OutputCheck(name, true, reason));
  let last: { readonly before: Outputs; readonly after: Outputs } | null = null;
  for (let index = 0; index < samples.count; index++) {
    const feeds = await samples.at(index);
    const step = (previous: Outputs | undefined): Feeds =>
      previous === undefined || samples.startsSequence(index)
        ? feeds
        : nextFeeds(feeds, previous, samples.carried);
    const [given, same]: readonly Feeds[] = [step(last?.before), step(last?.after)];
    const before = await run('original', index, () => runOnce(original, given!));
    const after = await run('exported', index, () => runOnce(exported, same!));
    last = { before, after };
    if (index === 0) onFirst?.(checks, before);
    onSample?.(index, given!, last);
    for (const [name, check] of checks)
      if (!original.unfetched.has(name)) check.add(before.get(name), after.get(name));
    onCompared?.(index, checks);
  }
  return checks;
}

/** @throws AppError RUNTIME with the runtime's own words when the model does not run on the inputs */
export async function runOnce(model: RunnableModel, feeds: Feeds): Promise<Outputs> {
  try {
    return await model.run(feeds);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError(
      'RUNTIME',
      `${model.runtime} does not run it`,
      { file: model.file, found: firstLine(error), expected: 'a run' },
      error,
    );
  }
}

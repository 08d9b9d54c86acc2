import { runOnce } from '../runtime/compare-outputs.ts';
import type { OutputValue, RunnableModel } from '../runtime/runnable.ts';
import type { SampleClock } from '../runtime/run-progress.ts';
import { nextFeeds } from './data/next-feeds.ts';
import type { Samples } from './data/samples-for.ts';

/** What of samples a run takes. */
export type Steps = Pick<Samples, 'at' | 'startsSequence' | 'sequence' | 'carried'>;

/** Run a model once on every sample that its clock counts, states passed on where samples are steps. */
export async function runSamples(
  model: RunnableModel,
  samples: Steps,
  clock: SampleClock,
  take: (outputs: ReadonlyMap<string, OutputValue>) => void,
): Promise<void> {
  let before: ReadonlyMap<string, OutputValue> | null = null;
  for (let index = 0; index < clock.samples; index++) {
    clock.sample(index);
    const given = await samples.at(index);
    const isNext = before !== null && !samples.startsSequence(index);
    const feeds = isNext ? nextFeeds(given, before!, samples.carried) : given;
    const outputs = await runOnce(model, feeds);
    take(outputs);
    before = samples.sequence ? outputs : null;
  }
  clock.nextRound();
}

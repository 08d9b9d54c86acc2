import { runOnce, type Pair } from './compare-outputs.ts';
import type { RunClock } from './run-progress.ts';

/** So many runs of each model make a median that one slow run does not move. */
const TIMED_RUNS = 15;
/** Runs for the time alone take no longer than this. */
const MAX_EXTRA_MS = 2000;

/**
 * Add runs of both models to the clock where the comparison made few. They alternate, and the first one
 * changes, so that a busy computer and warm caches touch both alike.
 */
export async function timeFairly(
  { original, exported, samples }: Pair,
  clock: RunClock,
  runs = TIMED_RUNS,
): Promise<void> {
  const started = performance.now();
  const sides = [
    ['original', original],
    ['exported', exported],
  ] as const;
  for (let round = clock.times.original.length; round < runs; round++) {
    if (performance.now() - started > MAX_EXTRA_MS) return;
    const feeds = await samples.at(round % samples.count);
    for (const [side, model] of round % 2 === 0 ? sides : [...sides].reverse())
      await clock.time(side, () => runOnce(model, feeds));
  }
}

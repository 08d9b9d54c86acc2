import { AppError } from '../../../shared/errors.ts';
import type { VerifyResult } from '../../../shared/verification.ts';
import { inputView } from '../answers/input-view.ts';
import { OutputKeeper, type Keeping } from '../answers/kept-outputs.ts';
import { samplesFor, type WantedSamples } from '../calibrate/data/samples-for.ts';
import type { RunHints } from './inputs.ts';
import { loadModel } from './load-model.ts';
import {
  compareOutputs,
  runOnce,
  type Checks,
  type Outputs,
  type Pair,
} from './compare-outputs.ts';
import { timeFairly } from './fair-time.ts';
import { RunClock, type RunProgress } from './run-progress.ts';

/** What a verification finds; the sizes of the files are known to its caller. */
export type VerifyModelsResult = Omit<VerifyResult, 'bytesBefore' | 'bytesAfter'>;

export interface VerifyRequest extends WantedSamples {
  readonly original: string;
  readonly exported: string;
  /** Where onnxruntime writes the graph of the export as it runs it. */
  readonly optimized: string;
  readonly exportedHints: RunHints;
  /** Where outputs are kept to be shown; absent where nobody looks at them. */
  readonly keep?: Keeping | undefined;
  readonly timedRuns?: number | undefined;
}

/**
 * Run two models on the same inputs and compare every output.
 * @throws AppError RUNTIME with the runtime's own words when it rejects a model or an input, or when no
 *   output can be compared.
 */
export async function verifyModels(
  request: VerifyRequest,
  onProgress: (progress: RunProgress) => void,
): Promise<VerifyModelsResult> {
  const clock = new RunClock(onProgress, request.inputs === null ? request.samples : 0);
  clock.preparing('Loading the original model');
  let original = await loadModel(request.original, request.hints, { isTimed: true });
  try {
    clock.preparing('Loading the exported model');
    const exported = await loadModel(request.exported, request.exportedHints, {
      optimized: request.optimized,
      isTimed: true,
    });
    try {
      clock.preparing('Finding input sizes');
      const samples = await samplesFor(original, request);
      clock.of = samples.count;
      const first = await samples.at(0);
      // A generator of random numbers goes on from run to run, so both models must start a new one. With a
      // seed they then draw the same numbers; without one onnxruntime takes it from a node's place.
      const isRandom = request.hints.random.length > 0;
      const renew = async (): Promise<void> => {
        await original.release();
        original = await loadModel(request.original, request.hints, { isTimed: true });
      };
      if (isRandom) await renew();
      clock.preparing('Warming up');
      const reference = await runOnce(original, first);
      const again = unseeded(request.hints).length > 0 ? await runOnce(original, first) : null;
      if (isRandom) await renew();
      else await runOnce(exported, first);
      return await compare(request, {
        original,
        exported,
        samples,
        reference,
        again,
        clock,
      });
    } finally {
      await exported.release();
    }
  } finally {
    await original.release();
  }
}

interface Comparison extends Pair {
  /** What the original gave for the first sample in an earlier run. */
  readonly reference: Outputs;
  /** What it gave in the run after that, where it draws random numbers. */
  readonly again: Outputs | null;
  readonly clock: RunClock;
}

async function compare(
  { seed, hints, keep, timedRuns }: VerifyRequest,
  comparison: Comparison,
): Promise<VerifyModelsResult> {
  const { original, exported, samples, reference, again, clock } = comparison;
  const keeper = keep === undefined ? null : new OutputKeeper(keep);
  const { images, audio } = samples.describe();
  const checks = await compareOutputs(
    comparison,
    (side, index, work) => clock.run(side, index, work),
    {
      onFirst: (all, before) => {
        for (const [name, check] of all)
          check.checkStable(reference.get(name), (again ?? before).get(name));
      },
      onSample: (index, feeds, sides) =>
        keeper?.add(index, sides, {
          file: samples.nameAt(index),
          input: () => inputView(feeds, original.runtime, images),
        }),
    },
  );
  assertCompared(exported.file, checks);
  await timeFairly(comparison, clock, timedRuns);
  const results = (compared: Checks): VerifyResult['outputs'] =>
    [...compared.values()].map((check) => check.result(unseeded(hints)));
  const weightsOnly = await compareWeights(comparison, clock.next('Weights alone, sample'));
  return {
    runtime: exported.runtime,
    samples: samples.count,
    seed,
    images,
    audio,
    outputs: results(checks),
    ...(keeper === null ? {} : { kept: keeper.count }),
    ...(weightsOnly === null ? {} : { weightsOnly: results(weightsOnly) }),
    warnings: [
      ...original.warnings,
      ...([...checks.values()].some(({ isUnstable }) => isUnstable)
        ? [randomWarning(unseeded(hints))]
        : []),
    ],
    kernels: exported.kernels,
    msBefore: median(clock.times.original),
    msAfter: median(clock.times.exported),
  };
}

/** Compare the original with the export's weights alone: without the runtime's own rounding of inputs. */
async function compareWeights(pair: Pair, clock: RunClock): Promise<Checks | null> {
  const exported = (await pair.exported.withoutRounding?.()) ?? null;
  if (exported === null) return null;
  try {
    return await compareOutputs({ ...pair, exported }, (side, index, work) =>
      clock.run(side, index, work),
    );
  } finally {
    await exported.release();
  }
}

function assertCompared(file: string, checks: Checks): void {
  const problems = [...checks].flatMap(([name, { problem }]) =>
    problem === null ? [] : [{ name, problem }],
  );
  if (problems.length < checks.size || problems.length === 0) return;
  throw new AppError('RUNTIME', 'no output can be compared', {
    file,
    field: problems[0]!.name,
    found: problems[0]!.problem ?? undefined,
  });
}

/** Operators that draw other random numbers in every run and every model. */
function unseeded({ random }: RunHints): readonly string[] {
  return random.filter(({ isSeeded }) => !isSeeded).map(({ operator }) => operator);
}

function randomWarning(random: readonly string[]): string {
  if (random.length === 0)
    return 'the model gives different outputs from run to run for the same input';
  const shown = random.slice(0, 3).join(', ') + (random.length > 3 ? ', …' : '');
  return `the model draws random numbers (${shown}), so its outputs differ from run to run`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

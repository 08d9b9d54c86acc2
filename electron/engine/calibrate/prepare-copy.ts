import { AppError } from '../../../shared/errors.ts';
import type { PreparationCheck } from '../../../shared/preparation.ts';
import type { WantedSamples } from './data/samples-for.ts';
import { runInRuntime, type Runtime, type RuntimeLimits } from '../runtime/host.ts';
import type { WrittenModel } from '../runtime/prepare.ts';
import type { RunOptions } from '../run-options.ts';

/** Time without progress after which a copy stays unchecked: a model may take as long as it likes for one sample. */
const MAX_SILENCE_MS = 120_000;

/** What is prepared, where its copy goes, and what both are compared on. */
interface Wanted {
  readonly model: string;
  readonly out: string;
  readonly check: WantedSamples;
}

/**
 * Write the prepared copy of a model, and compare both. Where comparing them takes more memory than there is, too long, or
 * ends the process, the copy stays unchecked: what is prepared need not run on random samples here.
 * @param silenceMs after which comparing them takes too long
 * @throws AppError as prepareModel
 */
export async function prepareCopy(
  runtime: Runtime,
  { check, ...wanted }: Wanted,
  { signal, onProgress }: RunOptions,
  silenceMs = MAX_SILENCE_MS,
): Promise<PreparationCheck> {
  const run = (
    checked: { readonly check?: WantedSamples },
    limits: Partial<RuntimeLimits>,
  ): Promise<WrittenModel> =>
    runInRuntime(
      runtime,
      { kind: 'prepare', ...wanted, ...checked },
      signal,
      (progress) => onProgress?.({ ...progress, item: '', bytesDone: 0, bytesOf: 0 }),
      limits,
    );
  try {
    return (await run({ check }, { silenceMs })).check!;
  } catch (error) {
    if (!hasEnded(error)) throw error;
    await run({}, {});
    return { samples: 0, sqnrDb: null, unchecked: error.message };
  }
}

/** Whether the process was ended, by a limit or by itself. */
function hasEnded(error: unknown): error is AppError {
  if (!(error instanceof AppError)) return false;
  return error.code === 'LIMIT' || (error.code === 'RUNTIME' && / crashed\b/.test(error.message));
}

import * as fs from 'node:fs';
import type { AnswerKind, SampleAnswers, TotalAgreement } from '../../../shared/answers.ts';
import type { VerifyResult } from '../../../shared/verification.ts';
import { throwIfAborted } from '../cancel.ts';
import type { RunOptions } from '../run-options.ts';
import type { Runtime } from '../runtime/host.ts';
import { temporaryFolder } from '../runtime/run-folder.ts';
import { runHintsOf } from '../runtime/run-hints.ts';
import { runBeside, type Inputs } from '../runtime/run-models.ts';
import type { Session } from '../session.ts';
import { added, IN_WORDS, KeptRun } from './kept-run.ts';

/** Outputs of one verification on the disk. */
const MOST_BYTES = 4 * 2 ** 30;

export interface AnswersWanted {
  /** What every output is shown as; null is guessed for each. */
  readonly kind: AnswerKind | null;
  readonly namesFile: string | null;
}

export interface VerifiedAnswers {
  readonly result: VerifyResult;
  readonly samples: readonly SampleAnswers[];
  readonly totals: readonly TotalAgreement[];
}

/**
 * Run the open model and an exported copy, and read what both answer in every sample.
 * @throws what runBeside and KeptRun throw
 */
export async function verifyAnswers(
  session: Session,
  runtime: Runtime,
  exported: string,
  inputs: Inputs,
  { kind, namesFile }: AnswersWanted,
  options: RunOptions,
): Promise<VerifiedAnswers> {
  const folder = temporaryFolder();
  try {
    const keep = { folder, bytes: MOST_BYTES };
    const result = await runBeside(session, runtime, exported, { ...inputs, keep }, options);
    const { opened } = session;
    const facts = { runtime: runHintsOf(opened).runtime, model: opened.files[0]!.path };
    const run = new KeptRun({ ...facts, folder, count: result.kept ?? 0 });
    const wanted = [{ output: null, kind, namesFile, order: null }];
    const samples: SampleAnswers[] = [];
    const totals = new Map<string, TotalAgreement>();
    for (let index = 0; index < run.count; index++) {
      throwIfAborted(options.signal);
      const found = await run.sample(index, wanted, IN_WORDS);
      for (const output of found.outputs)
        totals.set(output.name, added(totals.get(output.name), output));
      // Pictures of the inputs of every sample would be much memory, and nobody draws them here.
      samples.push({ ...found, input: null });
    }
    return { result, samples, totals: [...totals.values()] };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

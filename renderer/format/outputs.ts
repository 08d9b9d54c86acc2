import { newNonFinite, type VerifyResult } from '../../shared/protocol.ts';
import { shownName } from './names.ts';
import { decibels, NONE, real } from './numbers.ts';

type Output = VerifyResult['outputs'][number];

/** An output's SQNR in dB, or that there is none to judge by. */
export function outputSqnr({ sqnrDb, inconclusive }: Output): string {
  return inconclusive && sqnrDb === null ? 'inconclusive' : decibels(sqnrDb, 2);
}

/** An output's greatest error; a dash where nothing was compared. */
export function outputError({ maxAbsError, inconclusive }: Output): string {
  return inconclusive && Number.isNaN(maxAbsError) ? NONE : real(maxAbsError, 3);
}

/** What is special about the outputs and runs of a result, each a line. */
export function runNotes({ outputs, warnings }: VerifyResult): readonly string[] {
  const notes = outputs.flatMap(({ name, note }) =>
    note === null ? [] : [`${shownName(name)} ${note}`],
  );
  const failures = outputs.flatMap(({ name, nonFinite }) => {
    const words = newNonFinite(nonFinite);
    return words === null ? [] : [`Output ${shownName(name)}: ${words}`];
  });
  return [...failures, ...warnings, ...notes];
}

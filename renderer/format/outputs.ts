import { ABOUT_TIMES } from '../../shared/formats.ts';
import { ROUNDS_INPUTS, whySlower } from '../../shared/kernels.ts';
import { differenceInWords } from '../../shared/judgement.ts';
import { newNonFinite, type VerifyResult } from '../../shared/verification.ts';
import { shownName } from './names.ts';
import { decibels, decibelsWithUnit, fixed, NONE, real } from './numbers.ts';

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
export function runNotes(result: VerifyResult): readonly string[] {
  const { outputs, warnings } = result;
  const notes = outputs.flatMap(({ name, note }) =>
    note === null ? [] : [`${shownName(name)} ${note}`],
  );
  const ofTimes = [
    whySlower(result, (ratio) => fixed(ratio, 2)),
    ABOUT_TIMES[result.runtime],
  ].filter((note) => note !== null);
  return [...warnings, ...notes, ...weightsOnlyNotes(result), ...ofTimes];
}

/** What the weights alone give, where onnxruntime also quantizes inputs that the export keeps in float. */
function weightsOnlyNotes({ weightsOnly }: VerifyResult): readonly string[] {
  if (weightsOnly === undefined) return [];
  const each = weightsOnly.map(
    (output) => `${shownName(output.name)} ${decibelsWithUnit(output.sqnrDb)}`,
  );
  return [`${ROUNDS_INPUTS} The weights alone give: ${each.join(', ')}.`];
}

/** What a person must know before they use an export: each a sentence that says what to do. */
export function runWarnings({ outputs }: VerifyResult): readonly string[] {
  return outputs.flatMap(({ name, sqnrDb, nonFinite, inconclusive }) => {
    const output = `Output ${shownName(name)}`;
    const words = newNonFinite(nonFinite);
    if (words !== null)
      return [`${output} has ${words}. Keep the layers before it in float, or use a wider type.`];
    const difference = inconclusive ? null : differenceInWords(sqnrDb);
    if (difference === null) return [];
    return [
      `${output} has only ${decibelsWithUnit(sqnrDb)}: its values ${difference}. Keep the layers with the largest error in float (Budget lists them), then verify again.`,
    ];
  });
}

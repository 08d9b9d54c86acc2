import { ABOUT_TIMES } from '../../shared/formats.ts';
import { ROUNDS_INPUTS, whySlower } from '../../shared/kernels.ts';
import { differenceInWords, percent, shareInWords } from '../../shared/judgement.ts';
import { lostNonFinite, newNonFinite, type VerifyResult } from '../../shared/verification.ts';
import { shownName } from './names.ts';
import { decibels, decibelsWithUnit, fixed, NONE, real, THIN } from './numbers.ts';

type Output = VerifyResult['outputs'][number];

/** An output's SQNR in dB, of integers and text the share that is equal, or that there is none to judge by. */
export function outputSqnr({ sqnrDb, equalShare, inconclusive }: Output): string {
  if (inconclusive && sqnrDb === null) return 'inconclusive';
  if (equalShare === null || sqnrDb === Infinity) return decibels(sqnrDb, 2);
  return `${percent(equalShare)}${THIN}% equal`;
}

/** An output's cosine; a dash where there is none, and for integers, which are no vector. */
export function outputCosine({ cosine, equalShare }: Output): string {
  return cosine === null || equalShare !== null ? NONE : fixed(cosine, 5);
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
    (output) =>
      `${shownName(output.name)} ${output.equalShare === null ? decibelsWithUnit(output.sqnrDb) : outputSqnr(output)}`,
  );
  return [`${ROUNDS_INPUTS} The weights alone give: ${each.join(', ')}.`];
}

const KEEP_WORST =
  'Keep the layers with the largest error in float (Budget lists them), then verify again.';

/** What a person must know before they use an export: each a sentence that says what to do. */
export function runWarnings({ outputs }: VerifyResult): readonly string[] {
  return outputs.flatMap(({ name, sqnrDb, equalShare, nonFinite, inconclusive }) => {
    const output = `Output ${shownName(name)}`;
    const words = newNonFinite(nonFinite);
    if (words !== null)
      return [`${output} has ${words}. Keep the layers before it in float, or use a wider type.`];
    const lost = lostNonFinite(nonFinite);
    if (lost !== null) return [`${output}: ${lost}. Check the inputs and the original.`];
    if (inconclusive) return [];
    const share = shareInWords(equalShare);
    if (share !== null) return [`${output}: ${share}. ${KEEP_WORST}`];
    const difference = equalShare === null ? differenceInWords(sqnrDb) : null;
    if (difference === null) return [];
    return [
      `${output} has only ${decibelsWithUnit(sqnrDb)}: its values ${difference}. ${KEEP_WORST}`,
    ];
  });
}

import {
  agreedPercent,
  agreedShare,
  ANSWER_KINDS,
  KIND_TITLES,
  type Agreement,
  type AnswerKind,
} from '../../shared/answers.ts';
import { printable } from '../../shared/errors.ts';
import { answerInWords, plainAnswer } from '../engine/answers/plain-answer.ts';
import type { AnswersWanted, VerifiedAnswers } from '../engine/answers/verify-answers.ts';
import { UsageError, type OptionDefinition, type Values } from './command.ts';
import { print } from './output.ts';
import { toTable } from './table.ts';

export const ANSWERS_OPTIONS: readonly OptionDefinition[] = [
  {
    name: 'answers',
    value: 'KIND',
    isValueOptional: true,
    description: `Show what both models answer in each sample: ${ANSWER_KINDS.join(', ')}. Default: guessed for each output.`,
  },
  {
    name: 'labels',
    value: 'FILE',
    description:
      'Labels or a dictionary, one name a line or JSON, or a tokenizer.json. Default: a fitting file beside the model.',
  },
];

/** What --answers and --labels ask for; null where neither is given. @throws UsageError */
export function answersWanted(values: Values): AnswersWanted | null {
  const [asked, file] = [values['answers'], values['labels']];
  const namesFile = typeof file === 'string' ? file : null;
  if (asked === undefined) {
    if (namesFile !== null) throw new UsageError('--labels needs --answers');
    return null;
  }
  if (typeof asked !== 'string') return { kind: null, namesFile };
  const kind = ANSWER_KINDS.find((each) => each === asked);
  if (kind !== undefined) return { kind, namesFile };
  throw new UsageError(
    `--answers must be one of ${ANSWER_KINDS.join(', ')}, found ${printable(asked)}`,
  );
}

/** The fields that --answers adds to --json. */
export function answerFields({ samples, totals }: VerifiedAnswers): object {
  return {
    answers: samples.flatMap(({ sample, file, outputs }) =>
      outputs.map(({ name, kind, answer, agreement, sqnrDb, note }) => ({
        ...{ sample, file, output: name, kind },
        ...plainAnswer(answer),
        agree: agreement === null ? null : agreedShare(agreement),
        sqnrDb,
        ...(note === null ? {} : { note }),
      })),
    ),
    answersTotal: totals.map(({ output, kind, agreement, sameSamples, samples: of }) => ({
      ...{ output, kind, agree: agreement === null ? null : agreedShare(agreement) },
      ...(agreement === null ? {} : agreement),
      ...{ sameSamples, samples: of },
    })),
  };
}

/** Print a table of what both models answer, and how much of it agrees. */
export function printAnswers(
  { result, samples, totals }: VerifiedAnswers,
  isRandom: boolean,
): void {
  if (isRandom && totals.some(({ kind }) => NEEDS_SAMPLES.has(kind)))
    print(
      'The inputs are random numbers, so classes, texts and pictures mean nothing: give --inputs.',
    );
  const rows = samples.flatMap(({ sample, file, outputs }) =>
    outputs.map(({ name, answer, agreement }) => [
      printable(file ?? String(sample)),
      printable(name),
      ...(['before', 'after'] as const).map((side) =>
        printable(answerInWords(answer, side) ?? '-'),
      ),
      agreement === null ? '-' : shareText(agreement),
    ]),
  );
  print(toTable([['sample', 'output', 'original', 'export', 'agree'], ...rows], new Set([4])));
  if (samples.length < result.samples)
    print(
      `The outputs of the other ${result.samples - samples.length} samples are too large to keep.`,
    );
  const notes = new Set(
    samples.flatMap(({ outputs }) =>
      outputs.map(({ name, note }) => (note === null ? null : `${name}: ${note}`)),
    ),
  );
  for (const note of notes) if (note !== null) print(printable(note));
  for (const { output, kind, agreement, sameSamples, samples: of } of totals)
    if (agreement !== null)
      print(
        `${printable(output)} (${KIND_TITLES[kind]}): ${shareText(agreement)} of ${agreement.of} ${agreement.unit} agree; ${sameSamples} of ${of} samples are the same`,
      );
}

const NEEDS_SAMPLES: ReadonlySet<AnswerKind> = new Set([
  ...(['scores', 'picture', 'mask', 'boxes', 'points', 'ctc', 'tokens'] as const),
]);

function shareText(agreement: Agreement): string {
  const share = agreedShare(agreement);
  return share === null ? '-' : `${agreedPercent(share)} %`;
}

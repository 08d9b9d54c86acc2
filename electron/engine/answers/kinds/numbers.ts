import { FIRST_VALUES, type NumberFacts } from '../../../../shared/answers.ts';
import { finiteRange, type AnswerReader, type Numbered } from '../read.ts';

function factsOf({ data }: Numbered): NumberFacts {
  const [min, max] = finiteRange(data);
  let [sum, count] = [0, 0];
  for (let at = 0; at < data.length; at++) {
    if (!Number.isFinite(data[at]!)) continue;
    sum += data[at]!;
    count++;
  }
  const first = Array.from({ length: Math.min(FIRST_VALUES, data.length) }, (_, at) => data[at]!);
  return { first, min, max, mean: sum / count };
}

/** Any output: its first values, its range and its mean. */
export const numbers: AnswerReader = {
  kind: 'numbers',
  refusal: () => null,
  read: ({ before, after }) => {
    let [most, sum] = [0, 0];
    for (let at = 0; at < before.data.length; at++) {
      const [x, y] = [before.data[at]!, after.data[at]!];
      if (Object.is(x, y)) continue;
      const error = Math.abs(y - x);
      most = Math.max(most, error);
      sum += error;
    }
    return {
      answer: {
        kind: 'numbers',
        before: factsOf(before),
        after: factsOf(after),
        maxAbsError: most,
        meanAbsError: before.data.length === 0 ? NaN : sum / before.data.length,
        elements: before.data.length,
      },
      agreement: null,
    };
  },
};

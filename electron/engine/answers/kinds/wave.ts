import { MOST_COLUMNS, type Wave } from '../../../../shared/answers.ts';
import type { AnswerReader } from '../read.ts';

/** The lowest and highest value of each of at most MOST_COLUMNS columns; one value a column where they are few. */
export function waveOf(length: number, at: (index: number) => number): Wave {
  const columns = Math.min(MOST_COLUMNS, length);
  const low = new Float32Array(columns).fill(NaN);
  const high = new Float32Array(columns).fill(NaN);
  for (let column = 0; column < columns; column++) {
    const end = Math.floor(((column + 1) * length) / columns);
    for (let index = Math.floor((column * length) / columns); index < end; index++) {
      const value = at(index);
      if (!(value >= low[column]!)) low[column] = value;
      if (!(value <= high[column]!)) high[column] = value;
    }
  }
  return { low, high };
}

/** A sound or another sequence of one dimension, its values in their order. */
export const wave: AnswerReader = {
  kind: 'wave',
  refusal: ({ data }) => (data.length > 1 ? null : 'The output has one value.'),
  read: ({ before, after }) => {
    const { length } = before.data;
    return {
      answer: {
        kind: 'wave',
        before: waveOf(length, (index) => before.data[index]!),
        after: waveOf(length, (index) => after.data[index]!),
        difference: waveOf(length, (index) => after.data[index]! - before.data[index]!),
        length,
      },
      agreement: null,
    };
  },
};

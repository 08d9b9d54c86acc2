import { finiteRange, isWithin, type AnswerReader, type Numbered } from '../read.ts';
import { drawn, planesOf, type Planes } from './planes.ts';

const NO_PICTURE = 'The output does not have the shape of a picture.';

/** The values that are black and white: those of a usual picture where they fit, and the output's own otherwise. */
export function valueRange(data: ArrayLike<number>): readonly [number, number] {
  const found = finiteRange(data);
  if (Number.isNaN(found[0])) return [0, 1];
  // Resampling and quantization exceed a range by a little.
  if (isWithin(found, -0.01, 1.01)) return [0, 1];
  if (isWithin(found, -1.02, 1.02)) return [-1, 1];
  if (isWithin(found, -2, 257) && found[1] > 16) return [0, 255];
  return found[0] === found[1] ? [found[0], found[0] + 1] : found;
}

/** Red, green and blue of a place; a picture of one or two channels is grey, the fourth channel is not drawn. */
export function colourAt(
  { data }: Pick<Numbered, 'data'>,
  { channels, channelStep }: Planes,
  [low, high]: readonly [number, number],
): (start: number) => readonly [number, number, number] {
  const level = (at: number): number => ((data[at]! - low) / (high - low)) * 255;
  return (start) => {
    const red = level(start);
    if (channels < 3) return [red, red, red];
    return [red, level(start + channelStep), level(start + 2 * channelStep)];
  };
}

/** A picture of 1, 3 or 4 channels, with the greatest difference of each pixel's channels. */
export const picture: AnswerReader = {
  kind: 'picture',
  refusal: ({ dims }, { runtime }) => (planesOf(dims, runtime) === null ? NO_PICTURE : null),
  read: ({ before, after }, { runtime }) => {
    const planes = planesOf(before.dims, runtime)!;
    const range = valueRange(before.data);
    const shown = planes.channels < 3 ? 1 : 3;
    const distance = (start: number): number => {
      let most = 0;
      for (let channel = 0; channel < shown; channel++) {
        const at = start + channel * planes.channelStep;
        most = Math.max(most, Math.abs(after.data[at]! - before.data[at]!));
      }
      return most;
    };
    let mostDifference = 0;
    drawn(planes, (start) => {
      const found = distance(start);
      if (Number.isFinite(found)) mostDifference = Math.max(mostDifference, found);
      return [0, 0, 0];
    });
    const grey = (start: number): readonly [number, number, number] => {
      const level = mostDifference === 0 ? 0 : (distance(start) / mostDifference) * 255;
      return [level, level, level];
    };
    return {
      answer: {
        kind: 'picture',
        before: drawn(planes, colourAt(before, planes, range)),
        after: drawn(planes, colourAt(after, planes, range)),
        difference: drawn(planes, grey),
        mostDifference,
        range,
      },
      agreement: null,
    };
  },
};

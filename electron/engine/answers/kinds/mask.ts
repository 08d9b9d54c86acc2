import type { MaskClass } from '../../../../shared/answers.ts';
import {
  finiteRange,
  greatestOf,
  isWithin,
  labelOf,
  type AnswerReader,
  type Numbered,
} from '../read.ts';
import { drawn, planesOf, type Planes } from './planes.ts';

/** Classes of a legend. */
const MOST_CLASSES = 8;

/** Numbers of classes, or of tokens, are smaller. */
const MOST_CLASS = 1 << 20;

/** The class of each place. */
type ClassAt = (start: number) => number;

/** A whole number from 0 at each place: the classes themselves, as ArgMax leaves them. */
export function areClasses({ data }: Pick<Numbered, 'data'>): boolean {
  if (!isWithin(finiteRange(data), 0, MOST_CLASS)) return false;
  for (let at = 0; at < data.length; at++) if (!Number.isInteger(data[at]!)) return false;
  return true;
}

/**
 * Classes of the places of an output: the greatest channel; of a sole channel the class itself where all values are
 * whole and exceed 1, and otherwise whether the probability exceeds 0.5, which a logit above 0 says too.
 */
function classesOf(before: Numbered, planes: Planes): (value: Numbered) => ClassAt {
  if (planes.channels > 1)
    return ({ data }) =>
      (start) =>
        greatestOf(data, start, planes.channels, planes.channelStep);
  const range = finiteRange(before.data);
  if (range[1] > 1 && areClasses(before))
    return ({ data }) =>
      (start) =>
        Math.round(data[start]!);
  const limit = isWithin(range, -0.01, 1.01) ? 0.5 : 0;
  return ({ data }) =>
    (start) =>
      data[start]! > limit ? 1 : 0;
}

/** The background is dark; neighbouring classes differ by the golden angle of hue, in steps of three brightnesses. */
export function classColour(index: number): readonly [number, number, number] {
  if (index === 0) return [32, 36, 44];
  const hue = (index * 137.508 + 60) % 360;
  const light = [0.62, 0.48, 0.76][index % 3]!;
  const channel = (offset: number): number => {
    const place = (offset + hue / 30) % 12;
    const strength = 0.65 * Math.min(light, 1 - light);
    return 255 * (light - strength * Math.max(-1, Math.min(place - 3, 9 - place, 1)));
  };
  return [channel(0), channel(8), channel(4)].map(Math.round) as [number, number, number];
}

/**
 * A map of classes in colours, with the pixels whose class differs. Those that are background, class 0, on both sides
 * are not counted: they are most of many masks.
 */
export const mask: AnswerReader = {
  kind: 'mask',
  refusal: ({ dims }, { runtime }) =>
    planesOf(dims, runtime) === null ? 'The output does not have the shape of a mask.' : null,
  read: ({ before, after }, { runtime, names }) => {
    const planes = planesOf(before.dims, runtime)!;
    const classOf = classesOf(before, planes);
    const [one, other] = [classOf(before), classOf(after)];
    const counts = new Map<number, { before: number; after: number }>();
    const count = (index: number, side: 'before' | 'after'): void => {
      const found = counts.get(index) ?? { before: 0, after: 0 };
      counts.set(index, { ...found, [side]: found[side] + 1 });
    };
    let [wrong, of] = [0, 0];
    for (let y = 0; y < planes.height; y++)
      for (let x = 0; x < planes.width; x++) {
        const start = y * planes.rowStep + x * planes.columnStep;
        const [was, is] = [one(start), other(start)];
        if (was !== 0 || is !== 0) of++;
        if (was !== is) wrong++;
        count(was, 'before');
        count(is, 'after');
      }
    const pixels = planes.width * planes.height;
    const total = planes.channels > 1 ? planes.channels : (names?.length ?? 0);
    const classes = [...counts]
      .sort(([, a], [, b]) => b.before + b.after - a.before - a.after)
      .slice(0, MOST_CLASSES)
      .map(([index, found]): MaskClass => ({
        index,
        label: labelOf(names, index, total),
        colour: classColour(index),
        before: found.before / pixels,
        after: found.after / pixels,
      }));
    return {
      answer: {
        kind: 'mask',
        before: drawn(planes, (start) => classColour(one(start))),
        after: drawn(planes, (start) => classColour(other(start))),
        difference: drawn(planes, (start) =>
          one(start) === other(start) ? [0, 0, 0] : [255, 255, 255],
        ),
        classes,
      },
      agreement: { wrong, of, unit: 'pixels outside class 0' },
    };
  },
};

import type { InputView } from '../../../shared/answers.ts';
import type { RuntimeName } from '../../../shared/formats.ts';
import { largest } from '../../../shared/lists.ts';
import type { SamplesDescription } from '../../../shared/samples.ts';
import type { Feeds } from '../calibrate/data/sample-group.ts';
import type { ArrayValue } from '../runtime/inputs.ts';
import { numbersOf } from '../runtime/runnable.ts';
import { colourAt, valueRange } from './kinds/picture.ts';
import { drawn, planesOf, type Planes } from './kinds/planes.ts';
import { waveOf } from './kinds/wave.ts';

/** A shorter input is no sound. */
const LEAST_WAVE = 256;

type Images = SamplesDescription['images'];

/**
 * The input that shows a person what a sample is: the first that is a picture of 1, 3 or 4 channels, or else the
 * first long sequence. null where there is none.
 * @param images how pictures became inputs, which is undone; null where samples are arrays, whose range tells
 */
export function inputView(feeds: Feeds, runtime: RuntimeName, images: Images): InputView | null {
  const arrays = Object.entries(feeds).filter(
    ([, { type }]) => type !== 'string' && type !== 'bool',
  );
  for (const [name, value] of arrays) {
    if (value.dims.length < 3) continue;
    const planes = planesOf(value.dims, runtime);
    if (planes !== null && [1, 3, 4].includes(planes.channels))
      return pictureView(name, value, planes, images);
  }
  for (const [name, value] of arrays) {
    const length = largest(value.dims);
    if (length < LEAST_WAVE || length !== value.data.length) continue;
    const data = valuesOf(value);
    return { kind: 'wave', name, length, wave: waveOf(length, (at) => data[at]!) };
  }
  return null;
}

function valuesOf({ data, type }: ArrayValue): ArrayLike<number> {
  return numbersOf(data as Exclude<ArrayValue['data'], readonly string[]>, type);
}

function pictureView(name: string, value: ArrayValue, planes: Planes, images: Images): InputView {
  const data = valuesOf(value);
  const { width, height } = planes;
  const colour =
    images?.input === name
      ? pixelAt(data, planes, images)
      : colourAt({ data }, planes, valueRange(data));
  return { kind: 'picture', name, picture: drawn(planes, colour), width, height };
}

/** The pixel that became an input's values: (value x std + mean) x 255. */
function pixelAt(
  data: ArrayLike<number>,
  { channels, channelStep }: Planes,
  { settings: { mean = [], std = [], channels: order } }: NonNullable<Images>,
): (start: number) => readonly [number, number, number] {
  return (start) => {
    const level = (channel: number): number =>
      (data[start + channel * channelStep]! * (std[channel] ?? 1) + (mean[channel] ?? 0)) * 255;
    if (channels < 3) return [level(0), level(0), level(0)];
    return order === 'BGR' ? [level(2), level(1), level(0)] : [level(0), level(1), level(2)];
  };
}

import { float16Bits } from '../../../../../shared/float16.ts';
import type { ArrayData, ArrayValue } from '../../../runtime/inputs.ts';
import { frame } from './frame.ts';
import { channelCount, type PictureInput } from './picture-input.ts';
import type { Pixels } from './resample.ts';

/** Networks halve a picture up to five times, so free sizes are multiples of 32. */
const SIZE_STEP = 32;
/** The longest side where both sizes are free: larger pictures make activations of gigabytes. */
const MAX_FREE_SIZE = 1024;
/** The longest side where the other one is fixed, as in a line of text. */
const MAX_LINE_SIZE = 4096;

/** RGBA as the channels that a model takes; gray as Pillow's convert('L') has it (ITU-R 601-2). */
export function withChannels(
  { width, height, data }: Pixels,
  channels: PictureInput['channels'],
): Pixels {
  const count = channelCount(channels);
  const out = new Uint8ClampedArray(width * height * count);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const [from, to] = [pixel * 4, pixel * count];
    if (channels === 'gray')
      out[to] =
        (data[from]! * 19595 + data[from + 1]! * 38470 + data[from + 2]! * 7471 + 0x8000) >> 16;
    else
      for (let channel = 0; channel < count; channel++)
        out[to + channel] = data[from + (channels === 'BGR' ? 2 - channel : channel)]!;
  }
  return { width, height, channels: count, data: out };
}

/** Height and width for a picture: those of the input, or the picture's own as a multiple of 32. */
export function sizeFor(
  { width, height }: Pixels,
  [fixedHeight, fixedWidth]: PictureInput['size'],
): readonly [height: number, width: number] {
  const free = (size: number, most: number): number =>
    Math.min(most, Math.max(1, Math.ceil(size / SIZE_STEP)) * SIZE_STEP);
  if (fixedHeight !== null && fixedWidth !== null) return [fixedHeight, fixedWidth];
  if (fixedHeight !== null)
    return [fixedHeight, free((width * fixedHeight) / height, MAX_LINE_SIZE)];
  if (fixedWidth !== null) return [free((height * fixedWidth) / width, MAX_LINE_SIZE), fixedWidth];
  const scale = Math.min(1, MAX_FREE_SIZE / Math.max(width, height));
  return [free(height * scale, MAX_FREE_SIZE), free(width * scale, MAX_FREE_SIZE)];
}

/**
 * Pictures as one input: brought to a size (that of the first picture where it is free), normalized as
 * (value / 255 - mean) / std in float64, rounded once to the input's type, and laid out.
 */
export function pictureValues(pictures: readonly Pixels[], wanted: PictureInput): ArrayValue {
  const [height, width] = sizeFor(pictures[0]!, wanted.size);
  const framed = pictures.map((picture) =>
    frame(withChannels(picture, wanted.channels), width, height, wanted.resize),
  );
  const count = channelCount(wanted.channels);
  const each = width * height * count;
  const { input, layout } = wanted;
  const data = new ARRAYS[input.type as PictureType](each * pictures.length);
  const tables = tablesOf(wanted);
  for (const [index, { data: pixels }] of framed.entries())
    for (let at = 0; at < each; at++) {
      const channel = at % count;
      const place = layout === 'NHWC' ? at : channel * width * height + (at - channel) / count;
      data[index * each + place] = tables[channel]![pixels[at]!]!;
    }
  const one = layout === 'NCHW' ? [count, height, width] : [height, width, count];
  const dims = input.shape.length === 4 ? [pictures.length, ...one] : one;
  return { type: input.type, dims, data: data as ArrayData };
}

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  // As bits.
  float16: Uint16Array,
  uint8: Uint8Array,
  int8: Int8Array,
};
type PictureType = keyof typeof ARRAYS;

/** For each channel, what each of the 256 values of a pixel becomes. */
function tablesOf({ mean, std, input: { type } }: PictureInput): readonly (readonly number[])[] {
  const integer = (value: number, least: number, most: number): number =>
    Math.min(most, Math.max(least, Math.round(value)));
  return mean.map((center, channel) =>
    Array.from({ length: 256 }, (_, pixel) => {
      const value = (pixel / 255 - center) / std[channel]!;
      if (type === 'float16') return float16Bits(value);
      if (type === 'uint8') return integer(value, 0, 255);
      return type === 'int8' ? integer(value, -128, 127) : value;
    }),
  );
}

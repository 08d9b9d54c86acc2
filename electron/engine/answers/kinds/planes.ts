import { MOST_PIXELS, type Picture } from '../../../../shared/answers.ts';
import type { RuntimeName } from '../../../../shared/formats.ts';

/** How the numbers of a tensor are a picture: of a batch the first one. */
export interface Planes {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** Steps from one channel, row and column to the next. */
  readonly channelStep: number;
  readonly rowStep: number;
  readonly columnStep: number;
}

/** A side of fewer pixels is no picture. */
const LEAST_SIDE = 8;

/**
 * The picture that a shape is: [H, W], [C, H, W], [H, W, C] and the same in a batch. The channels are at the smaller
 * end, or beside two equal sides; where both ends are as small, where the runtime's models have them. null where it
 * is none.
 */
export function planesOf(dims: readonly number[], runtime: RuntimeName): Planes | null {
  // A batch is one more dimension, and so may be a sole channel.
  const shape = dims.length === 4 ? dims.slice(1) : dims;
  if (shape.length === 2) return planes(1, shape[0]!, shape[1]!, true);
  if (shape.length !== 3) return null;
  const [first, middle, last] = shape as [number, number, number];
  return areChannelsFirst(first, middle, last, runtime)
    ? planes(first, middle, last, true)
    : planes(last, first, middle, false);
}

/** The two sides of a picture are often equal, so that the third size is that of the channels. */
function areChannelsFirst(
  first: number,
  middle: number,
  last: number,
  runtime: RuntimeName,
): boolean {
  if (first === last) return runtime === 'onnxruntime';
  if (middle === last || first === middle) return middle === last;
  return first < last;
}

function planes(
  channels: number,
  height: number,
  width: number,
  isChannelFirst: boolean,
): Planes | null {
  if (channels < 1 || height < LEAST_SIDE || width < LEAST_SIDE) return null;
  return isChannelFirst
    ? {
        ...{ channels, height, width },
        ...{ channelStep: height * width, rowStep: width, columnStep: 1 },
      }
    : {
        ...{ channels, height, width },
        ...{ channelStep: 1, rowStep: width * channels, columnStep: channels },
      };
}

/** The size of a picture that has at most MOST_PIXELS, in the same proportions. */
export function shownSize({ width, height }: Pick<Planes, 'width' | 'height'>): {
  readonly width: number;
  readonly height: number;
} {
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const most = (side: number): number =>
    Math.min(MOST_PIXELS, Math.max(1, Math.floor(side * scale)));
  const [across, down] = [most(width), most(height)];
  // A picture of one row is as long as it may be.
  return across * down <= MOST_PIXELS
    ? { width: across, height: down }
    : { width: MOST_PIXELS, height: 1 };
}

/** Draw a picture, each pixel by the place of its nearest in the tensor. */
export function drawn(
  of: Planes,
  colour: (start: number) => readonly [number, number, number],
): Picture {
  const { width, height } = shownSize(of);
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * of.height) / height) * of.rowStep;
    for (let x = 0; x < width; x++) {
      const column = Math.floor(((x + 0.5) * of.width) / width) * of.columnStep;
      rgba.set(colour(row + column), (y * width + x) * 4);
    }
  }
  return { width, height, rgba };
}

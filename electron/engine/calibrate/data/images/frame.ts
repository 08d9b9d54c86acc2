import { roundHalfEven } from '../../../../../shared/rounding.ts';
import { resizeBilinear, type Pixels } from './resample.ts';

/** How a picture is brought to a size: padded, cropped, or with its aspect changed. */
export type Resize = 'fit' | 'cover' | 'stretch';

/**
 * A picture of the wanted size. 'fit' keeps the whole picture and pads it evenly with black, as Pillow's
 * ImageOps.pad; 'cover' fills the size and crops evenly, as ImageOps.fit; 'stretch' as Image.resize.
 */
export function frame(source: Pixels, width: number, height: number, resize: Resize): Pixels {
  if (resize === 'stretch') return resizeBilinear(source, width, height);
  return resize === 'fit' ? pad(source, width, height) : crop(source, width, height);
}

function pad(source: Pixels, width: number, height: number): Pixels {
  const ratio = source.width / source.height;
  const wanted = width / height;
  const inner = { width, height };
  if (ratio > wanted) inner.height = roundHalfEven((source.height / source.width) * width);
  else if (ratio < wanted) inner.width = roundHalfEven((source.width / source.height) * height);
  const resized = resizeBilinear(source, Math.max(1, inner.width), Math.max(1, inner.height));
  if (resized.width === width && resized.height === height) return resized;
  const { channels } = source;
  const data = new Uint8ClampedArray(width * height * channels);
  const left = roundHalfEven((width - resized.width) * 0.5);
  const top = roundHalfEven((height - resized.height) * 0.5);
  const line = resized.width * channels;
  for (let row = 0; row < resized.height; row++)
    data.set(
      resized.data.subarray(row * line, (row + 1) * line),
      ((top + row) * width + left) * channels,
    );
  return { width, height, channels, data };
}

function crop(source: Pixels, width: number, height: number): Pixels {
  const ratio = source.width / source.height;
  const wanted = width / height;
  let size = { width: source.width, height: source.height };
  if (ratio > wanted) size = { width: wanted * source.height, height: source.height };
  else if (ratio < wanted) size = { width: source.width, height: source.width / wanted };
  const left = (source.width - size.width) * 0.5;
  const top = (source.height - size.height) * 0.5;
  const box = { left, top, right: left + size.width, bottom: top + size.height };
  return resizeBilinear(source, width, height, box);
}

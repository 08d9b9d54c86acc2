/** Pixels of 8 bits, row by row, channels together. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A part of a picture in pixels; its edges may lie within pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Pillow's fixed point for 8 bits: 32 bits less the value's 8 and 2 for sign and overflow (Resample.c). */
const PRECISION_BITS = 22;

/** The pixels that one output pixel is made of, and their weights in fixed point. */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly values: Int32Array;
  /** Weights kept for each output pixel. */
  readonly stride: number;
}

/**
 * Resizes part of a picture as Pillow's Image.resize(size, BILINEAR, box) does, to the bit: a triangle
 * that is as wide as the reduction (antialiasing), columns first, then rows, each rounded to 8 bits.
 */
export function resizeBilinear(source: Pixels, width: number, height: number, box?: Box): Pixels {
  const { left, top, right, bottom } = box ?? {
    left: 0,
    top: 0,
    right: source.width,
    bottom: source.height,
  };
  const isWide = width !== source.width || left !== 0 || right !== width;
  const isHigh = height !== source.height || top !== 0 || bottom !== height;
  const columns = isWide
    ? alongRows(source, width, weightsOf(source.width, left, right, width))
    : source;
  return isHigh
    ? alongColumns(columns, height, weightsOf(source.height, top, bottom, height))
    : columns;
}

/** Pillow's precompute_coeffs and normalize_coeffs_8bpc for its bilinear filter. */
function weightsOf(inSize: number, from: number, to: number, outSize: number): Weights {
  const scale = (to - from) / outSize;
  const reach = Math.max(scale, 1);
  const stride = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const values = new Int32Array(outSize * stride);
  const exact = new Float64Array(stride);
  for (let at = 0; at < outSize; at++) {
    const center = from + (at + 0.5) * scale;
    const low = Math.max(0, Math.trunc(center - reach + 0.5));
    const size = Math.min(inSize, Math.trunc(center + reach + 0.5)) - low;
    let sum = 0;
    for (let tap = 0; tap < size; tap++) {
      const distance = Math.abs((tap + low - center + 0.5) * (1 / reach));
      exact[tap] = distance < 1 ? 1 - distance : 0;
      sum += exact[tap]!;
    }
    for (let tap = 0; tap < size; tap++) {
      const weight = sum === 0 ? exact[tap]! : exact[tap]! / sum;
      values[at * stride + tap] = Math.trunc(0.5 + weight * 2 ** PRECISION_BITS);
    }
    first[at] = low;
    count[at] = size;
  }
  return { first, count, values, stride };
}

function alongRows(source: Pixels, width: number, weights: Weights): Pixels {
  const { height, channels } = source;
  const data = new Uint8ClampedArray(width * height * channels);
  for (let row = 0; row < height; row++)
    weigh(source.data, row * source.width * channels, channels, weights, {
      data,
      start: row * width * channels,
      step: channels,
      channels,
    });
  return { width, height, channels, data };
}

function alongColumns(source: Pixels, height: number, weights: Weights): Pixels {
  const { width, channels } = source;
  const line = width * channels;
  const data = new Uint8ClampedArray(line * height);
  for (let column = 0; column < width; column++)
    weigh(source.data, column * channels, line, weights, {
      data,
      start: column * channels,
      step: line,
      channels,
    });
  return { width, height, channels, data };
}

interface Line {
  readonly data: Uint8ClampedArray;
  readonly start: number;
  readonly step: number;
  readonly channels: number;
}

/** One line of output pixels from one of input pixels, which are `step` values apart. */
function weigh(
  source: Pixels['data'],
  start: number,
  step: number,
  { first, count, values, stride }: Weights,
  out: Line,
): void {
  for (let at = 0; at < first.length; at++)
    for (let channel = 0; channel < out.channels; channel++) {
      let sum = 1 << (PRECISION_BITS - 1);
      let from = start + first[at]! * step + channel;
      for (let tap = 0; tap < count[at]!; tap++, from += step)
        sum += source[from]! * values[at * stride + tap]!;
      out.data[out.start + at * out.step + channel] = sum >> PRECISION_BITS;
    }
}

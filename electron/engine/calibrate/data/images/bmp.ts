import { AppError } from '../../../../../shared/errors.ts';
import { endsEarly } from './picture-header.ts';
import type { Pixels } from './resample.ts';

/*
 * Windows bitmaps (BITMAPCOREHEADER, BITMAPINFOHEADER and later). Two libraries were tried: bmp-ts 1.0.9
 * decodes palettes wrongly, fast-bmp 4.0.1 knows neither palettes nor common bit masks.
 */

const [UNCOMPRESSED, RLE8, RLE4, BIT_FIELDS, ALPHA_BIT_FIELDS] = [0, 1, 2, 3, 6];

interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Where the rows begin. */
  readonly start: number;
  /** Where the palette begins, and how many bytes each colour has. */
  readonly palette: readonly [at: number, bytes: number];
  readonly masks: readonly number[];
}

/** A bitmap as RGBA, from a file whose size is checked. @throws AppError naming the file. */
export function decodeBmp(bytes: Uint8Array, file: string): Pixels {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = bmpHeader(view, file);
  const { width, height } = header;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  try {
    if (header.compression === RLE8 || header.compression === RLE4)
      drawIndices(view, header, runLengths(view, header), data);
    else if (header.bits <= 8) drawIndices(view, header, packedIndices(view, header), data);
    else drawColours(view, header, data);
  } catch (error) {
    // DataView is what holds every read within the file.
    if (error instanceof RangeError) throw endsEarly(file, bytes);
    throw error;
  }
  return { width, height, channels: 4, data };
}

function bmpHeader(view: DataView, file: string): BmpHeader {
  const size = view.getUint32(14, true);
  const start = view.getUint32(10, true);
  if (size === 12) {
    const [width, height] = [view.getUint16(18, true), view.getUint16(20, true)];
    const bits = view.getUint16(24, true);
    return checked(
      {
        width,
        height,
        isTopDown: false,
        bits,
        compression: 0,
        start,
        palette: [26, 3],
        masks: RGB555,
      },
      file,
    );
  }
  if (view.byteLength < 54) throw endsEarly(file, { length: view.byteLength });
  const [width, rows] = [view.getInt32(18, true), view.getInt32(22, true)];
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)];
  const hasMasks = compression === BIT_FIELDS || compression === ALPHA_BIT_FIELDS;
  if (hasMasks && view.byteLength < 66) throw endsEarly(file, { length: view.byteLength });
  const masks = hasMasks ? [54, 58, 62].map((at) => view.getUint32(at, true)) : null;
  return checked(
    {
      width,
      height: Math.abs(rows),
      isTopDown: rows < 0,
      bits,
      compression,
      start,
      palette: [14 + size, 4],
      masks: masks ?? (bits === 16 ? RGB555 : RGB888),
    },
    file,
  );
}

const RGB555 = [0x7c00, 0x3e0, 0x1f];
const RGB888 = [0xff0000, 0xff00, 0xff];

function checked(header: BmpHeader, file: string): BmpHeader {
  const { bits, compression } = header;
  const isKnown =
    (compression === UNCOMPRESSED && [1, 2, 4, 8, 16, 24, 32].includes(bits)) ||
    (compression === RLE8 && bits === 8) ||
    (compression === RLE4 && bits === 4) ||
    ((compression === BIT_FIELDS || compression === ALPHA_BIT_FIELDS) && bits >= 16);
  if (isKnown) return header;
  throw new AppError('UNSUPPORTED', 'the bitmap is stored in a way that is not supported', {
    file,
    field: 'compression',
    found: `${compression} with ${bits} bits a pixel`,
    expected: 'an uncompressed bitmap, or one of run lengths',
  });
}

/** The row of the picture that the file's row is. */
function rowOf({ height, isTopDown }: BmpHeader, row: number): number {
  return isTopDown ? row : height - 1 - row;
}

/** Rows are padded to four bytes. */
function lineBytes({ width, bits }: BmpHeader): number {
  return Math.ceil((width * bits) / 32) * 4;
}

function packedIndices(view: DataView, header: BmpHeader): Uint8Array {
  const { width, height, bits, start } = header;
  const indices = new Uint8Array(width * height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const bit = column * bits;
      const byte = view.getUint8(start + row * lineBytes(header) + (bit >> 3));
      indices[row * width + column] = (byte >> (8 - bits - (bit & 7))) & ((1 << bits) - 1);
    }
  return indices;
}

/** Indices of a bitmap of run lengths; what a jump leaves out has index 0. */
function runLengths(view: DataView, { width, height, bits, start }: BmpHeader): Uint8Array {
  const indices = new Uint8Array(width * height);
  const step = bits === 8 ? 1 : 2;
  let [at, row, column] = [start, 0, 0];
  const put = (byte: number, pixel: number): void => {
    const index = step === 1 ? byte : pixel % 2 === 0 ? byte >> 4 : byte & 15;
    if (row < height && column < width) indices[row * width + column++] = index;
  };
  while (row < height) {
    const [count, code] = [view.getUint8(at), view.getUint8(at + 1)];
    at += 2;
    if (count > 0) for (let pixel = 0; pixel < count; pixel++) put(code, pixel);
    else if (code === 0) [row, column] = [row + 1, 0];
    else if (code === 1) break;
    else if (code === 2) {
      column += view.getUint8(at);
      row += view.getUint8(at + 1);
      at += 2;
    } else {
      for (let pixel = 0; pixel < code; pixel++)
        put(view.getUint8(at + Math.floor(pixel / step)), pixel);
      // Padded to two bytes.
      at += Math.ceil(code / step / 2) * 2;
    }
  }
  return indices;
}

function drawIndices(
  view: DataView,
  header: BmpHeader,
  indices: Uint8Array,
  data: Uint8ClampedArray,
): void {
  const { width, height, palette } = header;
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const colour = palette[0] + indices[row * width + column]! * palette[1];
      const to = (rowOf(header, row) * width + column) * 4;
      for (let channel = 0; channel < 3; channel++)
        data[to + channel] = view.getUint8(colour + 2 - channel);
    }
}

function drawColours(view: DataView, header: BmpHeader, data: Uint8ClampedArray): void {
  const { width, height, bits, start, masks } = header;
  const shifts = masks.map((mask) => 31 - Math.clz32(mask & -mask));
  const most = masks.map((mask, channel) => Math.max(1, mask >>> Math.max(0, shifts[channel]!)));
  const bytes = bits / 8;
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const at = start + row * lineBytes(header) + column * bytes;
      let pixel = view.getUint16(at, true);
      if (bytes === 3) pixel |= view.getUint8(at + 2) << 16;
      if (bytes === 4) pixel = view.getUint32(at, true);
      const to = (rowOf(header, row) * width + column) * 4;
      for (let channel = 0; channel < 3; channel++) {
        const value = (pixel & masks[channel]!) >>> Math.max(0, shifts[channel]!);
        data[to + channel] = Math.floor((value * 255) / most[channel]!);
      }
    }
}

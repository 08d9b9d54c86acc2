import { AppError } from '../../../../../shared/errors.ts';

export type PictureFormat = 'PNG' | 'JPEG' | 'WebP' | 'BMP';

/** What the first bytes of a picture say, before anything is decoded. */
export interface PictureHeader {
  readonly format: PictureFormat;
  readonly width: number;
  readonly height: number;
}

/** Decoded at four bytes a pixel: 256 MB. */
const MAX_PIXELS = 1 << 26;
/** Each scan of a progressive JPEG goes over the whole picture; libjpeg-turbo's own fuzzers stop at this many. */
const MAX_SCANS = 500;

/**
 * A picture's format and size by its bytes, whatever its name is.
 * @throws AppError MALFORMED for a picture that ends early or is none, LIMIT over 2^26 pixels,
 *   UNSUPPORTED for a CMYK JPEG.
 */
export function readPictureHeader(bytes: Uint8Array, file: string): PictureHeader {
  const header = sizeOf(bytes, file);
  if (header === null) throw notAPicture(file, `${bytes.length} bytes of another format`);
  const { width, height } = header;
  if (width < 1 || height < 1) throw notAPicture(file, `${width} x ${height} pixels`);
  if (width * height > MAX_PIXELS)
    throw new AppError('LIMIT', 'the picture is too large', {
      file,
      field: 'size',
      found: `${width} x ${height} pixels`,
      expected: `at most ${MAX_PIXELS} pixels`,
    });
  return header;
}

export function notAPicture(file: string, found: string, cause?: unknown): AppError {
  const expected = 'a whole PNG, JPEG, WebP or BMP file';
  const details = { file, field: 'picture', found, expected };
  return new AppError('MALFORMED', 'cannot be decoded as a picture', details, cause);
}

function sizeOf(bytes: Uint8Array, file: string): PictureHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number, length: number): string =>
    Buffer.from(bytes.subarray(at, at + length)).toString('latin1');
  if (text(0, 8) === '\u0089PNG\r\n\u001a\n') {
    if (bytes.length < 33) throw endsEarly(file, bytes);
    return { format: 'PNG', width: view.getUint32(16), height: view.getUint32(20) };
  }
  if (text(0, 3) === '\u00ff\u00d8\u00ff') return jpegSize(view, file);
  if (text(0, 4) === 'RIFF' && text(8, 4) === 'WEBP') return webpSize(view, text(12, 4), file);
  if (text(0, 2) !== 'BM') return null;
  if (bytes.length < 26) throw endsEarly(file, bytes);
  if (view.getUint32(14, true) === 12)
    return { format: 'BMP', width: view.getUint16(18, true), height: view.getUint16(20, true) };
  // A negative height says that the rows go from the top.
  const height = Math.abs(view.getInt32(22, true));
  return { format: 'BMP', width: view.getInt32(18, true), height };
}

export function endsEarly(file: string, { length }: { readonly length: number }): AppError {
  return notAPicture(file, `a file that ends early, after ${length} bytes`);
}

/** Walks a JPEG's segments (ITU T.81, annex B): its frame's size, the scans, and its end. */
function jpegSize(view: DataView, file: string): PictureHeader {
  const end = view.byteLength;
  let size: PictureHeader | null = null;
  let scans = 0;
  for (let at = 2; at + 1 < end;) {
    const marker = view.getUint8(at) === 0xff ? view.getUint8(at + 1) : 0;
    // Entropy-coded data, stuffed bytes, restarts and filling between segments.
    if (marker === 0 || marker === 0xff || marker === 1 || (marker >= 0xd0 && marker <= 0xd8)) {
      at++;
      continue;
    }
    if (marker === 0xd9 && size !== null && scans > 0) return size;
    if (at + 4 > end) break;
    const length = view.getUint16(at + 2);
    if (isFrame(marker) && at + 10 <= end) size = jpegFrame(view, at, file);
    if (marker === 0xda && ++scans > MAX_SCANS)
      throw new AppError('LIMIT', 'the JPEG picture has too many scans', {
        file,
        field: 'scans',
        found: `over ${MAX_SCANS}`,
        expected: `at most ${MAX_SCANS}`,
      });
    at += 2 + length;
  }
  throw endsEarly(file, { length: end });
}

/** SOF0 to SOF15, which the codes of DHT, JPG and DAC interrupt. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

function jpegFrame(view: DataView, at: number, file: string): PictureHeader {
  const components = view.getUint8(at + 9);
  if (components === 4)
    throw new AppError('UNSUPPORTED', 'the JPEG picture is in CMYK', {
      file,
      field: 'components',
      found: '4',
      expected: '1 or 3; save it in RGB',
    });
  return { format: 'JPEG', width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
}

/** The size in a WebP's first chunk (RFC 9649). */
function webpSize(view: DataView, chunk: string, file: string): PictureHeader | null {
  if (view.byteLength < 30 || view.getUint32(4, true) + 8 > view.byteLength)
    throw endsEarly(file, { length: view.byteLength });
  const bits24 = (at: number): number => view.getUint16(at, true) + view.getUint8(at + 2) * 65536;
  if (chunk === 'VP8X') return { format: 'WebP', width: bits24(24) + 1, height: bits24(27) + 1 };
  if (chunk === 'VP8L') {
    const bits = view.getUint32(21, true);
    return { format: 'WebP', width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (chunk !== 'VP8 ') return null;
  const [width, height] = [view.getUint16(26, true), view.getUint16(28, true)];
  return { format: 'WebP', width: width & 0x3fff, height: height & 0x3fff };
}

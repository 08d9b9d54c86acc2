import { AppError } from '../../../../../shared/errors.ts';
import { readRange, withFile } from '../sample-file.ts';

/*
 * RIFF/WAVE (Microsoft's multimedia programming interface 1.0). No kept library reads a part of a file, and
 * the format is a list of chunks; parts are read so that an hour of sound takes the memory of one window.
 */

/** What a .wav says of its samples. */
export interface WavFacts {
  readonly file: string;
  /** In Hz. */
  readonly rate: number;
  readonly channels: number;
  readonly bits: number;
  readonly isFloat: boolean;
  /** Byte offset of the first frame. */
  readonly start: number;
  /** One value for each channel make a frame. */
  readonly frames: number;
}

const [PCM, FLOAT, EXTENSIBLE] = [1, 3, 0xfffe];
/** A file of more chunks before its samples has none. */
const MAX_CHUNKS = 1000;
/** From the telephone's half to studio recordings; others are damaged. */
const [MIN_RATE, MAX_RATE] = [1000, 768_000];
const MAX_CHANNELS = 256;

/** @throws AppError naming the file when it is no whole .wav, UNSUPPORTED for compressed samples. */
export function readWavFacts(file: string): WavFacts {
  return withFile(file, (fd, size) => {
    const read = (from: number, length: number): DataView => {
      if (from + length > size) throw notWav(file, 'file', `it ends after ${size} bytes`);
      return new DataView(readRange(file, fd, from, length).buffer);
    };
    const text = (view: DataView, at: number): string =>
      Buffer.from(view.buffer, at, 4).toString('latin1');
    const head = read(0, 12);
    if (text(head, 0) !== 'RIFF' || text(head, 8) !== 'WAVE')
      throw notWav(file, 'magic', `${text(head, 0)} ${text(head, 8)}`);
    let format: Format | null = null;
    for (let [at, chunks] = [12, 0]; chunks < MAX_CHUNKS; chunks++) {
      const chunk = read(at, 8);
      const [name, length] = [text(chunk, 0), chunk.getUint32(4, true)];
      if (name === 'fmt ') format = formatOf(read(at + 8, Math.min(length, 40)), file);
      if (name === 'data') return withSamples(file, format, at + 8, length, size);
      // Padded to two bytes.
      at += 8 + length + (length % 2);
    }
    throw notWav(file, 'data', `none in ${MAX_CHUNKS} chunks`);
  });
}

type Format = Pick<WavFacts, 'rate' | 'channels' | 'bits' | 'isFloat'>;

function formatOf(view: DataView, file: string): Format {
  if (view.byteLength < 16) throw notWav(file, 'fmt', `${view.byteLength} bytes`);
  const tag = view.getUint16(0, true);
  // The true format is the first part of a GUID.
  const kind = tag === EXTENSIBLE && view.byteLength >= 26 ? view.getUint16(24, true) : tag;
  const [channels, rate, bits] = [
    view.getUint16(2, true),
    view.getUint32(4, true),
    view.getUint16(14, true),
  ];
  const isKnown =
    (kind === PCM && [8, 16, 24, 32].includes(bits)) || (kind === FLOAT && [32, 64].includes(bits));
  if (!isKnown)
    throw new AppError('UNSUPPORTED', 'the samples are stored in a way that is not supported', {
      file,
      field: 'fmt',
      found: `format ${kind} with ${bits} bits`,
      expected: 'PCM of 8, 16, 24 or 32 bits, or float of 32 or 64 bits',
    });
  if (channels < 1 || channels > MAX_CHANNELS || rate < MIN_RATE || rate > MAX_RATE)
    throw notWav(file, 'fmt', `${channels} channels at ${rate} Hz`);
  return { rate, channels, bits, isFloat: kind === FLOAT };
}

function withSamples(
  file: string,
  format: Format | null,
  start: number,
  length: number,
  size: number,
): WavFacts {
  if (format === null) throw notWav(file, 'fmt', 'no format before the samples');
  // What writes to a pipe cannot know the length.
  const isOpen = length === 0xffffffff || length === 0;
  if (!isOpen && start + length > size) throw notWav(file, 'data', `it ends after ${size} bytes`);
  const bytes = isOpen ? size - start : length;
  const frames = Math.floor(bytes / ((format.bits / 8) * format.channels));
  if (frames === 0) throw notWav(file, 'data', 'no samples');
  return { file, ...format, start, frames };
}

function notWav(file: string, field: string, found: string): AppError {
  const expected = 'a whole .wav file';
  return new AppError('MALFORMED', 'cannot be read as sound', { file, field, found, expected });
}

/** Frames as one channel, the mean of all, from -1 to 1; zero before the first and after the last. */
export function readMono(wav: WavFacts, from: number, count: number): Float64Array {
  const out = new Float64Array(count);
  const first = Math.max(0, from);
  const frames = Math.min(wav.frames, from + count) - first;
  if (frames <= 0) return out;
  const bytes = wav.bits / 8;
  const step = bytes * wav.channels;
  const read = withFile(wav.file, (fd) =>
    readRange(wav.file, fd, wav.start + first * step, frames * step),
  );
  const view = new DataView(read.buffer);
  const value = wav.isFloat ? FLOATS[wav.bits]! : INTEGERS[wav.bits]!;
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0;
    for (let channel = 0; channel < wav.channels; channel++)
      sum += value(view, frame * step + channel * bytes);
    out[first - from + frame] = sum / wav.channels;
  }
  return out;
}

type Value = (view: DataView, at: number) => number;

const INTEGERS: Readonly<Record<number, Value>> = {
  // Only 8 bits are unsigned.
  8: (view, at) => (view.getUint8(at) - 128) / 2 ** 7,
  16: (view, at) => view.getInt16(at, true) / 2 ** 15,
  24: (view, at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65536) / 2 ** 23,
  32: (view, at) => view.getInt32(at, true) / 2 ** 31,
};
const FLOATS: Readonly<Record<number, Value>> = {
  32: (view, at) => view.getFloat32(at, true),
  64: (view, at) => view.getFloat64(at, true),
};

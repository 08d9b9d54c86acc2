import type { Preview } from '../../../../shared/samples.ts';
import { decodePicture } from './images/decode-picture.ts';
import { resizeBilinear } from './images/resample.ts';
import { readMono, readWavFacts } from './audio/wav.ts';

/** The longest side of a thumbnail, and the columns of a waveform. */
const PREVIEW_SIZE = 96;
/** A waveform's column shows this many of its samples at most, so that an hour is drawn as fast as a second. */
const MAX_COLUMN_FRAMES = 4096;

/** A picture of at most 96 x 96 pixels, as its file has it. @throws AppError naming the file. */
export async function pictureThumbnail(file: string): Promise<Preview> {
  const picture = await decodePicture(file);
  const scale = Math.min(1, PREVIEW_SIZE / Math.max(picture.width, picture.height));
  const side = (size: number): number => Math.max(1, Math.round(size * scale));
  const { width, height, data } = resizeBilinear(
    picture,
    side(picture.width),
    side(picture.height),
  );
  return { kind: 'picture', file, width, height, rgba: new Uint8ClampedArray(data) };
}

/** A .wav as 96 columns; long ones show the first samples of each column. @throws AppError naming the file. */
export function waveformEnvelope(file: string): Preview {
  const wav = readWavFacts(file);
  const envelope = new Float32Array(PREVIEW_SIZE * 2);
  for (let column = 0; column < PREVIEW_SIZE; column++) {
    const from = Math.floor((column * wav.frames) / PREVIEW_SIZE);
    const to = Math.max(from + 1, Math.floor(((column + 1) * wav.frames) / PREVIEW_SIZE));
    let [low, high] = [Infinity, -Infinity];
    for (const value of readMono(wav, from, Math.min(to - from, MAX_COLUMN_FRAMES))) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    envelope.set([low, high], column * 2);
  }
  return { kind: 'waveform', file, envelope, seconds: wav.frames / wav.rate };
}

import { readMono, type WavFacts } from './wav.ts';

/** Zero crossings of the filter on each side, and the share of the band it passes: torchaudio's defaults. */
const [LOWPASS_WIDTH, ROLLOFF] = [6, 0.99];

/** How many samples a file has at another rate. */
export function samplesAt({ frames, rate }: WavFacts, wanted: number): number {
  return Math.max(1, Math.floor((frames * wanted) / rate));
}

/**
 * Samples of a file at another rate, as torchaudio.functional.resample makes them: a sinc under a Hann
 * window, cut at the lower of the two bands, so that what the lower rate cannot hold is not aliased.
 * @param from the first sample, counted at the wanted rate
 */
export function readAtRate(
  wav: WavFacts,
  wanted: number,
  from: number,
  count: number,
): Float64Array {
  if (wav.rate === wanted) return readMono(wav, from, count);
  const band = Math.min(wav.rate, wanted) * ROLLOFF;
  const reach = Math.ceil((LOWPASS_WIDTH * wav.rate) / band);
  const step = wav.rate / wanted;
  const first = Math.floor(from * step) - reach;
  const source = readMono(wav, first, Math.ceil(count * step) + 2 * reach + 2);
  const out = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    const center = (from + at) * step;
    let sum = 0;
    const low = Math.floor(center) - reach;
    for (let frame = low; frame <= low + 2 * reach + 1; frame++) {
      const time = ((frame - center) / wav.rate) * band;
      if (Math.abs(time) < LOWPASS_WIDTH) sum += (source[frame - first] ?? 0) * filter(time);
    }
    out[at] = (sum * band) / wav.rate;
  }
  return out;
}

function filter(time: number): number {
  const window = Math.cos((time * Math.PI) / LOWPASS_WIDTH / 2) ** 2;
  return time === 0 ? 1 : (window * Math.sin(time * Math.PI)) / (time * Math.PI);
}

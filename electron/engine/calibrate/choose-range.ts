import { scaleRange, type ScaleZeroPoint } from '../../../shared/affine.ts';
import type { ActivationScheme } from '../../../shared/recipe.ts';
import { HISTOGRAM_BINS, type ChosenRange, type ObservedValue } from '../../../shared/ranges.ts';
import { sqnrDb } from '../../../shared/report.ts';
import { roundHalfEven } from '../../../shared/rounding.ts';
import { activationParameters } from '../quantize/activation-parameters.ts';
import { leastDivergence } from '../quantize/divergence.ts';

/**
 * The range that a scheme's method chooses of what was observed.
 * @param part values beyond it count as its ends, but for a range set by hand
 */
export function chooseRange(
  observed: ObservedValue,
  scheme: ActivationScheme,
  part: ChosenRange = { low: observed.min, high: observed.max },
): ChosenRange {
  const { range } = scheme;
  if (range === 'minmax') return part;
  if (range === 'mse') return leastErrorRange(observed, scheme, part);
  if (range === 'entropy') {
    const limit = entropyLimit(observed, scheme);
    return within(part, { low: -limit, high: limit });
  }
  if ('clip' in range) return { low: range.clip[0], high: range.clip[1] };
  return within(part, percentileRange(observed, range.percentile, scheme.symmetric));
}

function within(part: ChosenRange, { low, high }: ChosenRange): ChosenRange {
  return { low: Math.max(low, part.low), high: Math.min(high, part.high) };
}

/** Lower edges of bins, and of the one that would follow, as Histogram has them. */
function edgeOf({ min, max }: ObservedValue, bin: number, bins: number): number {
  const limit = Math.max(Math.abs(min), Math.abs(max));
  if (bin === bins) return limit;
  return Math.fround(Math.fround(bin * Math.fround(Math.fround(2 * limit) / bins)) - limit);
}

/** Bins of onnxruntime's histogram. */
const REFERENCE_BINS = 2048;

/**
 * The range that leaves out so many percent of the values: of magnitudes where it is symmetric, else half at
 * each end. Ends lie on the edges of 2048 bins, as those of onnxruntime's PercentileCalibrater.
 */
function percentileRange(
  observed: ObservedValue,
  percent: number,
  symmetric: boolean,
): ChosenRange {
  const share = HISTOGRAM_BINS / REFERENCE_BINS;
  const total = observed.histogram.reduce((sum, count) => sum + count, 0);
  const cumulative = new Float64Array(REFERENCE_BINS);
  let sum = 0;
  for (let bin = 0; bin < REFERENCE_BINS; bin++) {
    let count = 0;
    for (let part = 0; part < share; part++) count += observed.histogram[bin * share + part]!;
    sum += count / total;
    cumulative[bin] = sum;
  }
  const edgeAt = (part: number): number => {
    const found = cumulative.findIndex((reached) => reached >= part);
    return edgeOf(observed, found < 0 ? REFERENCE_BINS : found, REFERENCE_BINS);
  };
  // As the reference computes it: a share of the values may end exactly there.
  const cut = (100 - percent) / 200;
  const [low, high] = symmetric
    ? [-edgeAt(percent / 100), edgeAt(percent / 100)]
    : [edgeAt(cut), edgeAt(1 - cut)];
  return { low, high };
}

/** The magnitude whose window diverges least from the whole histogram, among all windows of at least as many bins as codes. */
function entropyLimit(observed: ObservedValue, { dtype, symmetric }: ActivationScheme): number {
  const { qmin, qmax } = scaleRange(dtype, symmetric);
  const levels = Math.min(qmax - qmin + 1, 256);
  const half = leastDivergence(Float64Array.from(observed.histogram), levels);
  const limit = Math.max(Math.abs(observed.min), Math.abs(observed.max));
  return (half * 2 * limit) / HISTOGRAM_BINS;
}

/** What both ends, or one, are multiplied with. The first, the whole range, wins ties. */
const BOTH = Array.from({ length: 24 }, (_, step) => 2 ** (-step / 4));
const AROUND = Array.from({ length: 17 }, (_, step) => 2 ** ((step - 8) / 8));

/** The range whose codes lose least, by the sum of squared errors of the bins' centres: both ends first, then each. */
function leastErrorRange(
  observed: ObservedValue,
  scheme: ActivationScheme,
  part: ChosenRange,
): ChosenRange {
  const { low: min, high: max } = part;
  const centres = centresOf(observed, part);
  const rounds: readonly (readonly [number, number])[][] = [
    BOTH.map((factor) => [factor, factor] as const),
    AROUND.map((factor) => [factor, 1] as const),
    AROUND.map((factor) => [1, factor] as const),
  ];
  let best: ChosenRange = { low: Math.min(min, 0), high: Math.max(max, 0) };
  let least = errorOf(centres, scheme, best);
  for (const candidates of rounds) {
    const from = best;
    for (const [low, high] of candidates) {
      const range = {
        low: Math.max(Math.fround(from.low * low), Math.min(min, 0)),
        high: Math.min(Math.fround(from.high * high), Math.max(max, 0)),
      };
      const error = errorOf(centres, scheme, range);
      if (error < least) [best, least] = [range, error];
    }
  }
  return best;
}

/** The centres of the bins in use, and their counts. */
interface Centres {
  readonly values: Float64Array;
  readonly counts: Float64Array;
}

function centresOf(observed: ObservedValue, { low, high }: ChosenRange): Centres {
  const used = observed.histogram.flatMap((count, bin) => (count > 0 ? [bin] : []));
  const centre = (bin: number): number =>
    (edgeOf(observed, bin, HISTOGRAM_BINS) + edgeOf(observed, bin + 1, HISTOGRAM_BINS)) / 2;
  return {
    values: Float64Array.from(used, (bin) => Math.min(high, Math.max(low, centre(bin)))),
    counts: Float64Array.from(used, (bin) => observed.histogram[bin]!),
  };
}

/**
 * Signal to quantization noise of what was observed under a scale and zero point, dB, by the centres of the
 * histogram's bins; null for a value that is zero throughout.
 * @param part values beyond it count as its ends
 */
export function sqnrOfParameters(
  observed: ObservedValue,
  scheme: ActivationScheme,
  parameters: ScaleZeroPoint,
  part: ChosenRange = { low: observed.min, high: observed.max },
): number | null {
  const centres = centresOf(observed, part);
  return sqnrDb(observed.power * observed.count, noiseOf(centres, scheme, parameters));
}

function errorOf(centres: Centres, scheme: ActivationScheme, range: ChosenRange): number {
  return noiseOf(centres, scheme, activationParameters(scheme, range));
}

/** The sum of squared errors of all values. */
function noiseOf(
  { values, counts }: Centres,
  scheme: ActivationScheme,
  { scale, zeroPoint }: ScaleZeroPoint,
): number {
  const { qmin, qmax } = scaleRange(scheme.dtype, scheme.symmetric);
  let sum = 0;
  for (let at = 0; at < values.length; at++) {
    const code = roundHalfEven(values[at]! / scale) + zeroPoint;
    const clipped = code < qmin ? qmin : code > qmax ? qmax : code;
    const error = values[at]! - (clipped - zeroPoint) * scale;
    sum += error * error * counts[at]!;
  }
  return sum;
}

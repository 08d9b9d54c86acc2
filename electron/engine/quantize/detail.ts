import { summarizeRanges, summarizeSqnr } from '../../../shared/channels.ts';
import { sqnrDb } from '../../../shared/report.ts';
import type { RangeCandidate, SideDetail, TensorDetail } from '../../../shared/report.ts';
import { binsOver, histogramOf } from './histogram.ts';
import { integerFormatOf } from './integer-format.ts';
import { groupingOf } from './layout.ts';
import { parameterRule } from './parameters.ts';
import { percentileOfTensor } from './percentile.ts';
import type { EncodeJob, Inspected, Passes } from './passes.ts';
import type { ValueSource } from './values.ts';
import { passesOf } from '../kernels/reference/plain-passes.ts';
import { prepareTensor, resultOf } from './quantize-tensor.ts';
import type { QuantizeInput, QuantizeResult } from './quantize-tensor.ts';
import { rangesOf } from './ranges.ts';
import type { KernelScheme } from './scheme.ts';
import { finiteCount, type TensorStatistics } from './statistics.ts';

/** How many of the first values the inspector lists. */
export const FIRST_VALUES = 64;

/** What a tensor shows before any scheme: all of a TensorDetail but the id and the two sides. */
export type ValuesDetail = Omit<TensorDetail, 'tensor' | 'a' | 'b'>;

/** One recipe's side without the report around it; `result` has the report's numbers. */
export interface SideNumbers {
  readonly result: QuantizeResult;
  readonly side: Omit<SideDetail, 'report' | 'scales'>;
}

/** The fine histogram, candidate ranges, channel ranges and first values of a tensor. */
export function describeValues(
  source: Passes | ValueSource,
  known: TensorStatistics,
  bins: number,
): ValuesDetail {
  const passes = passesOf(source);
  const { statistics, channels } = known;
  const { min, max, mean, firstNonFinite } = statistics;
  const over = binsOver(min, max, bins);
  const { counts } = passes.secondPass(over, mean, firstNonFinite === null);
  return {
    statistics,
    histogram: histogramOf(over, counts),
    ranges: rangeCandidates(passes, known),
    channels: channels === null ? null : summarizeRanges(channels),
    firstValues: passes.firstValues(FIRST_VALUES),
  };
}

/** Ranges of the whole tensor that range methods would choose, two-sided. */
function rangeCandidates(passes: Passes, { statistics }: TensorStatistics): RangeCandidate[] {
  const finite = finiteCount(statistics);
  if (finite === 0) return [];
  const { low, high } = percentileOfTensor(passes, 99.99, false, finite);
  return [
    { method: 'minmax', lo: statistics.min, hi: statistics.max },
    { method: 'percentile 99.99', lo: low, hi: high },
  ];
}

/**
 * The ranges that a search would choose for the whole tensor under a scheme's dtype and symmetry;
 * none for schemes that have no range to choose, and for values that no integer stands for.
 */
export function searchedRanges(
  source: Passes | ValueSource,
  known: TensorStatistics,
  scheme: KernelScheme,
): RangeCandidate[] {
  const passes = passesOf(source);
  const { elements, firstNonFinite } = known.statistics;
  if (scheme.kind === 'cast' || scheme.kind === 'fixed') return [];
  if (elements === 0 || firstNonFinite !== null) return [];
  const grouping = groupingOf([elements], null, 'tensor');
  const format = integerFormatOf(scheme);
  const rule = parameterRule(scheme, grouping.kind, format);
  return (['mse', 'entropy'] as const).map((method) => {
    const asked = { symmetric: scheme.symmetric, range: method };
    const { min, max } = rangesOf(passes, grouping, asked, known, rule, format);
    return { method, lo: min[0]!, hi: max[0]! };
  });
}

/**
 * Everything the inspector shows of a tensor under one scheme, in two passes: one that quantizes,
 * measures and counts, and one for the histogram of errors over [-max, max] of the finite errors.
 * @throws AppError NON_FINITE as prepareTensor does
 */
export function describeSide(input: QuantizeInput, bins: number): SideNumbers {
  const { shape, axis } = input;
  const passes = passesOf(input.source);
  const job = prepareTensor(input);
  const grouping = axis === null ? null : groupingOf(shape, axis, 'channel');
  const inspected = passes.inspect(job, grouping, FIRST_VALUES);
  const { tally, firstCodes, firstValues, largestFiniteError } = inspected;
  const sqnr = sqnrOfChannels(inspected);
  const ranges = input.statistics.channels;
  const over = binsOver(-largestFiniteError, largestFiniteError, bins);
  return {
    result: resultOf(input, job, inspected),
    side: {
      codes: tally === null ? null : codesInUse(tally, job),
      errorHistogram: histogramOf(over, passes.errorCounts(job, over)),
      channelSqnr: sqnr === null || ranges === null ? null : summarizeSqnr(sqnr, ranges),
      firstCodes,
      firstValues,
    },
  };
}

/**
 * The SQNR of each channel under a scheme, dB: NaN of an all-zero one, null without a channel axis.
 * @throws AppError NON_FINITE as prepareTensor does
 */
export function channelSqnr(input: QuantizeInput): Float64Array | null {
  const { shape, axis } = input;
  if (axis === null) return null;
  const grouping = groupingOf(shape, axis, 'channel');
  return sqnrOfChannels(passesOf(input.source).inspect(prepareTensor(input), grouping, 0));
}

function sqnrOfChannels({ channels }: Inspected): Float64Array | null {
  if (channels === null) return null;
  return channels.signal.map((sum, at) => sqnrDb(sum, channels.noise[at]!) ?? NaN);
}

/** Codes in ascending order, from counts by their lowest 8 bits. */
function codesInUse(
  tally: Float64Array,
  { encoding }: EncodeJob,
): { code: number[]; count: number[] } {
  const isSigned = encoding.kind === 'integer' && encoding.format.clip.qmin < 0;
  const code = Array.from(tally.keys())
    .filter((bits) => tally[bits]! > 0)
    .map((bits) => (isSigned ? (bits << 24) >> 24 : bits))
    .sort((a, b) => a - b);
  return { code, count: code.map((each) => tally[each & 255]!) };
}

import type { ChannelSqnr, ChannelSummary } from './channels.ts';
import type { Numbers } from './lists.ts';
import type { Scheme } from './scheme.ts';
import type { ScaleSummary } from './scales.ts';

/** Counts over equal bins of [lo, hi]; the last bin includes hi. Values that are not finite are not counted. */
export interface Histogram {
  readonly lo: number;
  readonly hi: number;
  readonly counts: readonly number[];
}

/** What is known of a tensor's values before any scheme. Moments are over the finite values, in float64. */
export interface Statistics {
  readonly elements: number;
  readonly min: number;
  readonly max: number;
  readonly absMax: number;
  readonly mean: number;
  readonly std: number;
  readonly zeros: number;
  readonly subnormals: number;
  readonly nans: number;
  readonly infinities: number;
  /** Flat index of the first NaN or infinity, or null. */
  readonly firstNonFinite: number | null;
  readonly histogram: Histogram;
}

/** What came out for one tensor under one recipe. Errors are of (dequantized - original), pooled in float64. */
export interface TensorReport {
  readonly tensor: number;
  readonly scheme: Scheme | null;
  readonly quantized: boolean;
  /** Whether it is not in the export, as preparing the model computed or fused it into others. Absent where it is. */
  readonly folded?: true;
  /** Why it was left alone, or what differs from what was asked; null otherwise. */
  readonly reason: string | null;
  readonly byRule: boolean;
  /**
   * One scale and zero point per tensor, channel or block; empty for casts, for tensors left alone, and
   * where they were not asked for. Typed arrays where they are many: an embedding has millions.
   */
  readonly scale: Numbers;
  readonly zeroPoint: Numbers;
  readonly axis: number | null;
  readonly min: number;
  readonly max: number;
  /** Elements outside the representable range (for casts: finite values that became infinite). */
  readonly clipped: number;
  /** Codes in use; null for codes of 32 bits, which are not told apart. */
  readonly levelsUsed: number | null;
  readonly mse: number;
  readonly rmse: number;
  readonly maxAbsError: number;
  /** Signal to quantization noise, dB: Infinity when the error is 0, null for an all-zero or untouched tensor. */
  readonly sqnrDb: number | null;
  /** Cosine of the angle between originals and dequantized; null when either is all 0. */
  readonly cosine: number | null;
  /** Sums over elements, which whole-model figures pool. */
  readonly signal: number;
  readonly noise: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** A report without its scales, as a window shows it. */
export type TensorFigures = Omit<TensorReport, 'scale' | 'zeroPoint'>;

/** A whole model under one recipe: sums pooled over the quantized tensors, never averages of dB. */
export interface Total {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly quantized: number;
  /** Tensors that the export has as they are. */
  readonly kept: number;
  readonly mse: number | null;
  readonly sqnrDb: number | null;
}

/** 10 log10(signal / noise): Infinity when there is no noise, null when there is no signal. */
export function sqnrDb(signal: number, noise: number): number | null {
  if (signal === 0) return null;
  if (noise === 0) return Infinity;
  return 10 * Math.log10(signal / noise);
}

/** Pool reports into the model's figures. `elements` gives each tensor's element count by id. */
export function totalOf(
  reports: Iterable<TensorFigures>,
  elements: (tensor: number) => number,
): Total {
  let [bytesBefore, bytesAfter, quantized, kept, count, signal, noise] = [0, 0, 0, 0, 0, 0, 0];
  for (const report of reports) {
    bytesBefore += report.bytesBefore;
    bytesAfter += report.bytesAfter;
    if (!report.quantized) {
      if (report.folded !== true) kept++;
      continue;
    }
    quantized++;
    count += elements(report.tensor);
    signal += report.signal;
    noise += report.noise;
  }
  return {
    bytesBefore,
    bytesAfter,
    quantized,
    kept,
    mse: count === 0 ? null : noise / count,
    sqnrDb: count === 0 ? null : sqnrDb(signal, noise),
  };
}

/** Tensors that stay as they are for one reason. */
export interface KeptGroup {
  readonly reason: string;
  readonly tensors: number;
  readonly bytes: number;
}

/** Kept tensors grouped by reason, the group of most bytes first. */
export function keptByReason(
  kept: Iterable<{ readonly reason: string; readonly bytes: number }>,
): readonly KeptGroup[] {
  const groups = new Map<string, { tensors: number; bytes: number }>();
  for (const { reason, bytes } of kept) {
    const group = groups.get(reason) ?? { tensors: 0, bytes: 0 };
    groups.set(reason, { tensors: group.tensors + 1, bytes: group.bytes + bytes });
  }
  return [...groups]
    .map(([reason, group]) => ({ reason, ...group }))
    .sort((a, b) => b.bytes - a.bytes);
}

/** One recipe's side of the inspector. */
export interface SideDetail {
  readonly report: TensorFigures;
  /** Of none for casts and for tensors left alone. */
  readonly scales: ScaleSummary;
  /** Count of each code in use, ascending by code; null for casts and for types over 8 bits. */
  readonly codes: { readonly code: readonly number[]; readonly count: readonly number[] } | null;
  readonly errorHistogram: Histogram;
  /** The SQNR of the channels along the tensor's axis; null where it has none. */
  readonly channelSqnr: ChannelSqnr | null;
  /** First codes (bit patterns for casts) and what they stand for. */
  readonly firstCodes: readonly number[];
  readonly firstValues: readonly number[];
}

export interface RangeCandidate {
  readonly method: string;
  readonly lo: number;
  readonly hi: number;
}

/** All the inspector shows of one tensor. */
export interface TensorDetail {
  readonly tensor: number;
  readonly statistics: Statistics;
  /** The fine histogram (statistics.histogram is the row's small one). */
  readonly histogram: Histogram;
  readonly ranges: readonly RangeCandidate[];
  /** The ranges of the channels; null where the tensor has no channel axis. */
  readonly channels: ChannelSummary | null;
  readonly firstValues: readonly number[];
  readonly a: SideDetail | null;
  readonly b: SideDetail | null;
}

import type { ErrorData } from '../../shared/errors.ts';
import type { TensorRef } from '../../shared/model.ts';
import { schemeBytes, type TensorPlan } from '../../shared/plan.ts';
import type { Scheme } from '../../shared/scheme.ts';
import type { SideDetail, Statistics, TensorFigures, TensorReport } from '../../shared/report.ts';
import { summarizeScales } from '../../shared/scales.ts';
import { overflows } from '../../shared/small-float.ts';
import type { InspectedSide, MeasuredFigures, Measures } from './jobs.ts';
import { CASTS } from './quantize/casts.ts';

/** Why an integer scheme cannot stand for a tensor's values. */
export function nonFiniteReason(statistics: Statistics): string {
  const count = statistics.nans + statistics.infinities;
  return `holds ${count} NaN or infinite values, the first at index ${statistics.firstNonFinite}, which no integer stands for`;
}

/**
 * Why a float type does not hold a tensor: a finite value would become infinite in it, and infinity times 0
 * is NaN. null where it holds them all; the float8 types saturate instead.
 */
export function overflowReason(scheme: Scheme, { absMax }: Statistics): string | null {
  if (scheme.kind !== 'cast') return null;
  const { format, decode } = CASTS[scheme.dtype];
  if (format.overflow === format.largest || !overflows(absMax, format)) return null;
  return `holds values over ${decode(format.largest)}, the largest of ${scheme.dtype}`;
}

/** A report from the plan and, where the tensor was measured, its measures or the error that kept it as it is. */
export function reportOf(
  ref: TensorRef,
  entry: TensorPlan,
  measures: Measures | MeasuredFigures | null,
  error: ErrorData | null,
  statistics: Statistics | null,
): TensorReport {
  if (entry.scheme === null) return keptReport(ref, entry, statistics);
  if (measures === null) {
    const reason =
      statistics !== null && statistics.firstNonFinite !== null
        ? nonFiniteReason(statistics)
        : (error?.message ?? 'not measured');
    return keptReport(ref, { ...entry, scheme: null, reason }, statistics);
  }
  const overflow = statistics === null ? null : overflowReason(entry.scheme, statistics);
  if (overflow !== null && entry.mayOverflow !== true)
    return keptReport(ref, { ...entry, scheme: null, reason: overflow }, statistics);
  return {
    ...keptReport(ref, entry, statistics),
    ...(overflow === null
      ? {}
      : { reason: `finite values stored as infinity: ${measures.clipped}; ${overflow}` }),
    ...measures,
    quantized: true,
    bytesAfter: schemeBytes(entry.scheme, ref, entry),
  };
}

/** The report of a tensor that stays as it is. */
export function keptReport(
  ref: TensorRef,
  entry: TensorPlan,
  statistics: Statistics | null,
): TensorReport {
  return {
    tensor: ref.id,
    scheme: entry.scheme,
    quantized: false,
    reason: entry.reason,
    byRule: entry.byRule,
    scale: [],
    zeroPoint: [],
    axis: null,
    min: statistics?.min ?? NaN,
    max: statistics?.max ?? NaN,
    clipped: 0,
    levelsUsed: 0,
    mse: 0,
    rmse: 0,
    maxAbsError: 0,
    sqnrDb: null,
    cosine: null,
    signal: 0,
    noise: 0,
    bytesBefore: ref.bytes,
    bytesAfter: ref.bytes,
  };
}

/** A report as a window shows it. */
export function figuresOf({ scale: _, zeroPoint: __, ...figures }: TensorReport): TensorFigures {
  return figures;
}

/** One side of the inspector, completed from the plan. */
export function inspectedSide(
  ref: TensorRef,
  entry: TensorPlan | null,
  side: InspectedSide | null,
  statistics: Statistics,
): SideDetail | null {
  if (entry === null) return null;
  if (side !== null && 'measures' in side)
    return {
      ...side.detail,
      scales: side.scales,
      report: figuresOf(reportOf(ref, entry, side.measures, null, statistics)),
    };
  return {
    report: figuresOf(reportOf(ref, entry, null, side?.error ?? null, statistics)),
    scales: summarizeScales({ scale: [], zeroPoint: [] }),
    codes: null,
    errorHistogram: { lo: 0, hi: 0, counts: [] },
    channelSqnr: null,
    firstCodes: [],
    firstValues: [],
  };
}

// What a row shows of one recipe, and the model's figures that rows are held against.
import { median as medianOf } from 'd3';
import { escaped } from '../../shared/errors.ts';
import { schemeBytes, type TensorPlan } from '../../shared/plan.ts';
import type { TensorSummary } from '../../shared/protocol.ts';
import type { Scheme } from '../../shared/scheme.ts';
import type { TensorFigures } from '../../shared/report.ts';
import { sameScheme } from '../format/schemes.ts';

/** A report with the scheme that the plan asked for when it was made. */
export interface Entry {
  readonly report: TensorFigures;
  readonly asked: Scheme | null;
}

/** One recipe's cells of a row. */
export interface Figures {
  /** null where the tensor is left alone. */
  readonly scheme: Scheme | null;
  readonly reason: string | null;
  /** Whether the export does not have it: preparing the model computed or fused it into others, or makes it. */
  readonly isFolded?: true;
  readonly byRule: boolean;
  readonly bytes: number;
  /** undefined while not known; null where there is none; Infinity where there is no error. */
  readonly db: number | null | undefined;
  /** Whether db is of a scheme that is no longer asked for. */
  readonly stale: boolean;
}

/** One bit, in dB: how far under the median of its recipe a tensor is an outlier. */
export const OUTLIER_DB = 20 * Math.log10(2);

/**
 * The plan says at once what is done and what it weighs; the report adds what it costs, and has the last
 * word where the values forbid what was planned (NaN, infinity).
 */
export function figuresOf(
  tensor: TensorSummary,
  plan: TensorPlan | undefined,
  entry: Entry | undefined,
): Figures {
  const scheme = plan?.scheme ?? null;
  const byRule = plan?.byRule ?? false;
  const fresh = entry !== undefined && sameScheme(entry.asked, scheme);
  if (fresh) {
    const { report } = entry;
    const db = report.quantized ? report.sqnrDb : Infinity;
    const done = report.quantized ? report.scheme : null;
    return {
      scheme: done,
      reason: report.reason === null ? null : escaped(report.reason),
      ...(report.folded === true ? { isFolded: true } : {}),
      byRule,
      bytes: report.bytesAfter,
      db,
      stale: false,
    };
  }
  const reason = plan?.reason ?? null;
  if (scheme === null)
    return { scheme, reason, byRule, bytes: tensor.bytes, db: Infinity, stale: false };
  const bytes = schemeBytes(scheme, tensor, plan);
  const old = entry?.report.quantized === true ? entry.report.sqnrDb : undefined;
  return { scheme, reason, byRule, bytes, db: old, stale: old !== undefined };
}

/** The median SQNR of what is quantized; null when nothing is. All-zero tensors do not count. */
export function medianDb(figures: Iterable<Figures>): number | null {
  const values: number[] = [];
  for (const { scheme, db } of figures)
    if (scheme !== null && db !== undefined && db !== null) values.push(db);
  return medianOf(values) ?? null;
}

/** Whether a tensor's SQNR is over one bit under the median. */
export function isOutlier(figures: Figures, median: number | null): boolean {
  const { scheme, db } = figures;
  if (scheme === null || median === null || db === undefined || db === null) return false;
  return db < median - OUTLIER_DB;
}

/** What is said of a tensor that is not quantized. */
export function keptSentence(reason: string | null, isFolded: boolean): string {
  const words = reason ?? 'as it is';
  return isFolded ? `Not in the export: ${words}.` : `Kept: ${words}.`;
}

/** Step of the heat scale, 0 to 5: 2 dB a step under the median. */
export function heatStep(db: number | null | undefined, median: number | null): number {
  if (db === undefined || db === null || Number.isNaN(db) || db === Infinity) return 0;
  if (median === null || !Number.isFinite(median)) return 0;
  return Math.min(5, Math.max(0, Math.floor((median - db) / 2)));
}

/** B − A in dB; null where either is left alone, not known or has no figure. Two exact ones do not differ. */
export function deltaDb(a: Figures, b: Figures): number | null {
  if (a.scheme === null || b.scheme === null) return null;
  if (a.db === undefined || a.db === null || b.db === undefined || b.db === null) return null;
  if (a.db === b.db) return 0;
  return b.db - a.db;
}

import { scaleRange } from './affine.ts';
import { codesOf, type CodeRange } from './dtypes.ts';
import type { Scheme } from './scheme.ts';

/** The integers that a scheme stores. */
export interface SchemeCodes {
  /** Codes are clipped to these. */
  readonly clip: CodeRange;
  /** The scale spreads a range of values over these. */
  readonly span: CodeRange;
}

/** The integers of an affine or fixed-point scheme; null for casts. */
export function schemeCodes(scheme: Scheme): SchemeCodes | null {
  if (scheme.kind === 'cast') return null;
  const full = codesOf(scheme.dtype);
  if (scheme.kind === 'fixed') return { clip: full, span: full };
  const clip = scheme.narrowRange ? { ...full, qmin: full.qmin + 1 } : full;
  const span = scaleRange(scheme.dtype, scheme.symmetric);
  return { clip, span: { qmin: Math.max(clip.qmin, span.qmin), qmax: span.qmax } };
}

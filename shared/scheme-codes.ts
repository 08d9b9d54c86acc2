import { scaleRange, type AffineDtype } from './affine.ts';
import { codesOf, type CodeRange } from './dtypes.ts';
import { isFixedPoint, isFloatCast, type Scheme } from './recipe.ts';

/** The integers that a scheme stores. */
export interface SchemeCodes {
  /** Codes are clipped to these. */
  readonly clip: CodeRange;
  /** The scale spreads a range of values over these. */
  readonly span: CodeRange;
}

/** The integers of an affine or fixed-point scheme; null for casts. */
export function schemeCodes(scheme: Scheme): SchemeCodes | null {
  const { dtype, symmetric } = scheme;
  if (isFloatCast(dtype)) return null;
  const full = codesOf(dtype);
  if (isFixedPoint(dtype)) return { clip: full, span: full };
  const clip = isNarrow(scheme) ? { ...full, qmin: full.qmin + 1 } : full;
  const span = scaleRange(dtype satisfies AffineDtype, symmetric);
  return { clip, span: { qmin: Math.max(clip.qmin, span.qmin), qmax: span.qmax } };
}

/** Whether a scheme has LiteRT's narrow range, which leaves the lowest code out: -128 of int8, -8 of int4. */
export function isNarrow({ dtype, narrowRange }: Scheme): boolean {
  return narrowRange === true && (dtype === 'int8' || dtype === 'int4');
}

import { roundHalfEven } from '../../../shared/rounding.ts';
import {
  computeBlockScaleZeroPoint,
  computeScaleZeroPoint,
  computeSignedScaleZeroPoint,
  float16Scale,
  narrowScale,
} from '../../../shared/affine.ts';
import type { ScaleZeroPoint } from '../../../shared/affine.ts';
import { hasSignedScale } from '../../../shared/scheme.ts';
import { fixedPointScale, shiftedScale } from './fixed-point.ts';
import type { IntegerFormat } from './integer-format.ts';
import type { Grouping } from './layout.ts';
import type { KernelScheme } from './scheme.ts';

/** Scale and zero point of a group from the range of values that its codes are to span. */
export type ParameterRule = (low: number, high: number) => ScaleZeroPoint;

/** The rule of a scheme, by its dtype, its granularity and the type of its scales. */
export function parameterRule(
  scheme: KernelScheme,
  kind: Grouping['kind'],
  format: IntegerFormat,
): ParameterRule {
  const rule = float32Rule(scheme, kind, format);
  return scheme.scaleDtype === 'float16' ? float16Rule(rule, scheme, format) : rule;
}

/** A rule whose scales are rounded to float16. A zero point is found anew, as the range begins at another code then. */
function float16Rule(
  rule: ParameterRule,
  scheme: KernelScheme,
  { span: { qmin, qmax } }: IntegerFormat,
): ParameterRule {
  return (low, high) => {
    const { scale: exact, zeroPoint } = rule(low, high);
    const scale = float16Scale(exact);
    if (scale === exact || !hasZeroPoint(scheme) || !Number.isFinite(scale))
      return { scale, zeroPoint };
    const lowest = roundHalfEven(qmin - Math.min(low, 0) / scale);
    return { scale, zeroPoint: Math.min(qmax, Math.max(qmin, lowest)) + 0 };
  };
}

/** Whether zero points follow the range of values: symmetric schemes have the same for every range. */
function hasZeroPoint(scheme: KernelScheme): boolean {
  return (scheme.kind === 'affine' || scheme.kind === 'block') && !scheme.symmetric;
}

function float32Rule(
  scheme: KernelScheme,
  kind: Grouping['kind'],
  format: IntegerFormat,
): ParameterRule {
  if (scheme.kind === 'cast') throw new RangeError(`${scheme.dtype} is a float cast`);
  if (scheme.kind === 'fixed') {
    const { dtype } = scheme;
    if (scheme.shift !== null) return (low, high) => shiftedScale(low, high, dtype, format);
    return () => ({ scale: fixedPointScale(dtype), zeroPoint: 0 });
  }
  const { symmetric } = scheme;
  if (scheme.narrowRange && symmetric && kind !== 'block')
    return (low, high) => narrowScale(low, high, format.clip.qmax);
  if (kind === 'block' && hasSignedScale(scheme))
    return (low, high) => computeSignedScaleZeroPoint(low, high, format.span);
  if (kind === 'block')
    return (low, high) => computeBlockScaleZeroPoint(low, high, format.span, symmetric);
  return (low, high) => computeScaleZeroPoint(low, high, format.span, symmetric);
}

import type { CodeRounding } from '../../../shared/affine.ts';
import { dtypeOf } from '../../../shared/dtypes.ts';
import { roundingOf } from '../../../shared/scheme.ts';
import { schemeCodes, type SchemeCodes } from '../../../shared/scheme-codes.ts';
import type { KernelScheme } from './scheme.ts';

/** The integers that a scheme stores, and how values become such. */
export interface IntegerFormat extends SchemeCodes {
  readonly bits: number;
  readonly rounding: CodeRounding;
}

/** The integers of an affine or fixed-point scheme. @throws RangeError for a float cast */
export function integerFormatOf(scheme: KernelScheme): IntegerFormat {
  const codes = schemeCodes(scheme);
  if (codes === null) throw new RangeError(`${scheme.dtype} is a float cast`);
  const { bits } = dtypeOf(scheme.dtype);
  return { ...codes, bits, rounding: roundingOf(scheme) };
}

import type { DtypeName } from '../../../../../shared/dtypes.ts';
import type { Changes } from '../read/nodes.ts';
import { FLOAT32 } from '../read/tensor-types.ts';
import type { OperatorCodes } from './operator-codes.ts';

/** What a new tensor of a value does not take over from the one that it is like. */
export const FRESH: Changes = { buffer: undefined, is_variable: undefined };
export const FLOAT_FORM: Changes = { ...FRESH, type: FLOAT32, quantization: undefined };

/** Versions for codes of 8 bits and of 16 (tensorflow's op_version.cc). */
const VERSIONS = {
  QUANTIZE: { int8: 1, uint8: 1, int16: 2 },
  DEQUANTIZE: { int8: 2, uint8: 1, int16: 3 },
} as const;

export type Conversion = keyof typeof VERSIONS;

/**
 * The fields of an operator between two forms of a value. Its options hold nothing and are left out.
 * @param dtype of the codes that QUANTIZE makes, or DEQUANTIZE takes
 */
export function conversionFields(codes: OperatorCodes, op: Conversion, dtype: DtypeName): Changes {
  const versions: Readonly<Record<string, number>> = VERSIONS[op];
  return { opcode_index: codes.of(op, versions[dtype]!) };
}

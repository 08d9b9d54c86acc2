import { dtypeOf, type DtypeName } from '../../shared/dtypes.ts';
import { float16Bits } from '../../shared/float16.ts';
import { storageDtype, type SchemeDtype } from '../../shared/scheme.ts';

const view = new DataView(new ArrayBuffer(8));

function hexOf(bytes: number): string {
  let text = '';
  for (let index = 0; index < bytes; index++)
    text += view.getUint8(index).toString(16).padStart(2, '0');
  return text;
}

/** The stored bits of a value of a float tensor in lower-case hex, big end first; null for other dtypes. */
export function hexOfValue(value: number, dtype: DtypeName): string | null {
  switch (dtype) {
    case 'float64':
      view.setFloat64(0, value);
      return hexOf(8);
    case 'float32':
      view.setFloat32(0, value);
      return hexOf(4);
    case 'bfloat16':
      view.setFloat32(0, value);
      return hexOf(2);
    case 'float16':
      view.setUint16(0, float16Bits(value));
      return hexOf(2);
    default:
      return null;
  }
}

/** A code as it is stored, in hex: two's complement for signed integers, the bit pattern for casts. */
export function hexOfCode(code: number, dtype: SchemeDtype): string {
  const { bits } = dtypeOf(storageDtype(dtype));
  const pattern = bits === 32 ? code >>> 0 : code & (2 ** bits - 1);
  return pattern.toString(16).padStart(bits / 4, '0');
}

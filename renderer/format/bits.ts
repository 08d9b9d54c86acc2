import { dtypeOf, type DtypeName } from '../../shared/dtypes.ts';
import { storageDtype, type SchemeDtype } from '../../shared/recipe.ts';

const view = new DataView(new ArrayBuffer(8));

function hexOf(bytes: number): string {
  let text = '';
  for (let index = 0; index < bytes; index++)
    text += view.getUint8(index).toString(16).padStart(2, '0');
  return text;
}

/**
 * The bits of a float16 value that a float16 tensor held, so that no rounding is needed.
 * IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits.
 */
function float16Bits(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const fraction = bits & 0x7fffff;
  if (exponent === 128) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200 | (fraction >>> 13));
  if (exponent >= -14) return sign | ((exponent + 15) << 10) | (fraction >>> 13);
  if (exponent < -25) return sign;
  return sign | ((fraction | 0x800000) >>> (-exponent - 1));
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

import type { DtypeName } from '../../../../shared/dtypes.ts';
import { AppError } from '../../../../shared/errors.ts';
import type { ArrayValue } from '../../runtime/inputs.ts';
import { typedArray } from './array-data.ts';

/** Element types by what a header's descr says. */
const NPY_TYPES: ReadonlyMap<string, DtypeName> = new Map([
  ['<f4', 'float32'],
  ['<f8', 'float64'],
  ['<f2', 'float16'],
  ['<i8', 'int64'],
  ['<i4', 'int32'],
  ['<i2', 'int16'],
  ['|i1', 'int8'],
  ['<u8', 'uint64'],
  ['<u4', 'uint32'],
  ['<u2', 'uint16'],
  ['|u1', 'uint8'],
  ['|b1', 'bool'],
]);

/** NumPy's .npy format, versions 1 to 3 (numpy.lib.format): little-endian, C order. */
export function parseNpy(bytes: Uint8Array, file: string): ArrayValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bad = (field: string, found: string, expected: string): AppError =>
    new AppError('MALFORMED', 'is not an array that can be read', { file, field, found, expected });
  if (bytes.length < 12 || Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== '\u0093NUMPY')
    throw bad('magic', `${bytes.length} bytes without its magic`, 'a .npy file');
  const isLong = bytes[6]! >= 2;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  if (start + length > bytes.length)
    throw bad('header', `${length} bytes`, `at most ${bytes.length - start}`);
  const header = Buffer.from(bytes.subarray(start, start + length)).toString('latin1');
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? '';
  const dtype = NPY_TYPES.get(descr);
  if (dtype === undefined) throw bad('descr', `type ${descr}`, [...NPY_TYPES.keys()].join(' '));
  if (!/'fortran_order':\s*False/.test(header))
    throw bad('fortran_order', 'Fortran order', 'C order');
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (shape === undefined)
    throw bad('shape', /'shape':\s*\(?([^)]*)/.exec(header)?.[1] ?? 'none', 'sizes');
  const dims = shape
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const values = bytes.subarray(start + length);
  return { type: dtype, dims, data: typedArray(dtype, values, dims, { file, field: 'shape' }) };
}

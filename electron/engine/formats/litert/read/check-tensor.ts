import { dtypeOf, packedBytes, type DtypeName } from '../../../../../shared/dtypes.ts';
import { AppError } from '../../../../../shared/errors.ts';
import { numberOf, tableOf, vectorOf, type TableNode } from './nodes.ts';
import type { PagedBytes } from './paged-bytes.ts';
import type { StoredBuffer, TensorRecord } from './records.ts';
import { dtypeOfType, typeName } from './tensor-types.ts';
import { valuesOf } from './values.ts';

type Quantization = Pick<TensorRecord, 'scale' | 'zeroPoint' | 'axis' | 'blockSize'>;

const NONE: Quantization = { scale: [], zeroPoint: [], axis: 0, blockSize: null };

/**
 * A tensor's scales and zero points, by the rules of LiteRT's interpreter_builder: as many of one as
 * of the other, one or as many as the quantized axis is long. Float tensors have none, whatever is noted.
 */
export function readQuantization(
  source: PagedBytes,
  node: TableNode,
  field: string,
  type: number,
  shape: readonly number[],
): Quantization {
  const parameters = tableOf(node, 'quantization');
  const dtype = dtypeOfType(type);
  if (parameters === null || dtype === null || !/^u?int/.test(dtype)) return NONE;
  const scale = valuesOf(source, vectorOf(parameters, 'scale'));
  const axis = numberOf(parameters, 'quantized_dimension');
  if (scale.length === 0) return { ...NONE, axis, blockSize: blockSizeOf(parameters) };
  const zeroPoint = valuesOf(source, vectorOf(parameters, 'zero_point'));
  const found = { scale, zeroPoint, axis, blockSize: null };
  checkQuantization({ file: source.path, field: `${field}.quantization` }, found, dtype, shape);
  return found;
}

function checkQuantization(
  { file, field }: { readonly file: string; readonly field: string },
  { scale, zeroPoint, axis }: Quantization,
  dtype: DtypeName,
  shape: readonly number[],
): void {
  const fail = (name: string, summary: string, found: string, expected: string): AppError =>
    new AppError('MALFORMED', summary, { file, field: `${field}.${name}`, found, expected });
  const [scales, zeroPoints] = [String(scale.length), String(zeroPoint.length)];
  if (zeroPoint.length !== scale.length)
    throw fail('zero_point', 'must have as many zero points as scales', zeroPoints, scales);
  if (axis < 0 || (shape.length > 0 && axis >= shape.length)) {
    const axes = shape.length === 0 ? '0' : `0 to ${shape.length - 1}`;
    throw fail('quantized_dimension', 'is no axis of the tensor', String(axis), axes);
  }
  if (scale.length > 1 && scale.length !== shape[axis]) {
    const channels = shape[axis] === undefined ? '1' : `1 or ${shape[axis]}`;
    throw fail('scale', 'must have as many scales as channels', scales, channels);
  }
  const wrong = wrongScale(scale, dtypeOf(dtype).bits >= 32);
  if (wrong >= 0)
    throw fail(`scale[${wrong}]`, 'is no scale', String(scale[wrong]), 'a finite number over 0');
}

/** Scales of blocks are a tensor of their own, which BlockwiseQuantization names. */
function blockSizeOf(parameters: TableNode): number | null {
  const details = tableOf(parameters, 'details');
  return details?.table === 'BlockwiseQuantization' ? numberOf(details, 'block_size') : null;
}

/** By whether zeros are allowed: the first scale of a list that is none, found once for all that share it. */
const wrongScales = [
  new WeakMap<readonly number[], number>(),
  new WeakMap<readonly number[], number>(),
] as const;

/** Biases of 32 bits have input scale times weight scale, which underflows to 0 for a channel of zeros. */
function wrongScale(scale: readonly number[], isWide: boolean): number {
  const known = wrongScales[isWide ? 1 : 0];
  const found =
    known.get(scale) ??
    scale.findIndex((value) => !Number.isFinite(value) || value < 0 || (value === 0 && !isWide));
  known.set(scale, found);
  return found;
}

/** Holds a stored tensor's bytes against its shape and type, as LiteRT's interpreter does before it runs. */
export function checkTensor(
  source: PagedBytes,
  { type, shape, isSparse, node }: TensorRecord,
  field: string,
  stored: StoredBuffer | null,
): void {
  const isLocal = numberOf(node, 'external_buffer') === 0;
  if (stored === null || !isLocal) return;
  const details = { file: source.path, field };
  const negative = shape.find((dim) => dim < 0);
  if (negative !== undefined)
    throw new AppError('MALFORMED', 'has a negative dimension', {
      ...details,
      field: `${field}.shape`,
      found: String(negative),
      expected: '0 or more',
    });
  const dtype = dtypeOfType(type);
  if (dtype === null)
    throw new AppError('UNSUPPORTED', 'holds values of a type that is not read', {
      ...details,
      field: `${field}.type`,
      found: typeName(type),
      expected: 'a type with values',
    });
  if (dtype === 'string') return;
  const elements = elementsOf(shape);
  const bytes = packedBytes(dtype, elements);
  // A sparse tensor stores what is not zero, and never more than all.
  if (isSparse ? stored.length <= bytes : stored.length === bytes) return;
  throw new AppError('MALFORMED', 'must have as many bytes as its shape and type take', {
    ...details,
    found: `${stored.length} bytes`,
    expected: `${isSparse ? 'at most ' : ''}${bytes} (${typeName(type)} [${shape.join(', ')}])`,
  });
}

export function elementsOf(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, dim) => product * dim, 1);
}

import { dtypeOf, packedBytes } from '../../../../../shared/dtypes.ts';
import { blockAxisOf, scaleCount } from '../../../../../shared/plan.ts';
import {
  granularityOf,
  isCentred,
  storageDtype,
  type Scheme,
} from '../../../../../shared/scheme.ts';
import { elementTypeName } from '../read/element-types.ts';
import type { StoredCodes } from '../read/stored-quantization.ts';
import type { SafetensorsTensor } from '../read/tensors.ts';
import type { OutputTensor } from './write-header.ts';

/** What stands in the place of one weight, and how its codes are described; null for a cast, which needs no words. */
export interface Replacement {
  readonly tensors: readonly OutputTensor[];
  readonly codes: StoredCodes | null;
}

/**
 * The tensors that store a weight under a scheme. A cast keeps name and shape. Codes are named as
 * compressed-tensors names them: those of 8 bits and more keep the weight's name, smaller ones are
 * bytes named `_packed`, two codes in each, the first in the low nibble; beside them `_scale`
 * (float32, of a shape that broadcasts against the weight, or with the count of blocks on their
 * axis) and, where not all of them are 0, `_zero_point`, in the codes' type.
 * @param fresh makes a name that no other tensor has
 */
export function replaceTensor(
  { ref, entry }: SafetensorsTensor,
  scheme: Scheme,
  fresh: (name: string) => string,
): Replacement {
  const dtype = storageDtype(scheme.dtype);
  const { bits } = dtypeOf(dtype);
  const length = packedBytes(dtype, ref.elements);
  const part = { tensor: ref.id, kind: 'tensor' } as const;
  const whole = { bits: Math.max(8, bits), extra: entry.extra };
  const codesPiece = { ...part, part: 'codes', length } as const;
  const elementType = bits < 8 ? 'U8' : elementTypeName(dtype);
  if (scheme.kind === 'cast') {
    const { name } = entry;
    return {
      tensors: [{ name, elementType, shape: ref.shape, piece: codesPiece, ...whole }],
      codes: null,
    };
  }
  const name = bits < 8 ? fresh(`${entry.name}_packed`) : entry.name;
  const count = scaleCount(scheme, ref);
  const scale: OutputTensor = {
    name: fresh(`${entry.name}_scale`),
    elementType: 'F32',
    bits: 32,
    shape: scaleShape(scheme, ref),
    extra: '',
    piece: { ...part, part: 'scale', length: count * 4 },
  };
  const zeroPoint: OutputTensor = {
    name: fresh(`${entry.name}_zero_point`),
    elementType,
    bits: Math.max(8, bits),
    shape: bits < 8 ? [packedBytes(dtype, count)] : scale.shape,
    extra: '',
    piece: { ...part, part: 'zeroPoint', length: packedBytes(dtype, count) },
  };
  const codes: OutputTensor = {
    name,
    elementType,
    shape: bits < 8 ? packedShape(ref.shape, length) : ref.shape,
    piece: codesPiece,
    ...whole,
  };
  const hasZeroPoint = !isCentred(scheme);
  return {
    tensors: hasZeroPoint ? [codes, scale, zeroPoint] : [codes, scale],
    codes: {
      dtype,
      shape: ref.shape,
      codes: name,
      scale: scale.name,
      ...(hasZeroPoint ? { zero_point: zeroPoint.name } : {}),
      ...placeOf(scheme, ref),
    },
  };
}

type Placed = SafetensorsTensor['ref'];

/** The axis of the scales, as the description says it. */
function placeOf(scheme: Scheme, ref: Placed): Pick<StoredCodes, 'axis' | 'block_size'> {
  const granularity = granularityOf(scheme);
  if (granularity === 'tensor' || ref.axis === null) return { axis: null };
  if (granularity === 'channel') return { axis: ref.axis };
  return { axis: blockAxisOf(ref.shape, ref.axis), block_size: granularity.block };
}

function scaleShape(scheme: Scheme, ref: Placed): readonly number[] {
  const { axis, block_size: block } = placeOf(scheme, ref);
  if (axis === null) return [1];
  if (block === undefined) return ref.shape.map((size, at) => (at === axis ? size : 1));
  return ref.shape.map((size, at) => (at === axis ? Math.ceil(size / block) : size));
}

/** Codes are packed without regard to rows: where these are of odd length, bytes hold parts of two. */
function packedShape(shape: readonly number[], bytes: number): readonly number[] {
  const last = shape[shape.length - 1] ?? 1;
  return last % 2 === 0 ? [...shape.slice(0, -1), last / 2] : [bytes];
}

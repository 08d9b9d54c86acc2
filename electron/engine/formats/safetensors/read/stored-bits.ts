import { dtypeOf } from '../../../../../shared/dtypes.ts';
import type { HeaderTensor } from './read-header.ts';

/** Finds a tensor of the checkpoint by its name, in whichever shard it is. */
export type Find = (name: string) => HeaderTensor | undefined;
/** The values of a small tensor. */
export type ReadValues = (tensor: HeaderTensor) => readonly number[];

export interface Context {
  readonly codes: HeaderTensor;
  /** A companion by its template. */
  readonly find: Find;
  readonly read: ReadValues;
}

/** compressed-tensors stores the weight's shape; the bits of a code follow from the room of the codes. */
export function bitsOfShape({ codes, find, read }: Context): number | null {
  const shape = smallValues(find('@_shape'), read);
  if (shape === null) return 4;
  const bits = Math.floor((bitsIn(codes) / product(shape)) * (1 + 1e-9));
  return bits >= 1 && bits <= 8 ? bits : null;
}

/** Zero points of GPTQ and AWQ are packed as the codes are, one for each scale. */
export function bitsOfZeros({ find }: Context): number | null {
  const [zeros, scales] = [find('@.qzeros'), find('@.scales')];
  if (zeros === undefined || scales === undefined || scales.elements === 0) return 4;
  const bits = Math.floor(bitsIn(zeros) / scales.elements);
  return [2, 3, 4, 8].includes(bits) ? bits : null;
}

/** MLX's groups have 64 values unless the model says otherwise (mlx.nn.quantize). */
export function bitsOfMlx({ codes, find }: Context): number | null {
  const groups = find('@.scales')?.elements ?? 0;
  for (const size of [64, 32, 128, 16]) {
    const bits = bitsIn(codes) / (groups * size);
    if ([2, 3, 4, 5, 6, 8].includes(bits)) return bits;
  }
  return null;
}

/** torchao packs codes of 4 bits in bytes or in int32, and leaves those of 8 bits in int8 and float8. */
export function bitsOfStorage({ codes }: Context): number {
  return codes.dtype === 'uint8' || codes.dtype === 'int32' ? 4 : dtypeOf(codes.dtype).bits;
}

/** Powers of two as bytes, and float8 scales: those of blocks of 4-bit floats. */
export function isBlockScale(scale: HeaderTensor | undefined): boolean {
  return scale !== undefined && /^uint8$|^float8/.test(scale.dtype) && scale.elements > 1;
}

/** A shape has few axes, and a number of bits is one value. */
const MAX_SMALL = 8;

export function smallValues(
  tensor: HeaderTensor | undefined,
  read: ReadValues,
): readonly number[] | null {
  if (tensor === undefined || tensor.elements < 1 || tensor.elements > MAX_SMALL) return null;
  return read(tensor);
}

export function bitsIn({ begin, end }: HeaderTensor): number {
  return (end - begin) * 8;
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

import { dtypeOf, packedBytes, type DtypeName } from '../../../../../shared/dtypes.ts';
import type { StoredQuantization } from '../../../../../shared/model.ts';
import type { ParameterReader } from './parameter-reader.ts';
import type { Header, HeaderTensor } from './read-header.ts';

/** The metadata entry in which an export describes its codes: JSON, by the name of the weight. */
export const QUANTIZATION_KEY = 'quantscope.quantization';

/** How one weight's codes are stored, as QUANTIZATION_KEY says it. */
export interface StoredCodes {
  readonly dtype: DtypeName;
  /** Of the weight; codes under 8 bits lie in tensors of bytes, the first of a byte in its low bits. */
  readonly shape: readonly number[];
  /** Names of tensors in the same file. */
  readonly codes: string;
  readonly scale: string;
  readonly zero_point?: string;
  /** The axis of the channels or, with block_size, the one that blocks run along; null: one scale. */
  readonly axis: number | null;
  readonly block_size?: number;
}

/** A tensor of codes with what belongs to it. */
export interface QuantizedTensor {
  readonly weight: string;
  readonly dtype: DtypeName;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly scale: HeaderTensor;
  readonly zeroPoint: HeaderTensor | null;
  readonly axis: number | null;
  readonly blockSize: number | null;
  /** Whether an export of ours describes it. */
  readonly isDescribed: boolean;
}

/**
 * The tensors of a file that hold codes, by name: those that an export of ours describes, and those
 * that are named as compressed-tensors names them (`weight` beside `weight_scale`). A description
 * that does not fit its tensors is passed over: they are shown as what they are.
 * @param isPacked whether a tensor is known to hold several codes in an element, which names alone do not tell
 */
export function quantizedTensors(
  header: Header,
  isPacked: (name: string) => boolean,
): Map<string, QuantizedTensor> {
  const tensors = new Map(header.tensors.map((tensor) => [tensor.name, tensor]));
  const found = new Map<string, QuantizedTensor>();
  for (const [weight, value] of describedCodes(header)) {
    const quantized = fitDescription(weight, value, tensors);
    if (quantized !== null) found.set((value as StoredCodes).codes, quantized);
  }
  for (const tensor of header.tensors) {
    if (found.has(tensor.name) || isPacked(tensor.name)) continue;
    const quantized = fitNames(tensor, tensors);
    if (quantized !== null) found.set(tensor.name, quantized);
  }
  return found;
}

/** What a report shows of the codes. */
export function storedQuantization(
  { zeroPoint, axis, blockSize, scale }: QuantizedTensor,
  reader: ParameterReader,
): StoredQuantization {
  const read = zeroPoint === null ? symmetric(scale, reader) : reader.pair(scale, zeroPoint);
  return { ...read, axis, blockSize, ...unreadOf(scale, read.scale) };
}

/** Scales without stored zero points, over a divisor. */
export function symmetric(
  tensor: HeaderTensor,
  reader: ParameterReader,
  divisor = 1,
): Pick<StoredQuantization, 'scale' | 'zeroPoint'> {
  const scale = reader.values(tensor, divisor);
  return { scale, zeroPoint: reader.zeros(scale.length) };
}

/** Says of scales that were left in the file that they were. */
export function unreadOf(
  { elements }: HeaderTensor,
  read: readonly number[],
): Pick<StoredQuantization, 'unread'> {
  return read.length < elements ? { unread: elements } : {};
}

/** The entries of a file's description of its codes, whatever they are. */
export function describedCodes({ metadata }: Header): [string, unknown][] {
  const text = metadata.get(QUANTIZATION_KEY);
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value)
      : [];
  } catch {
    return []; // Metadata is anyone's text.
  }
}

function fitDescription(
  weight: string,
  value: unknown,
  tensors: ReadonlyMap<string, HeaderTensor>,
): QuantizedTensor | null {
  if (typeof value !== 'object' || value === null) return null;
  const stored = value as Partial<Record<keyof StoredCodes, unknown>>;
  const named = (name: unknown): HeaderTensor | undefined =>
    typeof name === 'string' ? tensors.get(name) : undefined;
  const [codes, scale] = [named(stored.codes), named(stored.scale)];
  const dtype = CODE_DTYPES.find((known) => known === stored.dtype);
  const shape = sizesOf(stored.shape);
  if (codes === undefined || scale === undefined || dtype === undefined || shape === null)
    return null;
  const elements = shape.reduce((total, size) => total * size, 1);
  const bits = dtypeOf(dtype).bits;
  const fits =
    Number.isSafeInteger(elements) &&
    (bits < 8 ? codes.dtype === 'uint8' : codes.dtype === dtype) &&
    packedBytes(dtype, elements) === codes.end - codes.begin;
  const axis = stored.axis ?? null;
  const blockSize = stored.block_size ?? null;
  if (!fits || !isPlace(axis, shape.length) || !isPlace(blockSize, Infinity)) return null;
  if (scale.dtype !== 'float32' || scale.elements !== countOf(shape, axis, blockSize)) return null;
  const zeroPoint = named(stored.zero_point) ?? null;
  const hasZeros =
    zeroPoint === null || zeroPoint.end - zeroPoint.begin === packedBytes(dtype, scale.elements);
  if (!hasZeros) return null;
  // The bytes of packed zero points are read as what they hold.
  const zeros = zeroPoint === null ? null : { ...zeroPoint, dtype, elements: scale.elements };
  return {
    ...{ weight, dtype, shape, elements, scale, zeroPoint: zeros, axis, blockSize },
    isDescribed: true,
  };
}

const CODE_DTYPES: readonly DtypeName[] = [
  'int8',
  'uint8',
  'int4',
  'uint4',
  'int16',
  'uint16',
  'int32',
];

function sizesOf(value: unknown): number[] | null {
  if (!Array.isArray(value)) return null;
  return value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)
    ? (value as number[])
    : null;
}

function isPlace(value: unknown, below: number): value is number | null {
  return (
    value === null || (Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < below)
  );
}

/** How many scales a shape has; -1 where the axis or block is none. */
function countOf(shape: readonly number[], axis: number | null, blockSize: number | null): number {
  if (axis === null) return blockSize === null ? 1 : -1;
  const size = shape[axis] ?? 0;
  if (blockSize === null) return size;
  if (blockSize < 1 || size === 0) return -1;
  const others = shape.reduce((total, other, at) => (at === axis ? total : total * other), 1);
  return others * Math.ceil(size / blockSize);
}

/** Codes as compressed-tensors names them: `x.weight`, `x.weight_scale` [1], [out, 1] or [out, groups], `x.weight_zero_point`. */
function fitNames(
  codes: HeaderTensor,
  tensors: ReadonlyMap<string, HeaderTensor>,
): QuantizedTensor | null {
  const { name, dtype, shape, elements } = codes;
  const isCode = /^u?int(?:8|16|32)$|^float8/.test(dtype) && elements > 0;
  if (!isCode || !/(?:^|\.)weight$/.test(name)) return null;
  const scale = tensors.get(`${name}_scale`);
  if (scale === undefined || !/^float(?:32|16)|^bfloat16/.test(scale.dtype)) return null;
  const [rows, columns] = shape;
  const groups = scale.elements / (rows ?? 1);
  const found = tensors.get(`${name}_zero_point`);
  const zeroPoint = found?.elements === scale.elements ? found : null;
  const made = { weight: name, dtype, shape, elements, scale, zeroPoint, isDescribed: false };
  if (scale.elements === 1) return { ...made, axis: null, blockSize: null };
  if (scale.shape[0] !== rows) return null;
  if (groups === 1) return { ...made, axis: 0, blockSize: null };
  const isGrouped =
    shape.length === 2 && scale.shape.length === 2 && Number.isInteger(columns! / groups);
  return isGrouped ? { ...made, axis: 1, blockSize: columns! / groups } : null;
}

import { dtypeOf, isSourceDtype, type DtypeName } from '../../../../../shared/dtypes.ts';
import type { StoredQuantization, TensorRef } from '../../../../../shared/model.ts';
import { pendingCodes } from './pending-codes.ts';
import type { Stored, Use } from './stored.ts';
import type { Codes, Packing } from './stored-codes.ts';
import type { OnnxTensor } from './stored.ts';

/** The use that takes a stored tensor as codes; null for floats that nothing quantizes. */
export function quantizedBy(uses: readonly Use[], dtype: DtypeName): QuantizedUse | null {
  const isFloat = isSourceDtype(dtype);
  const takes = (use: Use): use is QuantizedUse =>
    use.codes !== null &&
    (!isFloat || use.op.endsWith('QuantizeLinear') || use.op === 'DequantizeLinear');
  return uses.find(takes) ?? null;
}

type QuantizedUse = Use & { readonly codes: Codes };

/**
 * How many values a tensor of packed codes stands for; undefined where it is as many as it has
 * elements. Attributes that promise more than the bytes hold are not believed.
 */
export function packedValues(
  by: QuantizedUse | null,
  ref: Pick<TensorRef, 'dtype' | 'elements'>,
): number | undefined {
  const packing = by?.codes.packing ?? null;
  if (packing === null) return undefined;
  const perElement = dtypeOf(ref.dtype).bits / packing.bits;
  const held = ref.elements * Math.max(1, perElement);
  const { count } = packing;
  const values = count !== null && count > 0 && count <= held ? count : held;
  return values === ref.elements ? undefined : values;
}

/** Parameters with more values than this are left in the file when a model is opened: they may be as large as weights. */
export const MAX_OPENED_PARAMETERS = 4096;

/**
 * Fill in the stored scales and zero points of already-quantized tensors.
 * @param readNumbers the values of a small stored tensor.
 */
export function withStoredQuantization(
  tensors: readonly OnnxTensor[],
  readNumbers: (tensor: TensorRef) => readonly number[],
): OnnxTensor[] {
  const byStored = new Map(tensors.map((tensor) => [tensor.stored, tensor.ref]));
  const storedIn = (use: Use, input: number | null): TensorRef | undefined => {
    const name = input === null ? undefined : use.inputs[input];
    const stored: Stored | undefined =
      name === undefined || name === '' ? undefined : use.scope.stored(name);
    return stored === undefined ? undefined : byStored.get(stored);
  };
  return tensors.map(({ ref, stored }) => {
    const by = quantizedBy(stored.uses, ref.dtype);
    if (by === null) return { ref, stored };
    const { codes } = by;
    const [scales, zeroPoints] = [storedIn(by, codes.scale), storedIn(by, codes.zeroPoint)];
    const unread = isLong(scales) || isLong(zeroPoints);
    const scale = scales === undefined || unread ? [] : readNumbers(scales);
    const zeroPoint = zeroPoints === undefined || unread ? [] : readNumbers(zeroPoints);
    const quantization: StoredQuantization = {
      scale,
      zeroPoint: unpacked(zeroPoint, codes.packing),
      axis:
        (unread || scale.length > 1) && isAxis(codes.axis, ref.shape.length) ? codes.axis : null,
      blockSize: codes.blockSize,
      ...(unread && scales !== undefined ? { unread: scales.elements } : {}),
    };
    if (!isSourceDtype(ref.dtype)) return { ref: { ...ref, quantization }, stored };
    // Floats that the model quantizes itself: an export may store the codes in their place.
    const codesOf = pendingCodes(stored, by, ref, quantization);
    return 'pending' in codesOf
      ? { ref: { ...ref, quantization: { ...quantization, ...codesOf } }, stored }
      : { ref: { ...ref, quantization, ...codesOf }, stored };
  });
}

function isLong(ref: TensorRef | undefined): boolean {
  return ref !== undefined && ref.elements > MAX_OPENED_PARAMETERS;
}

/** Zero points of MatMulNBits from bytes that hold several: each row begins on a byte of its own. */
function unpacked(bytes: readonly number[], packing: Packing | null): readonly number[] {
  if (packing === null || packing.bits === 8 || packing.perRow === null) return bytes;
  const { bits, perRow } = packing;
  const width = Math.ceil((perRow * bits) / 8);
  if (width === 0 || bytes.length % width !== 0) return bytes;
  const codes: number[] = [];
  for (let row = 0; row < bytes.length; row += width)
    for (let at = 0; at < perRow; at++) {
      const bit = at * bits;
      codes.push((bytes[row + (bit >> 3)]! >> (bit & 7)) & (2 ** bits - 1));
    }
  return codes;
}

function isAxis(axis: number | null, rank: number): boolean {
  return axis !== null && axis >= 0 && axis < rank;
}

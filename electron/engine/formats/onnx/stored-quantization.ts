import type { StoredQuantization, TensorRef } from '../../../../shared/model.ts';
import { integerAttribute } from './operators.ts';
import type { Stored, Use } from './scopes.ts';
import type { OnnxTensor } from './tensors.ts';

/** Which inputs of which operator hold a stored tensor's quantization parameters. */
export interface QuantizedBy {
  readonly use: Use;
  readonly scaleInput: number | null;
  readonly zeroPointInput: number | null;
  readonly axis: number | null;
  readonly blockSize: number | null;
}

/**
 * The operator that takes a stored tensor as already quantized, with the places of its scale and
 * zero point (ONNX: DequantizeLinear, QLinearConv, QLinearMatMul, ConvInteger, MatMulInteger;
 * com.microsoft: MatMulNBits, QGemm, DynamicQuantizeMatMul, DynamicQuantizeLSTM).
 */
export function quantizedBy(uses: readonly Use[]): QuantizedBy | null {
  for (const use of uses) {
    const found = inputsOf(use);
    if (found !== null) return { use, axis: null, blockSize: null, ...found };
  }
  return null;
}

type Inputs = Pick<QuantizedBy, 'scaleInput' | 'zeroPointInput'> &
  Partial<Pick<QuantizedBy, 'axis' | 'blockSize'>>;

function inputsOf(use: Use): Inputs | null {
  const at = (
    input: number,
    scaleInput: number | null,
    zeroPointInput: number | null,
  ): Inputs | null => (use.input === input ? { scaleInput, zeroPointInput } : null);
  switch (use.op) {
    case 'DequantizeLinear':
    case 'QuantizeLinear': {
      if (use.input !== 0) return null;
      const blockSize = integerAttribute(use.record, 'block_size', 0);
      const axis = integerAttribute(use.record, 'axis', 1);
      return {
        scaleInput: 1,
        zeroPointInput: 2,
        axis,
        blockSize: blockSize > 0 ? blockSize : null,
      };
    }
    case 'QLinearConv':
    case 'QLinearMatMul':
    case 'QGemm':
      return at(3, 4, 5);
    case 'ConvInteger':
    case 'MatMulInteger':
      return at(1, null, 3);
    case 'MatMulNBits':
      return use.input === 1
        ? {
            scaleInput: 2,
            zeroPointInput: 3,
            blockSize: integerAttribute(use.record, 'block_size', 0),
          }
        : null;
    case 'DynamicQuantizeMatMul':
      return at(1, 2, 3);
    case 'DynamicQuantizeLSTM':
      return at(1, 8, 9) ?? at(2, 10, 11);
    default:
      return null;
  }
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
  const numbers = (use: Use, input: number | null): readonly number[] => {
    const name = input === null ? undefined : use.record.inputs[input];
    const stored: Stored | undefined =
      name === undefined || name === '' ? undefined : use.scope.stored(name);
    const ref = stored === undefined ? undefined : byStored.get(stored);
    return ref === undefined || ref.elements > MAX_OPENED_PARAMETERS ? [] : readNumbers(ref);
  };
  return tensors.map(({ ref, stored }) => {
    const by = quantizedBy(stored.uses);
    if (by === null) return { ref, stored };
    const scale = numbers(by.use, by.scaleInput);
    const quantization: StoredQuantization = {
      scale,
      zeroPoint: numbers(by.use, by.zeroPointInput),
      axis: scale.length > 1 && by.axis !== null ? normalAxis(by.axis, ref.shape.length) : null,
      blockSize: by.blockSize,
    };
    return { ref: { ...ref, quantization }, stored };
  });
}

function normalAxis(axis: number, rank: number): number | null {
  const positive = axis < 0 ? axis + rank : axis;
  return positive >= 0 && positive < rank ? positive : null;
}

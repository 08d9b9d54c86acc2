import type { DtypeName } from '../../../../../shared/dtypes.ts';
import type { ActivationCodes } from '../../format.ts';
import type { OnnxGraph } from './graph.ts';
import type { OnnxTensor } from './stored.ts';

/** What QuantizeLinear takes its codes for where it has no zero point. */
const DEFAULT_DTYPE = 'uint8';
const DTYPES: ReadonlySet<DtypeName> = new Set(['uint8', 'int8', 'uint16', 'int16']);

/**
 * Values that a model rounds to codes of one scale and takes back as float: a DequantizeLinear of what a QuantizeLinear
 * makes of a value. Stored codes are weights, and none of them.
 */
export function activationCodes(
  graph: OnnxGraph,
  tensors: readonly OnnxTensor[],
  numbersOf: (tensor: OnnxTensor) => readonly number[],
): ActivationCodes[] {
  const numberOf = (tensor: number): number | null => {
    const found = tensors[tensor]!;
    return found.ref.elements === 1 ? (numbersOf(found)[0] ?? null) : null;
  };
  return graph.operators.flatMap(({ id, op, inputs, outputs }): ActivationCodes[] => {
    const [codes, scales, zeroPoints] = inputs;
    const restored = outputs[0] ?? null;
    if (op !== 'DequantizeLinear' || codes?.kind !== 'value' || restored === null) return [];
    const { producer } = graph.values[codes.value]!;
    const quantize = producer === null ? null : graph.operators[producer]!;
    const exact = quantize?.op === 'QuantizeLinear' ? (quantize.inputs[0] ?? null) : null;
    const scale = scales?.kind === 'tensor' ? numberOf(scales.tensor) : null;
    if (exact?.kind !== 'value' || scale === null) return [];
    const hasZeroPoint = zeroPoints?.kind === 'tensor';
    const zeroPoint = hasZeroPoint ? numberOf(zeroPoints.tensor) : 0;
    const dtype = hasZeroPoint ? tensors[zeroPoints.tensor]!.ref.dtype : DEFAULT_DTYPE;
    if (zeroPoint === null || !isCodeType(dtype)) return [];
    return [{ operator: id, exact: exact.value, restored, scale, zeroPoint, dtype }];
  });
}

function isCodeType(dtype: DtypeName): dtype is ActivationCodes['dtype'] {
  return DTYPES.has(dtype);
}

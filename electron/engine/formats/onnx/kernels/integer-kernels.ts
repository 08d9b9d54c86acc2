import { integerAttribute } from '../read/node-slots.ts';
import type { NodeRecord } from '../read/records.ts';

/** What a value of the graph holds: floats, quantized codes of 2 to 16 bits, or anything else (shapes, sums, masks). */
export type ValueKind = 'float' | 'codes' | 'other';

/** Integer kernels whose outputs are floats: they multiply by the scales themselves (onnxruntime, ContribOperators.md). */
const GIVES_FLOATS = new Set(
  (
    'MatMulIntegerToFloat DynamicQuantizeMatMul DynamicQuantizeLSTM QAttention QMoE ' +
    'QEmbedLayerNormalization'
  ).split(' '),
);

/** Integer kernels whose outputs are sums in int32. */
const GIVES_SUMS = new Set(['MatMulInteger', 'MatMulInteger16', 'ConvInteger']);

/** onnxruntime's accuracy level of MatMulNBits at which inputs are quantized to int8; others compute in float32. */
const INT8_LEVEL = 4;

/** Input 7 of QGemm: the scale of its output, without which that is float. */
const QGEMM_OUTPUT_SCALE = 7;

/** What an integer kernel gives; null where the node is none. */
export function integerKernel(node: NodeRecord): ValueKind | null {
  const { opType, inputs } = node;
  if (opType === 'QGemm') return (inputs[QGEMM_OUTPUT_SCALE] ?? '') === '' ? 'float' : 'codes';
  if (opType === 'MatMulNBits')
    return integerAttribute(node, 'accuracy_level', 0) === INT8_LEVEL ? 'float' : null;
  if (opType.startsWith('QLinear') || opType.startsWith('QOrdered')) return 'codes';
  if (GIVES_SUMS.has(opType)) return 'other';
  return GIVES_FLOATS.has(opType) ? 'float' : null;
}

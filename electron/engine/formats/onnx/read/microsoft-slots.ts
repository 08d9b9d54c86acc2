import { bias, constant, norm, other, weight, type Slot } from '../../slot.ts';
import { factor, filter, recurrent, type SlotRule } from './node-slots.ts';
import type { NodeRecord } from './records.ts';

/** By input: what a float tensor there is. */
type Slots = Readonly<Record<number, SlotRule | Slot>>;

const left = factor('left');
const right = factor('right');
const embedding: Slot = { role: 'embedding', axis: 0 };
const PRODUCT: Slots = { 0: left, 1: right };
const GEMM: Slots = { 0: left, 1: right, 2: bias };
const FILTER: Slots = { 1: filter(0), 2: bias };
const ATTENTION: Slots = { 1: right, 2: bias };
const BIASED: Slots = { 1: bias };

/**
 * What the inputs of com.microsoft's operators are (onnxruntime 1.30's schemas). Channel axes are
 * those of the outputs that a weight makes. Inputs that are not listed are constants.
 */
const OPERATORS: Readonly<Record<string, Slots>> = {
  FusedMatMul: PRODUCT,
  FusedMatMulActivation: PRODUCT,
  TransposeMatMul: PRODUCT,
  SparseToDenseMatMul: PRODUCT,
  FusedGemm: GEMM,
  GemmFastGelu: GEMM,
  GemmFloat8: { 2: bias },
  FusedConv: FILTER,
  NhwcConv: FILTER,
  NhwcFusedConv: FILTER,
  ConvTransposeWithDynamicPads: { 1: filter(1), 3: bias },
  CausalConvWithState: FILTER,
  VarlenCausalConvWithState: { 1: filter(0), 3: bias },
  Attention: ATTENTION,
  PackedAttention: ATTENTION,
  DecoderMaskedSelfAttention: ATTENTION,
  DecoderAttention: { 2: right, 3: right, 4: bias },
  LongformerAttention: { 1: right, 2: bias, 4: right, 5: bias },
  MultiHeadAttention: { 3: bias },
  PackedMultiHeadAttention: { 3: bias },
  DecoderMaskedMultiHeadAttention: { 10: bias },
  GroupQueryAttention: { 14: norm, 15: norm },
  PagedAttention: { 12: norm, 13: norm },
  GatedRelativePositionBias: { 1: bias, 3: right, 4: bias },
  // Its table lies column by column whatever its shape says.
  RelativePositionBias: { 0: { role: 'embedding', axis: null } },
  MoE: { 2: expert, 3: bias, 4: expert, 5: bias, 6: expert, 7: bias },
  AttnLSTM: { 1: recurrent, 2: recurrent, 3: bias, 8: stack, 9: stack, 10: other, 13: stack },
  EmbedLayerNormalization: { 2: embedding, 3: embedding, 4: embedding, 5: norm, 6: norm },
  TorchEmbedding: { 0: embedding },
  WordConvEmbedding: { 1: filter(0), 2: bias, 3: embedding },
  SkipLayerNormalization: { 2: norm, 3: norm, 4: bias },
  SkipSimplifiedLayerNormalization: { 2: norm, 3: bias },
  GroupNorm: { 1: norm, 2: norm },
  SkipGroupNorm: { 1: norm, 2: norm, 4: bias },
  GatedRMSNorm: { 1: norm },
  EngramGate: { 3: norm, 4: norm },
  BiasGelu: BIASED,
  FastGelu: BIASED,
  BiasAdd: BIASED,
  BiasSplitGelu: BIASED,
  BiasDropout: BIASED,
  BitmaskBiasDropout: BIASED,
  DynamicQuantizeMatMul: { 4: bias },
  DynamicQuantizeLSTM: { 3: bias },
  MatMulIntegerToFloat: { 6: bias },
  QAttention: { 2: bias },
  QMoE: { 4: bias, 7: bias, 10: bias },
  MatMulNBits: { 5: bias },
  MatMulNBitsMlp: { 2: norm, 5: bias, 8: bias },
  MatMulNBitsQkv: { 2: norm, 5: bias, 8: bias, 11: bias },
  MatMulBlockQuantizedFp4Weight: { 5: bias },
  MatMulBlockQuantizedFp8Weight: { 4: bias },
  QOrderedMatMul: { 5: bias },
  QOrderedAttention: { 11: bias, 12: bias, 13: bias },
  QOrderedLongformerAttention: { 4: bias, 10: bias },
  QOrderedLayerNormalization: { 2: norm, 3: norm },
};

/** A stack of matrices [experts, outputs, inputs]. */
function expert(_node: NodeRecord, rank: number): Slot {
  return rank === 3 ? weight(1) : other;
}

/** A stack of matrices [directions, inputs, outputs]. */
function stack(_node: NodeRecord, rank: number): Slot {
  return rank === 3 ? weight(2) : other;
}

/** What an input of an operator of com.microsoft is, or null where the operator is not known. */
export function microsoftSlot(node: NodeRecord, input: number, rank: number): Slot | null {
  if (node.domain !== 'com.microsoft' || !Object.hasOwn(OPERATORS, node.opType)) return null;
  const slot = OPERATORS[node.opType]![input] ?? constant;
  return typeof slot === 'function' ? slot(node, rank) : slot;
}

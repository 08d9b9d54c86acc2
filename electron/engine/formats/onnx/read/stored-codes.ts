import type { StoredQuantization } from '../../../../../shared/model.ts';
import { bias, norm, other, weight, type Slot } from '../../slot.ts';
import { axisAttribute, factor, filter, integerAttribute, type SlotRule } from './node-slots.ts';
import type { NodeRecord } from './records.ts';

/** How several codes share a byte, or how many there are where the attributes tell. */
export interface Packing {
  /** Bits of a code in a tensor of bytes. */
  readonly bits: number;
  /** How many codes are meant; null where all that are stored are. */
  readonly count: number | null;
  /** Codes of each row whose zero points begin on a byte of their own; null where they are not packed so. */
  readonly perRow: number | null;
}

/** What a node says of an input that takes stored codes. */
export interface Codes {
  readonly slot: Slot;
  /** The inputs that hold the scales and the zero points, where the operator has them apart. */
  readonly scale: number | null;
  readonly zeroPoint: number | null;
  /** The axis of several scales. */
  readonly axis: number | null;
  readonly blockSize: StoredQuantization['blockSize'];
  readonly packing: Packing | null;
}

/** The values of a constant integer input, where they are known. */
type IntegersOf = (input: number) => readonly number[] | null;

interface Row {
  readonly at: number;
  readonly scale: number | null;
  readonly zeroPoint: number | null;
  readonly slot: SlotRule;
  readonly more?: (node: NodeRecord, rank: number, integersOf: IntegersOf) => Partial<Codes>;
}

const row = (
  at: number,
  scale: number | null,
  zeroPoint: number | null,
  slot: SlotRule,
  more?: Row['more'],
): Row => ({ at, scale, zeroPoint, slot, ...(more === undefined ? {} : { more }) });

const left = factor('left');
const right = factor('right');
const embedding = (): Slot => ({ role: 'embedding', axis: 0 });
const integerBias = (at: number): Row => row(at, null, null, () => bias);

/** Bits of a packed code: those that the operators have kernels for. */
function bitsOf(node: NodeRecord, name: string): number {
  const bits = integerAttribute(node, name, 4);
  return bits === 2 || bits === 4 || bits === 8 ? bits : 8;
}

const blocks = (node: NodeRecord, fallback = 0): Pick<Codes, 'axis' | 'blockSize'> => {
  const size = integerAttribute(node, 'block_size', fallback);
  return { axis: null, blockSize: size > 0 ? size : null };
};

/** A matrix [K, N] in MatMulNBits' order: [N, blocks along K, bytes of a block]. */
function nbits(at: number, scale: number, zeroPoint: number | null, outputs: string): Row {
  return row(
    at,
    scale,
    zeroPoint,
    () => weight(0),
    (node) => {
      const inputs = integerAttribute(node, 'K', 0);
      const { axis, blockSize } = blocks(node);
      const count = inputs * integerAttribute(node, outputs, 0);
      const perRow = blockSize === null ? null : Math.ceil(inputs / blockSize);
      return { axis, blockSize, packing: { bits: bitsOf(node, 'bits'), count, perRow } };
    },
  );
}

/** Weights of experts [experts, outputs, bytes of the inputs]. */
function expert(at: number, scale: number, zeroPoint: number): Row {
  return row(
    at,
    scale,
    zeroPoint,
    () => weight(1),
    (node) => ({
      ...blocks(node),
      packing: { bits: bitsOf(node, 'expert_weight_bits'), count: null, perRow: null },
    }),
  );
}

const DEQUANTIZE = row(
  0,
  1,
  2,
  () => other,
  (node, rank) => ({ ...blocks(node), axis: axisAttribute(node, 'axis', 1, rank) }),
);

/**
 * Which inputs of which operators hold stored codes, their scales and their zero points, as the
 * schemas of onnx 1.23 and onnxruntime 1.30's com.microsoft say. Names mean one thing in both domains.
 */
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  DequantizeLinear: [DEQUANTIZE],
  QuantizeLinear: [DEQUANTIZE],
  QLinearConv: [row(3, 4, 5, filter(0)), integerBias(8)],
  QLinearMatMul: [row(0, 1, 2, left), row(3, 4, 5, right)],
  QLinearAdd: [row(0, 1, 2, () => bias), row(3, 4, 5, () => bias)],
  QGemm: [row(0, 1, 2, left), row(3, 4, 5, right), integerBias(6)],
  ConvInteger: [row(1, null, 3, filter(0))],
  MatMulInteger: [row(0, null, 2, left), row(1, null, 3, right)],
  MatMulInteger16: [row(0, null, null, left), row(1, null, null, right)],
  MatMulIntegerToFloat: [row(0, 2, 4, left), row(1, 3, 5, right)],
  DynamicQuantizeMatMul: [row(1, 2, 3, right)],
  DynamicQuantizeLSTM: [row(1, 8, 9, () => weight(2)), row(2, 10, 11, () => weight(2))],
  QAttention: [row(1, 4, 7, right)],
  MatMulNBits: [nbits(1, 2, 3, 'N')],
  MatMulNBitsMlp: [nbits(3, 4, null, 'N'), nbits(6, 7, null, 'N')],
  MatMulNBitsQkv: [nbits(3, 4, null, 'Nq'), nbits(6, 7, null, 'Nkv'), nbits(9, 10, null, 'Nkv')],
  MatMulBnb4: [
    row(
      1,
      2,
      null,
      () => weight(null),
      (node) => ({
        ...blocks(node),
        packing: {
          bits: 4,
          count: integerAttribute(node, 'K', 0) * integerAttribute(node, 'N', 0),
          perRow: null,
        },
      }),
    ),
  ],
  // The scales lie between the codes; its other constant input says how many codes there are.
  MatMulFpQ4: [
    row(
      1,
      null,
      null,
      () => weight(null),
      (_node, _rank, integersOf) => ({
        packing: {
          bits: 4,
          count: integersOf(2)?.reduce((product, size) => product * size, 1) ?? null,
          perRow: null,
        },
      }),
    ),
  ],
  MatMulBlockQuantizedFp8Weight: [row(1, 2, null, () => weight(0), blocksOf(128))],
  MatMulBlockQuantizedFp4Weight: [
    row(
      1,
      2,
      null,
      () => weight(0),
      (node) => ({ ...blocks(node, 16), packing: { bits: 4, count: null, perRow: null } }),
    ),
  ],
  GemmFloat8: [row(0, 3, null, left), row(1, 4, null, right)],
  GatherBlockQuantized: [
    row(
      0,
      2,
      3,
      (node, rank) => ({ role: 'embedding', axis: axisAttribute(node, 'gather_axis', 0, rank) }),
      (node) => ({
        ...blocks(node, 128),
        packing: { bits: bitsOf(node, 'bits'), count: null, perRow: null },
      }),
    ),
  ],
  QMoE: [expert(2, 3, 11), expert(5, 6, 12), expert(8, 9, 13)],
  QEmbedLayerNormalization: [
    row(2, 8, 13, embedding),
    row(3, 9, 14, embedding),
    row(4, 10, 15, embedding),
    row(5, 11, 16, () => norm),
    row(6, 12, 17, () => norm),
  ],
  QOrderedMatMul: [row(2, 3, null, right)],
  QOrderedAttention: [row(5, 8, null, right), row(6, 9, null, right), row(7, 10, null, right)],
  QOrderedLongformerAttention: [row(2, 3, null, right), row(8, 9, null, right)],
};

function blocksOf(fallback: number): Row['more'] {
  return (node) => blocks(node, fallback);
}

/**
 * What a node says of an input that takes stored codes; null for every other input.
 * @param integersOf the values of a constant integer input, where they are known
 */
export function codesAt(
  node: NodeRecord,
  input: number,
  rank: number,
  integersOf: IntegersOf = () => null,
): Codes | null {
  if (!Object.hasOwn(ROWS, node.opType)) return null;
  const found = ROWS[node.opType]!.find((candidate) => candidate.at === input);
  if (found === undefined) return null;
  const slot = found.slot(node, rank);
  const { scale, zeroPoint } = found;
  const plain = { slot, scale, zeroPoint, axis: slot.axis, blockSize: null, packing: null };
  return { ...plain, ...found.more?.(node, rank, integersOf) };
}

import type { OperatorRecord } from '../../read/records.ts';

/** How an operator computes on int8 or int16: LiteRT's 8-bit quantization specification, and the kernels of tf.lite 2.21. */
export type OperatorRule = Versions &
  (
    | {
        /** It multiplies an activation with a stored weight, and adds an int32 bias. */
        readonly kind: 'weighted';
        readonly input: number;
        readonly weight: number;
        readonly bias: number;
      }
    | {
        /** Its output has parameters of its own, whatever the values are. */
        readonly kind: 'fixed';
        readonly scale: number;
        readonly zeroPoint: number;
      }
    | {
        /** Codes of its first input, or of all inputs, are those of its outputs. */
        readonly kind: 'same';
        readonly inputs: 'first' | 'all';
      }
    /** Each input and output has parameters of its own. */
    | {
        readonly kind: 'own';
        /** Whether its second input must have zero point 0. */
        readonly centred?: true;
      }
  );

/** The versions of the operator from which its kernel takes int8 and int16 (tensorflow's op_version.cc); null where none does. */
interface Versions {
  readonly int8: number;
  readonly int16: number | null;
}

const WEIGHTED = {
  CONV_2D: { int8: 3, int16: 4, input: 0, weight: 1, bias: 2 },
  DEPTHWISE_CONV_2D: { int8: 3, int16: 5, input: 0, weight: 1, bias: 2 },
  FULLY_CONNECTED: { int8: 4, int16: 7, input: 0, weight: 1, bias: 2 },
  TRANSPOSE_CONV: { int8: 2, int16: 3, input: 2, weight: 1, bias: 3 },
} as const;

/** Scale and zero point of int8 codes; int16 codes of all that have any are in units of 1/32768. */
const FIXED = {
  L2_NORMALIZATION: { int8: 2, int16: null, scale: 1 / 128, zeroPoint: 0 },
  LOGISTIC: { int8: 2, int16: 3, scale: 1 / 256, zeroPoint: -128 },
  LOG_SOFTMAX: { int8: 2, int16: null, scale: 16 / 256, zeroPoint: 127 },
  SOFTMAX: { int8: 2, int16: 3, scale: 1 / 256, zeroPoint: -128 },
  TANH: { int8: 2, int16: 3, scale: 1 / 128, zeroPoint: 0 },
} as const;

type Pair = readonly [int8: number, int16: number | null];

/** Operators that hand codes of their first input on, by the versions that take int8 and int16. */
const HANDING_ON: Readonly<Record<string, Pair>> = {
  AVERAGE_POOL_2D: [2, 3],
  BATCH_TO_SPACE_ND: [2, 4],
  BROADCAST_TO: [3, 3],
  DEPTH_TO_SPACE: [2, null],
  EXPAND_DIMS: [1, 1],
  GATHER: [2, 4],
  GATHER_ND: [1, 3],
  MAX_POOL_2D: [2, 3],
  MIRROR_PAD: [2, 3],
  PAD: [2, 3],
  REDUCE_MAX: [2, 3],
  REDUCE_MIN: [2, 3],
  RESHAPE: [1, 1],
  RESIZE_BILINEAR: [2, 4],
  RESIZE_NEAREST_NEIGHBOR: [2, 4],
  REVERSE_V2: [3, 3],
  SLICE: [2, 4],
  SPACE_TO_BATCH_ND: [2, 4],
  SPACE_TO_DEPTH: [2, null],
  SPLIT: [2, 4],
  SPLIT_V: [2, 2],
  SQUEEZE: [1, 1],
  STRIDED_SLICE: [2, 4],
  TILE: [3, null],
  TRANSPOSE: [2, 5],
  UNPACK: [2, 4],
};

/** Operators that hand codes of any of their inputs on. */
const CHOOSING: Readonly<Record<string, Pair>> = {
  CONCATENATION: [2, 3],
  MAXIMUM: [2, 4],
  MINIMUM: [2, 4],
  PACK: [2, 3],
  PADV2: [2, 3],
  SELECT: [1, 1],
  SELECT_V2: [1, 1],
};

/** Operators whose kernels rescale between parameters of their own. PRELU's takes int16, and answers wrongly (tf.lite 2.21). */
const RESCALING: Readonly<Record<string, Pair>> = {
  ABS: [2, 3],
  ADD: [2, 3],
  ARG_MAX: [2, null],
  ARG_MIN: [2, null],
  BATCH_MATMUL: [2, 3],
  ELU: [1, null],
  EXP: [2, 2],
  GELU: [2, 2],
  HARD_SWISH: [1, null],
  LEAKY_RELU: [1, 2],
  LOG: [2, 2],
  MEAN: [2, 3],
  MUL: [2, 4],
  PRELU: [1, null],
  REDUCE_PROD: [2, 2],
  RELU: [2, 3],
  RELU6: [2, 3],
  RELU_0_TO_1: [1, null],
  RELU_N1_TO_1: [1, null],
  RSQRT: [2, 3],
  SQRT: [1, 1],
  SQUARED_DIFFERENCE: [2, null],
  SUB: [2, 5],
  SUM: [2, 2],
};

/** How an operator computes on integers; null where no kernel of it does. */
export function integerRule({
  op,
  isCustom,
}: Pick<OperatorRecord, 'op' | 'isCustom'>): OperatorRule | null {
  if (isCustom) return null;
  const weighted = of(WEIGHTED, op);
  if (weighted !== null) return { kind: 'weighted', ...weighted };
  const fixed = of(FIXED, op);
  if (fixed !== null) return { kind: 'fixed', ...fixed };
  const first = of(HANDING_ON, op);
  if (first !== null) return { kind: 'same', inputs: 'first', ...versions(first) };
  const all = of(CHOOSING, op);
  if (all !== null) return { kind: 'same', inputs: 'all', ...versions(all) };
  const own = of(RESCALING, op);
  if (own === null) return null;
  // XNNPACK (tf.lite 2.21) takes the zero point of the second matrix for 0 whatever it is.
  return { kind: 'own', ...versions(own), ...(op === 'BATCH_MATMUL' ? { centred: true } : {}) };
}

function versions([int8, int16]: Pair): Versions {
  return { int8, int16 };
}

function of<T>(rules: Readonly<Record<string, T>>, op: string): T | null {
  return Object.hasOwn(rules, op) ? rules[op]! : null;
}

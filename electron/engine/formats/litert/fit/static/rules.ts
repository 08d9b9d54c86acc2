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
    | { readonly kind: 'own' }
  );

/** The version of the operator from which its kernel takes int8 (tensorflow's op_version.cc). */
interface Versions {
  readonly version: number;
}

const WEIGHTED = {
  CONV_2D: { version: 3, input: 0, weight: 1, bias: 2 },
  DEPTHWISE_CONV_2D: { version: 3, input: 0, weight: 1, bias: 2 },
  FULLY_CONNECTED: { version: 4, input: 0, weight: 1, bias: 2 },
  TRANSPOSE_CONV: { version: 2, input: 2, weight: 1, bias: 3 },
} as const;

const FIXED = {
  L2_NORMALIZATION: { scale: 1 / 128, zeroPoint: 0 },
  LOGISTIC: { scale: 1 / 256, zeroPoint: -128 },
  LOG_SOFTMAX: { scale: 16 / 256, zeroPoint: 127 },
  SOFTMAX: { scale: 1 / 256, zeroPoint: -128 },
  TANH: { scale: 1 / 128, zeroPoint: 0 },
} as const;

/** Operators that hand codes of their first input on, by the version that takes int8. */
const HANDING_ON: Readonly<Record<string, number>> = {
  AVERAGE_POOL_2D: 2,
  BATCH_TO_SPACE_ND: 2,
  BROADCAST_TO: 2,
  DEPTH_TO_SPACE: 2,
  EXPAND_DIMS: 1,
  GATHER: 2,
  GATHER_ND: 1,
  MAX_POOL_2D: 2,
  MIRROR_PAD: 2,
  PAD: 2,
  REDUCE_MAX: 2,
  REDUCE_MIN: 2,
  RESHAPE: 1,
  RESIZE_BILINEAR: 2,
  RESIZE_NEAREST_NEIGHBOR: 2,
  REVERSE_V2: 1,
  SLICE: 2,
  SPACE_TO_BATCH_ND: 2,
  SPACE_TO_DEPTH: 2,
  SPLIT: 2,
  SPLIT_V: 2,
  SQUEEZE: 1,
  STRIDED_SLICE: 2,
  TILE: 1,
  TRANSPOSE: 2,
  UNPACK: 2,
};

/** Operators that hand codes of any of their inputs on. */
const CHOOSING: Readonly<Record<string, number>> = {
  CONCATENATION: 2,
  MAXIMUM: 2,
  MINIMUM: 2,
  PACK: 2,
  PADV2: 2,
  SELECT: 1,
  SELECT_V2: 1,
};

/** Operators whose kernels rescale between parameters of their own. */
const RESCALING: Readonly<Record<string, number>> = {
  ABS: 2,
  ADD: 2,
  BATCH_MATMUL: 2,
  ELU: 1,
  GELU: 2,
  HARD_SWISH: 1,
  LEAKY_RELU: 2,
  MEAN: 2,
  MUL: 2,
  PRELU: 1,
  RELU: 2,
  RELU6: 2,
  RSQRT: 2,
  SQUARED_DIFFERENCE: 2,
  SUB: 2,
  SUM: 2,
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
  if (fixed !== null) return { kind: 'fixed', version: 2, ...fixed };
  const first = of(HANDING_ON, op);
  if (first !== null) return { kind: 'same', inputs: 'first', version: first };
  const all = of(CHOOSING, op);
  if (all !== null) return { kind: 'same', inputs: 'all', version: all };
  const own = of(RESCALING, op);
  return own === null ? null : { kind: 'own', version: own };
}

function of<T>(rules: Readonly<Record<string, T>>, op: string): T | null {
  return Object.hasOwn(rules, op) ? rules[op]! : null;
}

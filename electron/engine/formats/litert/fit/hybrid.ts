import { slotOf } from '../read/operators.ts';
import type { GraphRecord, OperatorRecord } from '../read/records.ts';
import type { Scheme } from '../../../../../shared/scheme.ts';

/** How an operator computes on float inputs and int8 weights: its inputs are quantized as it runs. */
export interface HybridForm {
  /** The table of BuiltinOptions with asymmetric_quantize_inputs, which the converter sets; null where there is none. */
  readonly options: string | null;
  /** One scale a tensor, one a channel, or either. */
  readonly granularity: 'tensor' | 'channel' | 'either';
  /** Whether it takes weights of 4 bits as well, one scale a channel. */
  readonly takesInt4?: true;
  /** Whether it gives codes with its weights' scale, which a DEQUANTIZE behind it restores. */
  readonly givesCodes?: true;
  /** The operator's version with such weights, asymmetric inputs included (tensorflow's op_version.cc). */
  version(operator: OperatorRecord, isPerChannel: boolean): number;
}

/**
 * The operators with kernels for int8 weights in LiteRT, and the granularities that those take, as found
 * by running each in tf.lite 2.21 (test/reference/check_litert.py): one scale a tensor gives garbage in
 * DEPTHWISE_CONV_2D and fails in a grouped CONV_2D. BATCH_MATMUL takes scales per channel there, but
 * under a version that older runtimes know, too, and read only the first scale of.
 */
const FORMS: Readonly<Record<string, HybridForm>> = {
  CONV_2D: {
    options: null,
    granularity: 'either',
    takesInt4: true,
    version: (_, isPerChannel) => (isPerChannel ? 5 : 2),
  },
  GROUPED_CONV_2D: { options: null, granularity: 'channel', takesInt4: true, version: () => 6 },
  DEPTHWISE_CONV_2D: { options: null, granularity: 'channel', version: () => 6 },
  FULLY_CONNECTED: {
    options: 'FullyConnectedOptions',
    granularity: 'either',
    takesInt4: true,
    version: (_, isPerChannel) => (isPerChannel ? 12 : 9),
  },
  BATCH_MATMUL: { options: 'BatchMatMulOptions', granularity: 'tensor', version: () => 4 },
  TRANSPOSE_CONV: {
    options: null,
    granularity: 'either',
    version: (operator) => (operator.inputs.length === 4 ? 3 : 2),
  },
  EMBEDDING_LOOKUP: {
    options: null,
    granularity: 'either',
    takesInt4: true,
    version: (_, isPerChannel) => (isPerChannel ? 4 : 3),
  },
  GATHER: { options: null, granularity: 'tensor', givesCodes: true, version: () => 2 },
  SVDF: { options: 'SVDFOptions', granularity: 'tensor', version: () => 4 },
  RNN: { options: 'RNNOptions', granularity: 'tensor', version: () => 3 },
  UNIDIRECTIONAL_SEQUENCE_RNN: {
    options: 'SequenceRNNOptions',
    granularity: 'tensor',
    version: () => 3,
  },
  BIDIRECTIONAL_SEQUENCE_RNN: {
    options: 'BidirectionalSequenceRNNOptions',
    granularity: 'tensor',
    version: () => 3,
  },
  LSTM: { options: 'LSTMOptions', granularity: 'tensor', version: () => 4 },
  UNIDIRECTIONAL_SEQUENCE_LSTM: {
    options: 'UnidirectionalSequenceLSTMOptions',
    granularity: 'tensor',
    version: () => 3,
  },
  BIDIRECTIONAL_SEQUENCE_LSTM: {
    options: 'BidirectionalSequenceLSTMOptions',
    granularity: 'tensor',
    version: () => 3,
  },
};

/** The hybrid form of an operator; null where its weights have to be restored to float first. */
export function hybridForm(operator: OperatorRecord, graph: GraphRecord): HybridForm | null {
  if (operator.isCustom) return null;
  const isGroupedConv = operator.op === 'CONV_2D' && isGrouped(operator, graph);
  const name = isGroupedConv ? 'GROUPED_CONV_2D' : operator.op;
  if (!Object.hasOwn(FORMS, name)) return null;
  const form = FORMS[name]!;
  const isForeign = operator.options !== null && operator.options.table !== form.options;
  return form.options !== null && isForeign ? null : form;
}

/** Whether a hybrid kernel takes weights of this scheme: int8 or int4, symmetric, and scaled as it can. */
export function takesScheme(form: HybridForm, scheme: Scheme, isPerChannel: boolean): boolean {
  if (scheme.kind !== 'affine' || !scheme.symmetric) return false;
  if (scheme.dtype === 'int4') return form.takesInt4 === true && isPerChannel;
  if (scheme.dtype !== 'int8') return false;
  return (
    form.granularity === 'either' || form.granularity === (isPerChannel ? 'channel' : 'tensor')
  );
}

/** The inputs of an operator that hold its weights, by position. */
export function weightInputs(operator: OperatorRecord, graph: GraphRecord): number[] {
  return operator.inputs.flatMap((tensor, input) => {
    if (tensor < 0) return [];
    const rank = graph.tensors[tensor]!.shape.length;
    const { role } = slotOf(operator, input, rank);
    // The left-hand matrix is float in the hybrid kernel.
    if (operator.op === 'BATCH_MATMUL' && input === 0) return [];
    return role === 'weight' || role === 'embedding' ? [input] : [];
  });
}

/** The axis along which an operator wants the scales of one of its weights; null where it takes none per channel. */
export function scaleAxis(
  operator: OperatorRecord,
  input: number,
  { tensors }: GraphRecord,
): number | null {
  return slotOf(operator, input, tensors[operator.inputs[input]!]!.shape.length).axis;
}

/** A convolution whose filters see only a part of the input's channels. */
function isGrouped({ inputs }: OperatorRecord, { tensors }: GraphRecord): boolean {
  const [input, filter] = [tensors[inputs[0] ?? -1], tensors[inputs[1] ?? -1]];
  return input?.shape[3] !== filter?.shape[3];
}

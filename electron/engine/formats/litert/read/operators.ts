import { atRank, bias, constant, norm, other, weight, type Slot } from '../../slot.ts';
import { numberOf } from './nodes.ts';
import type { OperatorRecord } from './records.ts';

/** Operators that draw random numbers. */
export const RANDOM_OPERATORS: ReadonlySet<string> = new Set([
  'RANDOM_STANDARD_NORMAL',
  'RANDOM_UNIFORM',
  'MULTINOMIAL',
]);

/** The inputs of the LSTM operators of 20 to 24 inputs and more, from the first of a direction's weights on. */
const LSTM_WEIGHTS = 8;
const LSTM_PEEPHOLES = 3;
const LSTM_BIASES = 4;

/**
 * What a tensor of this rank is to an operator's input (LiteRT's kernels: the constants that head each
 * of tensorflow/lite/kernels). Channel axes are those of LiteRT's 8-bit quantization specification;
 * recurrent operators take one scale a tensor.
 */
export function slotOf(operator: OperatorRecord, input: number, rank: number): Slot {
  return operator.isCustom ? other : atRank(builtinSlot(operator, input, rank), rank);
}

function builtinSlot(operator: OperatorRecord, input: number, rank: number): Slot {
  switch (operator.op) {
    case 'CONV_2D':
      return withBias(input, 1, 2, 0);
    case 'DEPTHWISE_CONV_2D':
      return withBias(input, 1, 2, 3);
    case 'FULLY_CONNECTED':
      return withBias(input, 1, 2, 0);
    case 'TRANSPOSE_CONV':
      return withBias(input, 1, 3, 0);
    case 'CONV_3D':
      return withBias(input, 1, 2, 4);
    case 'CONV_3D_TRANSPOSE':
      return withBias(input, 1, 3, 3);
    case 'BATCH_MATMUL':
      return matrix(operator, input, rank);
    case 'EMBEDDING_LOOKUP':
      return input === 1 && rank >= 2 ? { role: 'embedding', axis: 0 } : constant;
    case 'GATHER':
      return gather(operator, input, rank);
    case 'SVDF':
      return input === 1 || input === 2 ? weight(null) : input === 3 ? bias : other;
    case 'RNN':
    case 'UNIDIRECTIONAL_SEQUENCE_RNN':
      return input === 1 || input === 2 ? weight(null) : input === 3 ? bias : other;
    case 'BIDIRECTIONAL_SEQUENCE_RNN':
      return [1, 2, 5, 6, 10, 11].includes(input)
        ? weight(null)
        : input === 3 || input === 7
          ? bias
          : other;
    case 'LSTM':
      return operator.inputs.length === 5 ? basicLstm(input) : lstm(input);
    case 'UNIDIRECTIONAL_SEQUENCE_LSTM':
      return lstm(input);
    case 'BIDIRECTIONAL_SEQUENCE_LSTM':
      return bidirectionalLstm(input);
    case 'STABLEHLO_CONVOLUTION':
      return input === 1 ? weight(null) : other;
    case 'STABLEHLO_DOT_GENERAL':
      return rank >= 2 ? weight(null) : other;
    case 'ADD':
      return bias;
    case 'PRELU':
      return other;
    default:
      return constant;
  }
}

function withBias(input: number, weights: number, biases: number, axis: number): Slot {
  if (input === weights) return weight(axis);
  return input === biases ? bias : other;
}

/** An option of an operator; 0 where its options are left out, or are those of another operator. */
function optionOf({ options }: OperatorRecord, table: string, name: string): number {
  return options?.table === table ? numberOf(options, name) : 0;
}

/** The channels of a right-hand matrix are its columns, of a left-hand one its rows, before it is transposed. */
function matrix(operator: OperatorRecord, input: number, rank: number): Slot {
  if (input > 1 || rank < 2) return other;
  const isTransposed =
    optionOf(operator, 'BatchMatMulOptions', input === 0 ? 'adj_x' : 'adj_y') !== 0;
  return weight((input === 1) === isTransposed ? rank - 2 : rank - 1);
}

function gather(operator: OperatorRecord, input: number, rank: number): Slot {
  const axis = optionOf(operator, 'GatherOptions', 'axis');
  return input === 0 && rank >= 2 && axis === 0 ? { role: 'embedding', axis: 0 } : constant;
}

/** The basic kernel: input, previous activation, weights, biases, previous state. */
function basicLstm(input: number): Slot {
  return input === 2 ? weight(null) : input === 3 ? bias : other;
}

function lstm(input: number): Slot {
  if (input >= 20) return norm;
  return direction(input - 1);
}

/** One direction's weights, peepholes, biases, and the projection with its bias. */
function direction(at: number): Slot {
  const biases = LSTM_WEIGHTS + LSTM_PEEPHOLES;
  const projection = biases + LSTM_BIASES;
  if (at < 0) return other;
  if (at < LSTM_WEIGHTS || at === projection) return weight(null);
  if (at < biases) return constant;
  return at < projection || at === projection + 1 ? bias : other;
}

/** Two directions of 17 inputs each, four states, and the auxiliary input with its weights. */
function bidirectionalLstm(input: number): Slot {
  if (input >= 40) return weight(null);
  if (input >= 35) return other;
  return direction(input >= 18 ? input - 18 : input - 1);
}

/** Operators that hand a stored tensor on, its axes as they are, so that it is what their output is. */
export function handsOn(operator: OperatorRecord, input: number): boolean {
  if (operator.isCustom || input !== 0) return false;
  return operator.op === 'DEQUANTIZE' || operator.op === 'DENSIFY' || operator.op === 'CAST';
}

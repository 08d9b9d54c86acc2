import { i8, table } from './flatbuffer.ts';
import { bytesOf, litertModel, type OperatorSpec, type TensorSpec } from './litert-model.ts';
import { normalValues } from './random.ts';

/** What small models hold as w and b. */
export const SMALL_WEIGHT = normalValues(16, 1);
export const SMALL_BIAS = normalValues(4, 2);

/** A .tflite file of x [4, 4], w [4, 4] and b [4], which buffers hold, and values y and z from 3 on; its output is the last one made. */
export function smallModel(
  operators: readonly OperatorSpec[],
  changes: Record<number, Partial<TensorSpec>> = {},
  others: readonly (readonly OperatorSpec[])[] = [],
  outputs = [operators.at(-1)!.outputs[0]!],
): Uint8Array {
  const tensors: TensorSpec[] = ['x', 'w', 'b', 'y', 'z'].map((name, at) => ({
    ...{ name, shape: at === 2 ? [4] : [4, 4] },
    ...(at === 1 || at === 2 ? { buffer: at } : {}),
    ...changes[at],
  }));
  const main = { tensors, operators, inputs: [0], outputs };
  const graphs = [main, ...others.map((each) => ({ ...main, operators: each, outputs: [3] }))];
  return litertModel({ graphs, buffers: [SMALL_WEIGHT, SMALL_BIAS].map(bytesOf) }).bytes;
}

export function dense(inputs = [0, 1, 2], outputs = [3], fused = 0): OperatorSpec {
  return {
    ...{ op: 'FULLY_CONNECTED', inputs, outputs },
    options: [8, table({ 0: i8(fused) })],
  };
}

export function other(op: OperatorSpec['op'], inputs: number[], outputs: number[]): OperatorSpec {
  return { op, inputs, outputs };
}

import type { onnx } from 'onnx-proto';
import { floatTensor, model, node, randomValues, value } from './onnx-model.ts';

export const TORCH_LSTM = { inputs: 24, hidden: 40, steps: 6 } as const;

function integers(name: string, ...values: number[]): onnx.ITensorProto {
  const rawData = new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer);
  return { name, dims: [values.length], dataType: 7, rawData };
}

/**
 * x [6, 1, 24] -> LSTM -> y as torch's exporter writes it: torch keeps the gates in another order than ONNX, so that W and R
 * are each a Concat of three Slices of an initializer.
 */
export function torchLstm(): Uint8Array {
  const { inputs, hidden, steps } = TORCH_LSTM;
  const turned = (stored: string, name: string): onnx.INodeProto[] => [
    node('Slice', [stored, 'zero', 'one', 'axes'], [`${name}i`]),
    node('Slice', [stored, 'three', 'four', 'axes'], [`${name}o`]),
    node('Slice', [stored, 'one', 'three', 'axes'], [`${name}fc`]),
    node('Concat', [`${name}i`, `${name}o`, `${name}fc`], [`${name}all`], {
      attribute: [{ name: 'axis', type: 2, i: 0 }],
    }),
    node('Unsqueeze', [`${name}all`, 'axes'], [name]),
  ];
  const weights = (name: string, columns: number, seed: number): onnx.ITensorProto => {
    const values = randomValues(4 * hidden * columns, seed).map((each) => each / 4);
    return floatTensor(name, [4 * hidden, columns], values);
  };
  return model(
    {
      node: [
        ...turned('weight_ih', 'W'),
        ...turned('weight_hh', 'R'),
        node('LSTM', ['x', 'W', 'R'], ['y', '', ''], {
          name: 'lstm',
          attribute: [{ name: 'hidden_size', type: 2, i: hidden }],
        }),
      ],
      initializer: [
        weights('weight_ih', inputs, 1),
        weights('weight_hh', hidden, 2),
        ...[integers('zero', 0), integers('one', hidden), integers('three', 3 * hidden)],
        ...[integers('four', 4 * hidden), integers('axes', 0)],
      ],
      input: [value('x', [steps, 1, inputs])],
      output: [value('y', [steps, 1, 1, hidden])],
    },
    { opset: 14 },
  );
}

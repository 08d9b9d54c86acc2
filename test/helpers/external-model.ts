import * as fs from 'node:fs';
import * as path from 'node:path';
import type { onnx } from 'onnx-proto';
import { floats, model, node, randomValues, value } from './onnx-model.ts';

/** In a folder of that name, x W1 W2 + b with everything outside of the model: W1 and W2 in one side file, b in another with a checksum and a place of prepacked weights. */
export function writeExternalModel(folder: string, name: string): string {
  const source = path.join(folder, name);
  fs.mkdirSync(source);
  const [first, second, bias] = [
    randomValues(128 * 128, 1),
    randomValues(128 * 128, 2),
    randomValues(128, 3),
  ];
  fs.writeFileSync(
    path.join(source, 'weights.bin'),
    Buffer.concat([new Uint8Array(64), floats(first), floats(second)]),
  );
  fs.writeFileSync(path.join(source, 'bias.bin'), floats(bias));
  const external = (
    tensor: string,
    dims: number[],
    entries: Record<string, string>,
  ): onnx.ITensorProto => ({
    name: tensor,
    dims,
    dataType: 1,
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, text]) => ({ key, value: text })),
  });
  const graph = {
    node: [
      node('MatMul', ['x', 'w1'], ['h']),
      node('MatMul', ['h', 'w2'], ['p']),
      node('Add', ['p', 'b'], ['y']),
    ],
    initializer: [
      external('w1', [128, 128], { location: 'weights.bin', offset: '64', length: '65536' }),
      external('w2', [128, 128], { location: 'weights.bin', offset: String(64 + 65536) }),
      external('b', [128], {
        location: 'bias.bin',
        checksum: 'abc',
        prepacked_0: 'MatMul+1|0;512;0',
      }),
    ],
    input: [value('x', [2, 128])],
    output: [value('y', [2, 128])],
  };
  const file = path.join(source, 'model.onnx');
  fs.writeFileSync(file, model(graph));
  return file;
}

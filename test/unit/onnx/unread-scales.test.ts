import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { MAX_OPENED_PARAMETERS } from '../../../electron/engine/formats/onnx/read/stored-quantization.ts';
import { floatTensor, model, node, randomValues } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

test('scales of more channels than are read when a model is opened are said to be unread, with their zero points', () => {
  const found = [MAX_OPENED_PARAMETERS, MAX_OPENED_PARAMETERS + 1].map((rows) => {
    const bytes = model({
      node: [
        node('DequantizeLinear', ['q', 's', 'z'], ['w'], {
          attribute: [{ name: 'axis', type: 2, i: 0 }],
        }),
        node('MatMul', ['x', 'w'], ['y']),
      ],
      initializer: [
        { name: 'q', dims: [rows, 2], dataType: 3, rawData: new Uint8Array(2 * rows) },
        floatTensor('s', [rows], randomValues(rows, 1)),
        { name: 'z', dims: [rows], dataType: 3, rawData: new Uint8Array(rows).fill(3) },
      ],
    });
    const opened = openModel(writeFile(folder, bytes));
    opened.close();
    return opened.model.tensors.find(({ name }) => name === 'q')!.quantization!;
  });
  expect(found[0]!.scale).toHaveLength(MAX_OPENED_PARAMETERS);
  expect(found[0]!.zeroPoint[7]).toBe(3);
  expect(found[0]!.unread).toBeUndefined();
  const unread = MAX_OPENED_PARAMETERS + 1;
  expect(found[1]).toEqual({ scale: [], zeroPoint: [], axis: 0, blockSize: null, unread });
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { Model } from '../../../shared/model.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { floatTensor, model, node, value } from '../../helpers/onnx-model.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function opened(bytes: Uint8Array): Model {
  const file = path.join(folder, 'm.onnx');
  fs.writeFileSync(file, bytes);
  const result = openModel(file);
  result.close();
  return result.model;
}

test('a Concat of 20,000 inputs and 20,000 outputs opens in linear time', () => {
  const inputs = Array.from({ length: 20_000 }, () => 'w');
  const others = Array.from({ length: 40 }, (_, at) => `w${at}`);
  const outputs = Array.from({ length: 20_000 }, (_, at) => `y${at}`);
  const bytes = model({
    name: 'g',
    node: [node('Concat', [...inputs, ...others], outputs)],
    initializer: ['w', ...others].map((name) => floatTensor(name, [1], [1])),
    input: [],
    output: [value('y0', [1])],
  });
  const time = cpuMilliseconds(() => expect(opened(bytes).tensors).toHaveLength(41));
  expect(time).toBeLessThan(1500);
});

test('millions of packed dimensions are a LIMIT at the 65th', () => {
  const dims = new Array<number>(3_000_000).fill(1);
  const bytes = model({
    name: 'g',
    initializer: [{ name: 'w', dims, dataType: 1, rawData: new Uint8Array(4) }],
    input: [],
    output: [],
  });
  const time = cpuMilliseconds(() => {
    expect(() => opened(bytes)).toThrow(
      /: too many values of a dimension \(found over 64, expected at most 64\)/,
    );
  });
  expect(time).toBeLessThan(500);
});

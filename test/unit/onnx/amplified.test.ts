import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { Model } from '../../../shared/model.ts';
import { planWeights, weightsOnly } from '../../../shared/plan.ts';
import { findPreset } from '../../../shared/presets.ts';
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

test('thousands of functions that make values of one name are exported in linear time', () => {
  const count = 3000;
  const stored = floatTensor('t', [32, 64], new Array<number>(2048).fill(0.5));
  const functions = Array.from({ length: count }, (_, at) => ({
    ...{ name: `f${at}`, domain: 'local', input: ['x'], output: ['y'] },
    node: [node('Identity', ['x'], ['w']), node('Add', ['x', 'w'], ['y'])],
    opsetImport: [{ domain: '', version: 13 }],
  }));
  const calls = functions.map(({ name, domain }, at) =>
    node(name, [`v${at}`], [`v${at + 1}`], { domain }),
  );
  const graph = {
    node: [node('MatMul', ['x', 'w'], ['v0']), ...calls],
    initializer: [{ ...stored, name: 'w' }],
    input: [value('x', [1, 32])],
    output: [value(`v${count}`, [1, 64])],
  };
  const imports = [{ domain: 'local', version: 1 }];
  const file = path.join(folder, 'functions.onnx');
  fs.writeFileSync(file, model(graph, { functions, imports }));
  const time = cpuMilliseconds(() => {
    const found = openModel(file);
    const recipe = findPreset('int8')!;
    const plan = weightsOnly(planWeights(found.model.tensors, recipe));
    const { quantized } = found.layout(plan, 'qdq', recipe, 'out.onnx', new Map());
    expect(quantized).toHaveLength(1);
    found.close();
  });
  expect(time).toBeLessThan(4000);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import {
  makeString,
  makeTable,
  numberOf,
  tablesOf,
  vectorOf,
  withFields,
} from '../../../electron/engine/formats/litert/read/nodes.ts';
import { GraphEdit } from '../../../electron/engine/formats/litert/write/graph-edit.ts';
import { OperatorCodes } from '../../../electron/engine/formats/litert/write/operator-codes.ts';
import type { GraphRecord } from '../../../electron/engine/formats/litert/read/records.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { Model } from '../../../shared/model.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { i32, table, tables, text, u32 } from '../../helpers/flatbuffer.ts';
import { denseModel, litertModel } from '../../helpers/litert-model.ts';
import { planWeights, weightsOnly } from '../../../shared/plan.ts';
import { findPreset } from '../../../shared/presets.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function opened(bytes: Uint8Array): Model {
  const file = path.join(folder, 'm.tflite');
  fs.writeFileSync(file, bytes);
  const model = openModel(file);
  model.close();
  return model.model;
}

/** A model of operator codes that are 4 bytes each and share one vtable of many entries, and no graph. */
function sharedVtable(tables: number, entries: number): Uint8Array {
  const [root, vector] = [28, 40];
  const first = vector + 4 + 4 * tables;
  const vtable = first + 4 * tables;
  const bytes = Buffer.alloc(vtable + 4 + 2 * entries);
  bytes.writeUInt32LE(root, 0);
  bytes.write('TFL3', 4);
  // The root's vtable: version and operator_codes.
  for (const [at, value] of [8, 12, 4, 8].entries()) bytes.writeUInt16LE(value, 8 + 2 * at);
  bytes.writeInt32LE(root - 8, root);
  bytes.writeUInt32LE(3, root + 4);
  bytes.writeUInt32LE(vector - root - 8, root + 8);
  bytes.writeUInt32LE(tables, vector);
  for (let index = 0; index < tables; index++) {
    const [entry, at] = [vector + 4 + 4 * index, first + 4 * index];
    bytes.writeUInt32LE(at - entry, entry);
    bytes.writeInt32LE(at - vtable, at);
  }
  bytes.writeUInt16LE(4 + 2 * entries, vtable);
  bytes.writeUInt16LE(4, vtable + 2);
  return bytes;
}

test('tables that share a vtable of 30,000 entries cost no more than their own fields', () => {
  const time = cpuMilliseconds(() => {
    expect(() => opened(sharedVtable(5000, 30_000))).toThrow(/subgraphs: has no graph/);
  });
  expect(time).toBeLessThan(500);
});

test('an IF of thousands of inputs, all of which are one input of its branch with thousands of uses', () => {
  const count = 6000;
  const weights = Array.from({ length: count }, (_, index) => index);
  const branch = {
    tensors: [{ name: 'y', shape: [1] }],
    operators: [{ op: 'ADD', inputs: new Array<number>(count).fill(0), outputs: [0] }] as const,
    inputs: new Array<number>(count).fill(0),
    outputs: [0],
  };
  const { bytes } = litertModel({
    graphs: [
      {
        tensors: weights.map((at) => ({ name: `w${at % 10}`, shape: [1], buffer: at + 1 })),
        operators: [
          {
            ...({ op: 'IF', inputs: [0, ...weights], outputs: [] } as const),
            options: [92, table({ 0: i32(1), 1: i32(1) })],
          },
        ],
        inputs: [],
        outputs: [],
      },
      { ...branch, operators: [{ ...branch.operators[0], outputs: [] }] },
    ],
    buffers: weights.map(() => new Uint8Array(4)),
  });
  const time = cpuMilliseconds(() => expect(opened(bytes).tensors).toHaveLength(count));
  expect(time).toBeLessThan(3000);
});

test('a buffer of control edges that thousands of metadata entries name is rewritten once', () => {
  // A graph of 50,000 pairs of operators 0 and 0.
  const edges = Buffer.concat([Buffer.from([1, 1, 0xd0, 0x86, 0x03]), Buffer.alloc(100_000)]);
  const entry = table({ 0: text('model_control_dependencies'), 1: u32(3) });
  const values = Float32Array.from({ length: 256 * 512 }, (_, at) => Math.sin(at));
  const { bytes } = denseModel(256, 512, values, {
    buffers: [new Uint8Array(values.buffer), new Uint8Array(4 * 512), edges],
    extra: { 6: tables(new Array<typeof entry>(2000).fill(entry)) },
  });
  const file = path.join(folder, 'edges.tflite');
  fs.writeFileSync(file, bytes);
  const model = openModel(file);
  const recipe = findPreset('int8')!;
  const plan = weightsOnly(planWeights(model.model.tensors, recipe));
  const time = cpuMilliseconds(() => {
    const layout = model.layout(plan, 'qdq', recipe, 'out.tflite', new Map());
    expect(layout.quantized).toHaveLength(1);
  });
  model.close();
  expect(time).toBeLessThan(1000);
});

test('a table without changes stays the node that others share', () => {
  const node = makeTable('Operator', { opcode_index: 1 });
  expect(withFields(node, {})).toBe(node);
  expect(withFields(node, { opcode_index: 2 })).not.toBe(node);
});

test('references to one tensor that change alike stay one node', () => {
  const node = makeTable('Tensor', { type: 0 });
  const tensors = [0, 1, 2].map(() => ({ node }));
  const graph = { node: makeTable('SubGraph', {}), tensors, operators: [] };
  const edit = new GraphEdit(graph as unknown as GraphRecord);
  for (const [index, type] of [9, 9, 17].entries()) edit.changeTensor(index, { type });
  const [first, second, third] = tablesOf(edit.finish().node, 'tensors');
  expect(second).toBe(first);
  expect([first, third].map((each) => each && numberOf(each, 'type'))).toEqual([9, 17]);
});

test('references to one operator that change alike stay one node, and so do copies of one tensor', () => {
  const name = makeString('a');
  const tensor = { node: makeTable('Tensor', { type: 0, name }) };
  const operator = { node: makeTable('Operator', { opcode_index: 1 }), inputs: [0], outputs: [0] };
  const graph = {
    node: makeTable('SubGraph', {}),
    tensors: [tensor, tensor],
    operators: [operator, operator, operator, operator],
  };
  const edit = new GraphEdit(graph as unknown as GraphRecord);
  const added = [0, 1].map((like) => edit.addTensor(like, '_copy', { type: 9 }));
  const other = edit.addTensor(0, '_other', { type: 9 });
  for (const [at, input] of [added[0]!, added[0]!, added[1]!].entries())
    edit.setInput(at, 0, input);
  const { node } = edit.finish();
  const tensors = tablesOf(node, 'tensors');
  expect(tensors[added[1]!]).toBe(tensors[added[0]!]);
  expect(tensors[other]).not.toBe(tensors[added[0]!]);
  const alike = { node: makeTable('Tensor', { type: 0, name }) };
  const two = new GraphEdit({ ...graph, tensors: [tensor, alike] } as unknown as GraphRecord);
  for (const like of [0, 1]) two.addTensor(like, '_copy', { type: 9 });
  const names = tablesOf(two.finish().node, 'tensors').map((each) => vectorOf(each, 'name'));
  expect(names[3]).toBe(names[2]);
  expect(names[2]).toMatchObject({ count: 6, isString: true, pieces: { length: 2 } });
  const [first, second, third, fourth] = tablesOf(node, 'operators');
  expect(second).toBe(first);
  expect(third).not.toBe(second);
  expect(fourth).toBe(operator.node);
});

test('thousands of weights find what restores them among thousands of operator codes', () => {
  const add = makeTable('OperatorCode', { deprecated_builtin_code: 0, builtin_code: 0 });
  const codes = new OperatorCodes(new Array<typeof add>(20_000).fill(add));
  const found = new Set<number>();
  const time = cpuMilliseconds(() => {
    for (let weight = 0; weight < 20_000; weight++)
      found.add(codes.restoring({ op: 'DEQUANTIZE', version: 2 }));
  });
  expect([...found]).toEqual([20_000]);
  expect(codes.tables).toHaveLength(20_001);
  expect(time).toBeLessThan(1000);
});

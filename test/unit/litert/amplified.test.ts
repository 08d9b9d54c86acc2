import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import type { Model } from '../../../shared/model.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { table, i32 } from '../../helpers/flatbuffer.ts';
import { litertModel } from '../../helpers/litert-model.ts';
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

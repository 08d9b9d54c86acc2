import * as fs from 'node:fs';
import * as path from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { Session } from '../../../electron/engine/session.ts';
import { float16Bits } from '../../../shared/float16.ts';
import type { ModelGraph } from '../../../shared/graph.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { table } from '../../helpers/flatbuffer.ts';
import {
  bytesOf,
  litertModel,
  type GraphSpec,
  type OperatorSpec,
} from '../../helpers/litert-model.ts';
import { normalValues } from '../../helpers/random.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

/** LiteRT writes -1 for an input or output that is absent, of an operator as of a graph. */
const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;
let count = 0;

function write(graph: GraphSpec, buffers: readonly Uint8Array[] = []): string {
  const file = path.join(folder, `absent-${count++}.tflite`);
  fs.writeFileSync(file, litertModel({ graphs: [graph], buffers }).bytes);
  return file;
}

function graphOf(spec: GraphSpec): ModelGraph {
  const opened = openModel(write(spec));
  try {
    return opened.graph();
  } finally {
    opened.close();
  }
}

/** x -> FULLY_CONNECTED -> y on float32 weights, beside these operators; h is a float16 tensor, half. */
function model(more: readonly OperatorSpec[]): string {
  const graph: GraphSpec = {
    tensors: [
      { name: 'x', shape: [1, 64] },
      { name: 'w', shape: [64, 64], buffer: 1 },
      { name: 'y', shape: [1, 64] },
      { name: 'half', shape: [64, 64], type: 'FLOAT16', buffer: 2 },
      { name: 'bias', shape: [64], buffer: 3 },
      { name: 'half bias', shape: [64], type: 'FLOAT16', buffer: 4 },
      { name: 'restored bias', shape: [64] },
      { name: 'z', shape: [1, 64] },
      { name: 'ids', shape: [4], type: 'INT32' },
    ],
    operators: [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: [8, table({})] },
      ...more,
    ],
    inputs: [0, 8],
    outputs: [2, 7],
  };
  const half = (length: number, seed: number): Uint8Array =>
    bytesOf(Uint16Array.from(normalValues(length, seed), float16Bits));
  const buffers = [bytesOf(normalValues(4096, 1)), half(4096, 2), bytesOf(normalValues(64, 3))];
  return write(graph, [...buffers, half(64, 4)]);
}

/** The types in which an export stores each tensor, by name. */
async function storedTypes(
  file: string,
  preset: string,
  mode: ExportMode,
): Promise<Readonly<Record<string, string>>> {
  const session = Session.open(file, pool);
  const out = path.join(folder, `out-${count++}.tflite`);
  await session.export(recipe(preset), mode, out, { signal });
  session.close();
  const written = openModel(out);
  written.close();
  return Object.fromEntries(written.model.tensors.map(({ name, dtype }) => [name, dtype]));
}

test('an operator whose first output is absent has the name of its kind', () => {
  const { operators } = graphOf({
    tensors: [{ name: 'x', shape: [1] }],
    operators: [{ op: 'ADD', inputs: [0, 0], outputs: [-1] }],
    inputs: [0],
    outputs: [0],
  });
  expect(operators.map(({ name, outputs }) => [name, outputs])).toEqual([['ADD', [null]]]);
});

test('absent inputs and outputs of a graph are no values', () => {
  const { values } = graphOf({
    tensors: [
      { name: 'x', shape: [1] },
      { name: 'y', shape: [1] },
    ],
    operators: [{ op: 'ADD', inputs: [0, 0], outputs: [1] }],
    inputs: [-1, 0],
    outputs: [1, -1],
  });
  expect(values.map(({ name, isOutput }) => [name, isOutput])).toEqual([
    ['x', false],
    ['y', true],
  ]);
});

test('a DEQUANTIZE without an output does not restore the absent weights of other operators', async () => {
  const file = model([
    { op: 'DEQUANTIZE', inputs: [3], outputs: [-1] },
    { op: 'FULLY_CONNECTED', inputs: [0, -1, 4], outputs: [7], options: [8, table({})] },
  ]);
  const types = await storedTypes(file, 'float16', 'float');
  expect(types).toMatchObject({ w: 'float16', half: 'float16', bias: 'float32' });
});

test('a bias stays float16 beside absent weights', async () => {
  const file = model([
    { op: 'DEQUANTIZE', inputs: [1], outputs: [-1] },
    { op: 'DEQUANTIZE', inputs: [5], outputs: [6] },
    { op: 'FULLY_CONNECTED', inputs: [0, -1, 6], outputs: [7], options: [8, table({})] },
  ]);
  const types = await storedTypes(file, 'litert-dynamic', 'dynamic');
  expect(types).toMatchObject({ w: 'int8', 'half bias': 'float16' });
});

test('a GATHER without an output takes its weights restored', async () => {
  const file = model([{ op: 'GATHER', inputs: [1, 8], outputs: [-1], options: [23, table({})] }]);
  expect(await storedTypes(file, 'litert-dynamic', 'dynamic')).toMatchObject({ w: 'int8' });
});

test('a custom operator named DEQUANTIZE restores nothing', async () => {
  const file = model([
    { op: 'CUSTOM', customCode: 'DEQUANTIZE', inputs: [3], outputs: [6] },
    { op: 'FULLY_CONNECTED', inputs: [0, 6, 4], outputs: [7], options: [8, table({})] },
  ]);
  const types = await storedTypes(file, 'float16', 'float');
  expect(types).toMatchObject({ w: 'float16', half: 'float16', bias: 'float32' });
  expect(await storedTypes(file, 'litert-dynamic', 'dynamic')).toMatchObject({ half: 'float16' });
});

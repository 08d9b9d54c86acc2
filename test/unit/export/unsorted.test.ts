import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { AppError } from '../../../shared/errors.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import {
  constant,
  floatTensor,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const exported = exporter(testPool(), folder);
const square = (name: string, seed: number): onnx.ITensorProto =>
  floatTensor(name, [64, 64], randomValues(64 * 64, seed));
const edges = { input: [value('x', [64, 64])], output: [value('y', [64, 64])] };
const perm = { attribute: [{ name: 'perm', type: 7, ints: [1, 0] }] };
const branch = (name: string): onnx.IGraphProto => ({
  name,
  node: [node('MatMul', ['h', 'w0'], [name])],
  output: [value(name, [64, 64])],
});

const GRAPHS: Readonly<Record<string, onnx.IGraphProto>> = {
  'every node before what it needs': {
    ...edges,
    node: [
      node('MatMul', ['e', 'w2'], ['y']),
      node('Add', ['c', 'b'], ['e']),
      node('MatMul', ['b', 't'], ['c']),
      node('Transpose', ['w1'], ['t'], perm),
      node('Relu', ['a'], ['b']),
      node('MatMul', ['x', 'w0'], ['a']),
    ],
    initializer: [square('w2', 3), square('w1', 2), square('w0', 1)],
  },
  'a Constant between its uses': {
    ...edges,
    node: [
      node('Add', ['x', 'w0'], ['a']),
      constant('w0', square('', 1)),
      node('MatMul', ['a', 'w0'], ['y']),
    ],
  },
  'a Constant behind its use': {
    ...edges,
    node: [
      node('MatMul', ['x', 'w0'], ['a']),
      node('Relu', ['a'], ['y']),
      constant('w0', square('', 1)),
    ],
  },
  'a branch that takes a value of a later node': {
    ...edges,
    node: [
      constant('condition', { dims: [], dataType: 9, int32Data: [1] }),
      node('If', ['condition'], ['y'], {
        attribute: [
          { name: 'then_branch', type: 5, g: branch('p') },
          { name: 'else_branch', type: 5, g: branch('q') },
        ],
      }),
      node('MatMul', ['x', 'w1'], ['h']),
    ],
    initializer: [square('w0', 1), square('w1', 2)],
  },
};

const MODES: readonly (readonly [ExportMode, string])[] = [
  ['qdq', 'int8'],
  ['dynamic', 'int8'],
  ['float', 'bfloat16'],
  ['float16', 'float16'],
  ['nbits', 'uint4-block32'],
];

describe.each(Object.entries(GRAPHS))('a graph with %s', (_, graph) => {
  test.each(MODES)('is exported in mode %s with %s as a sorted one is', async (mode, preset) => {
    const file = writeFile(folder, model(graph, { opset: 17 }));
    const { out, names } = await exported(file, recipe(preset), mode);
    expect(names.length).toBeGreaterThan(0);
    const feeds = { x: { shape: [64, 64], dtype: 'float32' } } as const;
    const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(
      preset === 'uint4-block32' ? 10 : 30,
    );
  });
});

test('tensors are listed in the order of execution, unused ones last', () => {
  const graph = GRAPHS['every node before what it needs']!;
  const initializer = [square('unused', 4), ...graph.initializer!];
  const opened = openModel(writeFile(folder, model({ ...graph, initializer })));
  opened.close();
  expect(opened.model.tensors.map(({ name }) => name)).toEqual(['w0', 'w1', 'w2', 'unused']);
});

describe('a cycle is an error', () => {
  const failure = (nodes: onnx.INodeProto[]): unknown => {
    try {
      openModel(writeFile(folder, model({ ...edges, node: nodes }))).close();
    } catch (error) {
      return error;
    }
    return null;
  };

  test('that names the nodes', () => {
    const error = failure([
      node('Add', ['x', 'b'], ['a']),
      node('Relu', ['a'], ['b']),
      node('Abs', ['b'], ['y']),
    ]);
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).message).toMatch(
      /Add_a, at byte \d+: nodes need each other in a cycle \(found Add_a needs Relu_b needs Add_a, expected a graph without cycles\)/,
    );
  });

  test('when a node takes its own output', () => {
    expect(String(failure([node('Add', ['x', 'y'], ['y'])]))).toMatch(/Add_y needs Add_y/);
  });

  test('also when it is as long as the file allows', () => {
    const chain = Array.from({ length: 20_000 }, (_, at) =>
      node('Relu', [`v${(at + 1) % 20_000}`], [`v${at}`]),
    );
    expect(String(failure(chain))).toMatch(/needs 19995 more needs/);
  });
});

import * as path from 'node:path';
import { expect, test } from 'vitest';
import type { ModelGraph } from '../../../shared/graph.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { constant, floatTensor, model, node, value } from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { root } from '../../helpers/root.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();

function graphOf(file: string): ModelGraph {
  const opened = openModel(file);
  try {
    return opened.graph();
  } finally {
    opened.close();
  }
}

/** "Conv_y(x, [2]) -> y": values by name, stored tensors by number. */
function lines({ values, operators }: ModelGraph): string[] {
  return operators.map(({ name, graph, inputs, outputs }) => {
    const taken = inputs.map((operand) =>
      operand === null
        ? '-'
        : operand.kind === 'value'
          ? values[operand.value]!.name
          : `[${operand.tensor}]`,
    );
    const made = outputs.map((output) => (output === null ? '-' : values[output]!.name));
    return `${graph}${graph === '' ? '' : ': '}${name}(${taken.join(', ')}) -> ${made.join(', ')}`;
  });
}

test('operators are in the order of execution, with values and stored tensors at their inputs', () => {
  const file = writeFile(
    folder,
    model({
      node: [
        node('Relu', ['h'], ['y']),
        node('MatMul', ['x', 'w'], ['m']),
        constant('c', floatTensor('', [4], [1, 2, 3, 4])),
        node('Add', ['m', 'c'], ['h']),
        node('Clip', ['y', '', 'c'], ['z']),
      ],
      input: [value('x', [1, 4])],
      output: [value('y', [1, 4]), value('z', [1, 4])],
      initializer: [floatTensor('w', [4, 4], new Array<number>(16).fill(1))],
    }),
  );
  const graph = graphOf(file);
  expect(lines(graph)).toEqual([
    'MatMul_m(x, [0]) -> m',
    'Add_h(m, [1]) -> h',
    'Relu_y(h) -> y',
    'Clip_z(y, -, [1]) -> z',
  ]);
  expect(
    graph.values.map(({ name, producer, consumers, isOutput }) => [
      name,
      producer,
      consumers.length,
      isOutput,
    ]),
  ).toEqual([
    ['x', null, 1, false],
    ['m', 0, 1, false],
    ['h', 1, 1, false],
    ['y', 2, 1, true],
    ['z', 3, 0, true],
  ]);
});

test('a subgraph takes values and tensors of the graphs around it, and says that it is inside', () => {
  const branch = (name: string) => ({
    name,
    node: [node('Add', ['x', 'w'], [`${name}_y`])],
    output: [value(`${name}_y`, [4])],
  });
  const file = writeFile(
    folder,
    model({
      node: [
        node('If', ['c'], ['y'], {
          attribute: [
            { name: 'then_branch', type: 5, g: branch('a') },
            { name: 'else_branch', type: 5, g: branch('b') },
          ],
        }),
      ],
      input: [value('c', [], 9), value('x', [4])],
      output: [value('y', [4])],
      initializer: [floatTensor('w', [4], [1, 2, 3, 4])],
    }),
  );
  const graph = graphOf(file);
  expect(lines(graph)).toEqual([
    'If_y(c) -> y',
    'If_y.then_branch: Add_a_y(x, [0]) -> a_y',
    'If_y.else_branch: Add_b_y(x, [0]) -> b_y',
  ]);
  expect(graph.values.find(({ name }) => name === 'x')!.consumers).toEqual([
    { operator: 1, input: 0, isInner: true },
    { operator: 2, input: 0, isInner: true },
  ]);
});

const files = [
  ...REAL_MODELS.map(({ file }) => file),
  path.join(root, 'node_modules/@mediapipe/selfie_segmentation/selfie_segmentation.tflite'),
].map((file) => ({ name: path.basename(file), file }));

test.each(files)('every value of $name is made before it is taken', ({ file }) => {
  const { values, operators } = graphOf(file);
  expect(operators.length).toBeGreaterThan(10);
  for (const { producer, consumers } of values)
    for (const { operator } of consumers) expect(operator).toBeGreaterThan(producer ?? -1);
  for (const operator of operators)
    for (const output of operator.outputs)
      if (output !== null) expect(values[output]!.producer).toBe(operator.id);
});

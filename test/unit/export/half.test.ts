import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { Rule } from '../../../shared/recipe.ts';
import { applyEdits } from '../../../electron/engine/formats/onnx/write/edits.ts';
import type { ConstantRange } from '../../../electron/engine/formats/onnx/fit/half-effects.ts';
import { HalfNodes } from '../../../electron/engine/formats/onnx/write/half-nodes.ts';
import { HalfPlan } from '../../../electron/engine/formats/onnx/fit/half-plan.ts';
import { floatNodes } from '../../../electron/engine/formats/onnx/fit/half-ranges.ts';
import { FreshNames } from '../../../electron/engine/formats/onnx/read/names.ts';
import { readIndex } from '../../../electron/engine/formats/onnx/read/read-index.ts';
import type { GraphRecord } from '../../../electron/engine/formats/onnx/read/records.ts';
import { inlineData } from '../../../electron/engine/formats/onnx/read/tensors.ts';
import { WireReader } from '../../../electron/engine/formats/onnx/read/wire.ts';
import { FileSource } from '../../../electron/engine/source.ts';
import { readNumbers } from '../../../electron/engine/tensor-bytes.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { answer, CORPUS, modelFiles } from '../../helpers/onnx-corpus.ts';
import {
  constant,
  floatTensor,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { answersOf, outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const exported = exporter(testPool(), folder);
const feeds = { x: { shape: [4, 64], dtype: 'float32' } } as const;

const weight = (name: string, ...dims: number[]): onnx.ITensorProto => {
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, dims, randomValues(count, name.charCodeAt(0)));
};

/** Exports a graph from x [4, 64] to y for arithmetic in float16 and runs it beside its source. */
async function run(
  nodes: onnx.INodeProto[],
  initializer: onnx.ITensorProto[],
  rules: readonly Rule[] = [],
): Promise<{ graph: onnx.IGraphProto; ops: string[]; db: number }> {
  const graph = {
    node: nodes,
    initializer,
    input: [value('x', [4, 64])],
    output: [value('y', [])],
  };
  const file = writeFile(folder, model(graph));
  const wanted = recipe('float16', { minElements: 1024, rules });
  const { out, bytes } = await exported(file, wanted, 'float16');
  const [source, result] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  const made = onnx.ModelProto.decode(bytes).graph!;
  const ops = made.node!.map((entry) => entry.opType!);
  return { graph: made, ops, db: outputSqnr(source['y']!, result['y']!) };
}

const inputsOf = ({ node: nodes }: onnx.IGraphProto, opType: string): string[] =>
  nodes!.find((entry) => entry.opType === opType)!.input!;

describe('a graph computes in float16 between float32 inputs and outputs', () => {
  test('with Casts at its ends only, and its weight stored once', async () => {
    const { graph, ops, db } = await run(
      [
        node('MatMul', ['x', 'w'], ['h']),
        node('Add', ['h', 'b'], ['s']),
        node('Relu', ['s'], ['y']),
      ],
      [weight('w', 64, 48), weight('b', 48)],
    );
    expect(ops).toEqual(['Cast', 'MatMul', 'Cast', 'Add', 'Relu', 'Cast']);
    expect(inputsOf(graph, 'MatMul')).toEqual(['x_float16', 'w_float16']);
    expect(graph.initializer!.map(({ name, dataType }) => [name, dataType])).toEqual([
      ['w_float16', 10],
      ['b', 1],
    ]);
    expect(db).toBeGreaterThan(50);
  });

  test('but for operators that are blocked', async () => {
    const { ops, db } = await run(
      [
        node('MatMul', ['x', 'w'], ['h']),
        node('Max', ['h', 'b'], ['m']),
        node('Sigmoid', ['m'], ['y']),
      ],
      [weight('w', 64, 48), weight('b', 48)],
    );
    expect(ops).toEqual(['Cast', 'MatMul', 'Cast', 'Max', 'Cast', 'Sigmoid', 'Cast']);
    expect(db).toBeGreaterThan(50);
  });

  test('a Transpose before a MatMul is one: onnxruntime crashes on it in float16', async () => {
    const { ops, db } = await run(
      [
        node('Reshape', ['x', 'shape'], ['heads']),
        node('Transpose', ['heads'], ['turned'], {
          attribute: [{ name: 'perm', type: 7, ints: [1, 0, 2] }],
        }),
        node('MatMul', ['turned', 'w'], ['y']),
      ],
      [weight('w', 64, 48), { name: 'shape', dims: [3], dataType: 7, int64Data: [2, 2, 64] }],
    );
    expect(ops).toEqual(['Cast', 'Reshape', 'Cast', 'Transpose', 'Cast', 'MatMul', 'Cast']);
    expect(db).toBeGreaterThan(50);
  });

  test('and for those that the recipe keeps', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['h']), node('Softmax', ['h'], ['y'])];
    const keeps = { match: { op: 'Softmax' }, scheme: null };
    const { graph, ops, db } = await run(nodes, [weight('w', 64, 48)], [keeps]);
    expect(ops).toEqual(['Cast', 'MatMul', 'Cast', 'Softmax']);
    expect(inputsOf(graph, 'Softmax')).toEqual(['h']);
    expect(db).toBeGreaterThan(40);
  });

  test('and for nodes whose weight a rule keeps', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['h']), node('MatMul', ['h', 'v'], ['y'])];
    const keeps = { match: { name: '^v$' }, scheme: null };
    const { graph, ops } = await run(nodes, [weight('w', 64, 48), weight('v', 48, 40)], [keeps]);
    expect(ops).toEqual(['Cast', 'MatMul', 'Cast', 'MatMul']);
    expect(graph.node!.at(-1)!.input).toEqual(['h', 'v']);
  });

  test('and for a constant that float16 cannot hold', async () => {
    const { graph, db } = await run(
      [
        node('MatMul', ['x', 'w'], ['h']),
        node('Mul', ['h', 'big'], ['m']),
        node('Div', ['m', 'big'], ['y']),
      ],
      [weight('w', 64, 48), floatTensor('big', [], [1e6])],
    );
    expect(inputsOf(graph, 'Mul')).toEqual(['h', 'big']);
    expect(db).toBeGreaterThan(50);
  });

  test('integers, shapes and comparisons keep their types', async () => {
    const shape = { name: 'shape', dims: [2], dataType: 7, rawData: int64(1, -1) };
    const { ops, db } = await run(
      [
        node('MatMul', ['x', 'w'], ['h']),
        node('Shape', ['h'], ['dims']),
        constant('shape', shape),
        node('Reshape', ['h', 'shape'], ['flat']),
        node('Reshape', ['flat', 'dims'], ['back']),
        node('Greater', ['back', 'zero'], ['positive']),
        node('Where', ['positive', 'back', 'zero'], ['y']),
      ],
      [weight('w', 64, 48), floatTensor('zero', [], [0])],
    );
    expect(ops.filter((op) => op === 'Cast')).toHaveLength(3);
    expect(db).toBeGreaterThan(50);
  });

  test('a weight is restored for a consumer that stays in float32', async () => {
    const { graph, db } = await run(
      [
        node('MatMul', ['x', 'w'], ['h']),
        node('Max', ['w', 'w'], ['m']),
        node('MatMul', ['h', 'v'], ['p']),
        node('MatMul', ['p', 'm'], ['y']),
      ],
      [weight('w', 64, 48), weight('v', 48, 64)],
    );
    expect(inputsOf(graph, 'Max')).toEqual(['w', 'w']);
    expect(inputsOf(graph, 'MatMul')).toEqual(['x_float16', 'w_float16']);
    expect(db).toBeGreaterThan(50);
  });

  test('inside the branches of an If, with values from around it', async () => {
    const branch = (name: string, factor: string): onnx.IGraphProto => ({
      name,
      node: [node('MatMul', ['h', factor], ['r']), node('Relu', ['r'], [`${name}_out`])],
      output: [value(`${name}_out`, [])],
    });
    const graphs = [
      { name: 'then_branch', type: 5, g: branch('then', 'u') },
      { name: 'else_branch', type: 5, g: branch('else', 'v') },
    ];
    const { graph, db } = await run(
      [
        node('MatMul', ['x', 'w'], ['h']),
        node('If', ['yes'], ['c'], { attribute: graphs }),
        node('Sigmoid', ['c'], ['y']),
      ],
      [
        weight('w', 64, 48),
        weight('u', 48, 32),
        weight('v', 48, 32),
        { name: 'yes', dims: [], dataType: 9, rawData: Uint8Array.of(1) },
      ],
    );
    const inner = graph.node!.find((entry) => entry.opType === 'If')!.attribute![0]!.g!;
    expect(inner.node!.map((entry) => entry.opType)).toEqual(['MatMul', 'Relu', 'Cast']);
    expect(inner.node![0]!.input).toEqual(['h_float16', 'u_float16']);
    expect(inputsOf(graph, 'Sigmoid')).toEqual(['c_float16']);
    expect(db).toBeGreaterThan(50);
  });
});

function int64(...values: number[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
}

test('other types than float16 are refused by name', async () => {
  const graph = {
    node: [node('MatMul', ['x', 'w'], ['y'])],
    initializer: [weight('w', 64, 48)],
    input: [value('x', [4, 64])],
    output: [value('y', [])],
  };
  const file = writeFile(folder, model(graph));
  const { bytes, refused } = await exported(file, recipe('int8'), 'float16');
  expect(refused).toEqual(['the float16 mode stores float16 only, not int8']);
  expect(Buffer.compare(bytes, fs.readFileSync(file))).toBe(0);
});

test.each(REAL_MODELS)('$name computes in float16 and answers nearly the same', async (real) => {
  const { out } = await exported(real.file, recipe('float16'), 'float16');
  const [source, result] = [await answersOf(real), await runOnnx(out, real.feeds)];
  for (const [name, numbers] of Object.entries(source))
    expect(outputSqnr(numbers, result[name]!), name).toBeGreaterThan(25);
});

function rangeOf(
  source: FileSource,
  { initializers }: GraphRecord,
  name: string,
): ConstantRange | null {
  const tensor = initializers.find((entry) => entry.name === name);
  if (tensor?.dataType !== 1) return null;
  const elements = tensor.dims.reduce((a, b) => a * b, 1);
  const data = inlineData(tensor);
  const values = readNumbers([source], { name, dtype: 'float32', elements, data });
  const finite = values.filter(Number.isFinite).sort((a, b) => Math.abs(b) - Math.abs(a));
  return { extreme: finite[0] ?? 0, value: new Set(values).size === 1 ? values[0]! : null };
}

/** A graph's nodes in float16 whatever its weights, written to a file. */
function converted(file: string): string | null {
  const source = FileSource.open(file);
  try {
    const index = readIndex(new WireReader(source));
    const opset = index.opsets.find(({ domain }) => domain === '')?.version ?? 1;
    if (opset < 6) return null;
    const wide = floatNodes(index.graph, {
      opset,
      constant: (graph, name) => rangeOf(source, graph, name),
      fill: () => null,
    });
    const plan = new HalfPlan(index.graph, {
      opset,
      whyKept: (entry) => wide.get(entry) ?? null,
      isFloatOnly: () => false,
    });
    const edits = new HalfNodes(plan, new FreshNames(index)).editsOf(index.graph);
    if (edits.length === 0) return null;
    const pieces = applyEdits(edits, source.size).map((piece) => {
      if (piece.kind === 'bytes') return piece.bytes;
      if (piece.kind === 'copy') return source.read(piece.offset, piece.length);
      throw new RangeError('no tensor is stored anew here');
    });
    const out = path.join(folder, 'half.onnx');
    fs.writeFileSync(out, Buffer.concat(pieces));
    return out;
  } finally {
    source.close();
  }
}

test('every graph of the ONNX corpus that runs, runs in float16 and answers nearly the same', async () => {
  let compared = 0;
  const problems: string[] = [];
  for (const file of modelFiles(CORPUS)) {
    const out = converted(file);
    if (out === null) continue;
    const before = await answer(file);
    if (before === null) continue;
    const after = await answer(file, out);
    compared++;
    if (after === null) problems.push(`${file}: does not run`);
    else
      for (const [name, values] of Object.entries(before)) {
        if (!values.every(Number.isFinite)) continue;
        const db = outputSqnr(values, after[name]!);
        if (!(db > 30)) problems.push(`${file} ${name}: ${db} dB`);
      }
  }
  expect(problems).toEqual([]);
  expect(compared).toBeGreaterThan(300);
}, 240_000);

import { onnx } from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { Rule } from '../../../shared/recipe.ts';
import type { SchemeFields } from '../../../shared/scheme.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { ONE_THREAD, outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const exported = exporter(testPool(), folder);
const channel: SchemeFields = {
  dtype: 'int8',
  symmetric: true,
  granularity: 'channel',
  range: 'minmax',
};
const [INPUTS, HIDDEN] = [24, 40];
const feeds = { x: { shape: [6, 1, INPUTS], dtype: 'float32' } } as const;

const weight = (name: string, ...dims: number[]): onnx.ITensorProto => {
  const count = dims.reduce((a, b) => a * b, 1);
  const values = randomValues(count, name.charCodeAt(0)).map((each) => each / 4);
  return floatTensor(name, dims, values);
};

interface LstmOptions {
  readonly directions?: 1 | 2;
  readonly attributes?: onnx.IAttributeProto[];
  readonly more?: onnx.INodeProto[];
  readonly opset?: number;
}

/** x [6, 1, inputs] -> LSTM with W, R and B -> y. */
function lstmModel({ directions = 1, attributes = [], more = [], opset = 14 }: LstmOptions) {
  const direction = directions === 1 ? 'forward' : 'bidirectional';
  const attribute = [
    { name: 'hidden_size', type: 2, i: HIDDEN },
    { name: 'direction', type: 3, s: Buffer.from(direction) },
    ...attributes,
  ];
  const graph = {
    node: [node('LSTM', ['x', 'W', 'R', 'B'], ['y'], { attribute }), ...more],
    initializer: [
      weight('W', directions, 4 * HIDDEN, INPUTS),
      weight('R', directions, 4 * HIDDEN, HIDDEN),
      weight('B', directions, 8 * HIDDEN),
    ],
    input: [value('x', feeds.x.shape)],
    output: [value('y', []), ...more.map((entry) => value(entry.output![0]!, []))],
  };
  return writeFile(folder, model(graph, { opset }));
}

async function run(
  file: string,
  scheme: SchemeFields | null = channel,
  rules: readonly Rule[] = [],
): Promise<{ ops: string[]; db: number; out: string }> {
  const wanted = recipe('int8', { minElements: 0, default: scheme, rules });
  const { out, bytes } = await exported(file, wanted, 'dynamic');
  const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  const ops = onnx.ModelProto.decode(bytes).graph!.node!.map((entry) => entry.opType!);
  return { ops, db: outputSqnr(source['y']!, answer['y']!), out };
}

const TURNED = ['Constant', 'Expand', 'Expand', 'Expand', 'Expand', 'Transpose', 'Transpose'];

describe('an LSTM runs on integers as com.microsoft.DynamicQuantizeLSTM', () => {
  test.each<[string, LstmOptions, SchemeFields]>([
    ['one direction, per channel', {}, channel],
    ['one direction, per tensor', {}, { ...channel, granularity: 'tensor' }],
    ['two directions, per channel', { directions: 2 }, channel],
    ['two directions, per tensor', { directions: 2 }, { ...channel, granularity: 'tensor' }],
    ['with a clip', { attributes: [{ name: 'clip', type: 1, f: 3 }] }, channel],
    ['below opset 11', { opset: 9 }, channel],
  ])('%s', async (_, options, scheme) => {
    const { ops, db, out } = await run(lstmModel(options), scheme);
    expect(ops.sort()).toEqual(['Constant', 'DynamicQuantizeLSTM', ...TURNED.slice(1)].sort());
    expect(db).toBeGreaterThan(25);
    // Nothing is folded here, so that the operator meets weights which are not constant to it.
    const plain = await ort.InferenceSession.create(out, {
      ...ONE_THREAD,
      graphOptimizationLevel: 'disabled',
    });
    await plain.release();
  });

  test('its weights each at a granularity of their own', async () => {
    const rules = [{ match: { name: '^R$' }, scheme: { granularity: 'tensor' } }] as const;
    const { ops, db } = await run(lstmModel({}), channel, rules);
    expect(ops).toContain('DynamicQuantizeLSTM');
    expect(db).toBeGreaterThan(25);
  });

  test('and a weight that something else takes too is restored for that', async () => {
    const more = [node('Identity', ['W'], ['z'])];
    const { ops, db } = await run(lstmModel({ more }));
    expect(ops).toContain('DynamicQuantizeLSTM');
    expect(ops).toContain('DequantizeLinear');
    expect(db).toBeGreaterThan(25);
  });
});

describe('an LSTM falls back to floats', () => {
  const restored = ['DequantizeLinear', 'DequantizeLinear', 'LSTM'];

  test.each<[string, LstmOptions, SchemeFields]>([
    ['unsigned weights', {}, { ...channel, dtype: 'uint8', symmetric: false }],
    ['int16 weights', {}, { ...channel, dtype: 'int16' }],
    ['a layout of batches first', { attributes: [{ name: 'layout', type: 2, i: 1 }] }, channel],
  ])('%s', async (_, options, scheme) => {
    const file = lstmModel(options);
    const { bytes } = await exported(
      file,
      recipe('int8', { minElements: 0, default: scheme }),
      'dynamic',
    );
    expect(onnx.ModelProto.decode(bytes).graph!.node!.map((entry) => entry.opType)).toEqual(
      restored,
    );
  });

  test('when a rule keeps one of its weights', async () => {
    const { ops, db } = await run(lstmModel({}), channel, [
      { match: { name: '^R$' }, scheme: null },
    ]);
    expect(ops).toEqual(['DequantizeLinear', 'LSTM']);
    expect(db).toBeGreaterThan(25);
  });
});

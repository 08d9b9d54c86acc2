import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);

type Feeds = Parameters<typeof runOnnx>[1];

interface Case {
  readonly op: string;
  readonly domain?: string;
  readonly opset?: number;
  /** Input names of the node in order; x and those with feeds come from outside. */
  readonly inputs: readonly string[];
  readonly outputs?: string[];
  readonly attributes?: onnx.IAttributeProto[];
  /** Stored tensors: their dims and the axis whose entries get factors from 1 down to 1/1000. */
  readonly stored: Readonly<
    Record<string, readonly [dims: readonly number[], axis: number | null]>
  >;
  readonly integers?: Readonly<Record<string, readonly number[]>>;
  readonly feeds: Feeds;
  /** Which weights a recipe for all weights quantizes. */
  readonly weights: readonly string[];
  /** The output's rank, and the axis whose entries have channels of their own; null compares all at once. */
  readonly rank: number;
  readonly channels: number | null;
}

const MS = 'com.microsoft';
const int = (name: string, i: number): onnx.IAttributeProto => ({ name, type: 2, i });
const ints = (name: string, values: number[]): onnx.IAttributeProto => ({
  name,
  type: 7,
  ints: values,
});
const text = (name: string, value: string): onnx.IAttributeProto => ({
  name,
  type: 3,
  s: Buffer.from(value),
});
const float = (name: string, f: number): onnx.IAttributeProto => ({ name, type: 1, f });
const x = (...shape: number[]): Feeds => ({ x: { shape, dtype: 'float32' } });

const CASES: readonly Case[] = [
  {
    op: 'FusedGemm',
    domain: MS,
    inputs: ['x', 'w', 'b'],
    attributes: [int('transB', 1), text('activation', 'LeakyRelu'), float('activation_alpha', 0.5)],
    stored: { w: [[96, 64], 0], b: [[96], null] },
    feeds: x(3, 64),
    weights: ['w'],
    rank: 2,
    channels: 1,
  },
  {
    op: 'FusedMatMul',
    domain: MS,
    inputs: ['x', 'w'],
    attributes: [int('transB', 1)],
    stored: { w: [[96, 64], 0] },
    feeds: x(3, 64),
    weights: ['w'],
    rank: 2,
    channels: 1,
  },
  {
    op: 'FusedMatMul',
    domain: MS,
    inputs: ['x', 'w'],
    attributes: [int('transBatchB', 1), int('transB', 1)],
    stored: { w: [[96, 2, 64], 0] },
    feeds: x(2, 3, 64),
    weights: ['w'],
    rank: 3,
    channels: 2,
  },
  {
    op: 'FusedMatMul',
    domain: MS,
    inputs: ['x', 'w'],
    attributes: [int('transBatchB', 1)],
    stored: { w: [[64, 2, 96], 2] },
    feeds: x(2, 3, 64),
    weights: ['w'],
    rank: 3,
    channels: 2,
  },
  {
    op: 'FusedConv',
    domain: MS,
    inputs: ['x', 'w', 'b'],
    attributes: [text('activation', 'Tanh'), ints('kernel_shape', [3, 3])],
    stored: { w: [[32, 16, 3, 3], 0], b: [[32], null] },
    feeds: x(1, 16, 8, 8),
    weights: ['w'],
    rank: 4,
    channels: null,
  },
  {
    op: 'ConvTransposeWithDynamicPads',
    domain: MS,
    inputs: ['x', 'w', 'pads', 'b'],
    attributes: [ints('kernel_shape', [3, 3])],
    stored: { w: [[16, 32, 3, 3], 1], b: [[32], null] },
    integers: { pads: [0, 0, 0, 0] },
    feeds: x(1, 16, 8, 8),
    weights: ['w'],
    rank: 4,
    channels: 1,
  },
  {
    op: 'Attention',
    domain: MS,
    inputs: ['x', 'w', 'b'],
    attributes: [int('num_heads', 4)],
    stored: { w: [[64, 192], 1], b: [[192], null] },
    feeds: x(1, 5, 64),
    weights: ['w'],
    rank: 3,
    channels: null,
  },
  {
    op: 'MoE',
    domain: MS,
    inputs: ['x', 'router', 'w1', 'b1', 'w2', 'b2'],
    attributes: [int('k', 2), text('activation_type', 'relu')],
    stored: {
      w1: [[4, 128, 64], null],
      b1: [[4, 128], null],
      w2: [[4, 64, 128], 1],
      b2: [[4, 64], null],
    },
    feeds: { ...x(6, 64), router: { shape: [6, 4], dtype: 'float32' } },
    weights: ['w1', 'w2'],
    rank: 2,
    channels: 1,
  },
  {
    op: 'EmbedLayerNormalization',
    domain: MS,
    inputs: ['ids', '', 'words', 'positions', '', 'gamma', 'beta'],
    outputs: ['y', 'mask'],
    stored: {
      words: [[100, 64], 0],
      positions: [[20, 64], null],
      gamma: [[64], null],
      beta: [[64], null],
    },
    feeds: { ids: { shape: [1, 4], dtype: 'int32', fill: 3 } },
    weights: ['words', 'positions'],
    rank: 3,
    channels: null,
  },
  {
    op: 'DeformConv',
    opset: 22,
    inputs: ['x', 'w', 'offsets', 'b'],
    stored: { w: [[32, 16, 3, 3], 0], b: [[32], null] },
    feeds: { ...x(1, 16, 8, 8), offsets: { shape: [1, 18, 6, 6], dtype: 'float32' } },
    weights: ['w'],
    rank: 4,
    channels: 1,
  },
  {
    op: 'RNN',
    inputs: ['x', 'w', 'r', 'b'],
    attributes: [int('hidden_size', 48)],
    stored: { w: [[1, 48, 64], 1], r: [[1, 48, 48], 1], b: [[1, 96], null] },
    feeds: x(4, 1, 64),
    weights: ['w', 'r'],
    rank: 4,
    channels: null,
  },
  {
    op: 'GRU',
    inputs: ['x', 'w', 'r', 'b'],
    attributes: [int('hidden_size', 48), text('direction', 'bidirectional')],
    stored: { w: [[2, 144, 64], 1], r: [[2, 144, 48], 1], b: [[2, 288], null] },
    feeds: x(4, 1, 64),
    weights: ['w', 'r'],
    rank: 4,
    channels: null,
  },
  {
    op: 'Gather',
    inputs: ['w', 'ids'],
    attributes: [int('axis', 1)],
    stored: { w: [[48, 100], 1] },
    feeds: { ids: { shape: [2], dtype: 'int64', fill: 98 } },
    weights: ['w'],
    rank: 2,
    channels: 1,
  },
  {
    op: 'Gather',
    inputs: ['w', 'ids'],
    attributes: [int('axis', -1)],
    stored: { w: [[48, 100], 1] },
    feeds: { ids: { shape: [2], dtype: 'int64', fill: 97 } },
    weights: ['w'],
    rank: 2,
    channels: 1,
  },
  {
    op: 'GatherND',
    inputs: ['w', 'ids'],
    stored: { w: [[100, 48], 0] },
    feeds: { ids: { shape: [2, 1], dtype: 'int64', fill: 97 } },
    weights: ['w'],
    rank: 2,
    channels: 0,
  },
];

/** Random values whose entries along an axis differ in size by up to a thousand. */
function scaled(dims: readonly number[], axis: number | null, seed: number): number[] {
  const count = dims.reduce((product, size) => product * size, 1);
  const inner = dims.slice((axis ?? 0) + 1).reduce((product, size) => product * size, 1);
  return randomValues(count, seed).map((drawn, index) => {
    if (axis === null) return drawn * 0.5;
    const channel = Math.floor(index / inner) % dims[axis]!;
    return drawn * 10 ** (-(channel * 7) % 4);
  });
}

function modelOf({
  op,
  domain,
  opset,
  inputs,
  outputs,
  attributes,
  stored,
  integers,
  feeds,
  rank,
}: Case): Uint8Array {
  const types = { float32: 1, int32: 6, int64: 7 } as const;
  return model(
    {
      node: [
        node(op, [...inputs], outputs ?? ['y'], {
          ...(domain === undefined ? {} : { domain }),
          attribute: attributes ?? [],
        }),
      ],
      initializer: [
        ...Object.entries(stored).map(([name, [dims, axis]], at) =>
          floatTensor(name, dims, scaled(dims, axis, at + 1)),
        ),
        ...Object.entries(integers ?? {}).map(([name, values]) => ({
          name,
          dims: [values.length],
          dataType: 7,
          int64Data: [...values],
        })),
      ],
      input: Object.entries(feeds).map(([name, { shape, dtype }]) =>
        value(name, shape, types[dtype]),
      ),
      output: [
        value(
          'y',
          Array.from({ length: rank }, (_, at) => `d${at}`),
        ),
      ],
    },
    {
      opset: opset ?? 17,
      imports: domain === undefined ? [] : [{ domain, version: 1 }],
    },
  );
}

/** The least SQNR of a channel; of everything where the output has no channels of its own. */
function leastSqnr(
  original: readonly number[],
  other: readonly number[],
  step: number | null,
): number {
  if (step === null) return outputSqnr(original, other);
  return Math.min(
    ...Array.from({ length: step }, (_, channel) =>
      outputSqnr(
        original.filter((_, at) => at % step === channel),
        other.filter((_, at) => at % step === channel),
      ),
    ),
  );
}

describe.each(CASES.map((entry, at) => [`${entry.op}, case ${at}`, entry] as const))(
  '%s',
  (_, entry) => {
    const file = writeFile(folder, modelOf(entry));
    const run = (from: string): ReturnType<typeof runOnnx> => runOnnx(from, entry.feeds);

    test.each<[ExportMode, string, number]>([
      ['qdq', 'int8', 20],
      ['dynamic', 'int8', 20],
      ['qdq', 'int4-block32', 5],
      ['nbits', 'int4-block32', 5],
      ['float', 'float16', 50],
      ['float16', 'float16', 30],
    ])(
      'its weights are quantized per channel, and the %s export of %s runs',
      async (mode, name, least) => {
        const { out, names } = await exported(file, recipe(name, { minElements: 0 }), mode);
        expect(names).toEqual(entry.weights);
        const [before, after] = [await run(file), await run(out)];
        const last = entry.channels === entry.rank - 1 ? entry.stored : null;
        const width = last === null ? null : lastWidth(before['y']!.length, entry);
        expect(
          leastSqnr(before['y']!, after['y']!, name === 'int8' ? width : null),
        ).toBeGreaterThan(least);
      },
    );

    test('its axes are those along which the channels differ', () => {
      const opened = openModel(file);
      opened.close();
      for (const tensor of opened.model.tensors) {
        const [, axis = null] = entry.stored[tensor.name] ?? [];
        if (axis !== null) expect(tensor).toMatchObject({ name: tensor.name, axis });
      }
    });
  },
);

function lastWidth(length: number, { feeds, stored, weights, op }: Case): number | null {
  if (op === 'Gather') return feeds['ids']!.shape[0]!;
  const [dims, axis] = stored[weights.at(-1)!]!;
  return axis === null || length % dims[axis]! !== 0 ? null : dims[axis]!;
}

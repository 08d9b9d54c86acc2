import type { onnx } from 'onnx-proto';
import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/exports.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
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
import { ONE_THREAD } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);

/** TensorProto's numbers of types. */
const TYPES = { uint8: 2, int8: 3, uint16: 4, int16: 5, uint4: 21, int4: 22 } as const;

interface Fake {
  readonly dtype: keyof typeof TYPES;
  readonly scales: readonly number[];
  readonly axis?: number;
  readonly block?: number;
  /** One zero point for all; null leaves the input out. */
  readonly zeroPoint: number | null;
  readonly isConstant?: boolean;
}

const K = 64;
const N = 48;

/** x -> MatMul with w [64, 48], which QuantizeLinear and DequantizeLinear pass first, as training left it. */
function fakeModel(fake: Fake, more: Partial<onnx.IGraphProto> = {}): Uint8Array {
  const { dtype, scales, axis, block, zeroPoint } = fake;
  const count = scales.reduce((product, size) => product * size, 1);
  const scale = randomValues(count, 3).map((drawn) => Math.fround(0.002 + 0.001 * drawn));
  // Values that saturate, and products of a scale that are ties.
  const values = randomValues(K * N, 1).map((drawn, at) =>
    at % 7 === 0 ? Math.fround((Math.round(drawn * 90) + 0.5) * scale[0]!) : drawn,
  );
  const attribute: onnx.IAttributeProto[] = [];
  if (axis !== undefined) attribute.push({ name: 'axis', type: 2, i: axis });
  if (block !== undefined) attribute.push({ name: 'block_size', type: 2, i: block });
  const w = floatTensor('w', [K, N], values);
  const made =
    zeroPoint === null && dtype !== 'uint8'
      ? [{ name: 'output_dtype', type: 2, i: TYPES[dtype] }]
      : [];
  const parameters = zeroPoint === null ? ['s'] : ['s', 'z'];
  const zeros: onnx.ITensorProto = {
    name: 'z',
    dims: [...scales],
    dataType: TYPES[dtype],
    int32Data: packed(dtype, count, zeroPoint ?? 0),
  };
  return model(
    {
      node: [
        ...(fake.isConstant === true ? [constant('w', { ...w, name: '' })] : []),
        node('QuantizeLinear', ['w', ...parameters], ['wq'], {
          attribute: [...attribute, ...made],
        }),
        node('DequantizeLinear', ['wq', ...parameters], ['wd'], { attribute }),
        node('MatMul', ['x', 'wd'], ['y']),
        ...(more.node ?? []),
      ],
      initializer: [
        ...(fake.isConstant === true ? [] : [w]),
        floatTensor('s', scales, scale),
        ...(zeroPoint === null ? [] : [zeros]),
      ],
      input: [value('x', [3, K])],
      output: [value('y', [3, N]), ...(more.output ?? [])],
    },
    { opset: 21, irVersion: 10 },
  );
}

function packed(dtype: Fake['dtype'], count: number, code: number): number[] {
  if (!dtype.endsWith('int4')) return new Array<number>(count).fill(code);
  const nibble = code & 15;
  return new Array<number>(Math.ceil(count / 2)).fill(nibble | (nibble << 4));
}

/** Output y with graph optimizations off, so that the nodes run as they are written. */
async function run(file: string): Promise<number[]> {
  const session = await ort.InferenceSession.create(file, {
    ...ONE_THREAD,
    graphOptimizationLevel: 'disabled',
  });
  const x = new ort.Tensor('float32', Float32Array.from(randomValues(3 * K, 9)), [3, K]);
  const { y } = await session.run({ x });
  await session.release();
  return Array.from(y!.data as Float32Array);
}

const FAKES: readonly (readonly [string, Fake])[] = [
  ['int8 per tensor', { dtype: 'int8', scales: [], zeroPoint: 0 }],
  ['uint8 with a zero point', { dtype: 'uint8', scales: [], zeroPoint: 131 }],
  ['uint8 without one', { dtype: 'uint8', scales: [], zeroPoint: null }],
  ['int8 by output_dtype', { dtype: 'int8', scales: [], zeroPoint: null }],
  ['int8 per column', { dtype: 'int8', scales: [N], axis: 1, zeroPoint: 0 }],
  ['int8 per row, not along the channels', { dtype: 'int8', scales: [K], axis: -2, zeroPoint: 3 }],
  ['int16', { dtype: 'int16', scales: [N], axis: 1, zeroPoint: 0 }],
  ['uint16', { dtype: 'uint16', scales: [], zeroPoint: 32768 }],
  [
    'int4 in blocks along the rows',
    { dtype: 'int4', scales: [2, N], axis: 0, block: 32, zeroPoint: 0 },
  ],
  [
    'uint4 in blocks along the columns',
    { dtype: 'uint4', scales: [K, 3], axis: 1, block: 16, zeroPoint: 8 },
  ],
  ['a Constant node', { dtype: 'int8', scales: [N], axis: 1, zeroPoint: 0, isConstant: true }],
];

describe.each(FAKES)('codes that the model makes: %s', (_, fake) => {
  const file = writeFile(folder, fakeModel(fake));

  test.each<ExportMode>(['qdq', 'dynamic', 'nbits'])(
    'the %s export stores them, and answers to the bit as before',
    async (mode) => {
      const { out, names } = await exported(
        file,
        recipe('uint4-block32', { minElements: 0 }),
        mode,
      );
      expect(names).toEqual(['w']);
      const [before, after] = [openModel(file), openModel(out)];
      for (const opened of [before, after]) opened.close();
      const weight = before.model.tensors.find(({ name }) => name === 'w')!;
      const codes = after.model.tensors.find(({ name }) => name === 'wq')!;
      expect(after.model.tensors.map(({ name }) => name)).not.toContain('w');
      expect(weight.quantization!.pending).toBe(fake.dtype);
      expect(codes).toMatchObject({ dtype: fake.dtype, shape: [K, N], role: 'weight' });
      const { pending: _pending, ...stored } = weight.quantization!;
      expect(codes.quantization).toEqual(stored);
      expect(await run(out)).toEqual(await run(file));
    },
  );
});

test.each<[string, Partial<onnx.IGraphProto>, RegExp]>([
  [
    'float values that another node takes',
    { node: [node('Relu', ['w'], ['r'])], output: [value('r', [K, N])] },
    /float values or codes are used elsewhere/,
  ],
  [
    'float values that another node hands on',
    { node: [node('Transpose', ['w'], ['r'])], output: [value('r', [N, K])] },
    /float values or codes are used elsewhere/,
  ],
  [
    'codes that are an output',
    { output: [value('wq', [K, N], TYPES.int8)] },
    /float values or codes are used elsewhere/,
  ],
])('leaves %s as they are', async (_, more, reason) => {
  const file = writeFile(folder, fakeModel({ dtype: 'int8', scales: [], zeroPoint: 0 }, more));
  const { names, refused, bytes } = await exported(file, recipe('int8', { minElements: 0 }));
  expect(names).toEqual([]);
  expect(refused.join()).toMatch(reason);
  expect(bytes.length).toBe((await import('node:fs')).statSync(file).size);
});

import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { bfloat16Bits } from '../../../shared/bfloat16.ts';
import { float16Bits, float16Value } from '../../../shared/float16.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { SchemeFields } from '../../../shared/scheme.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { exporter, recipe } from '../../helpers/export.ts';
import { castMatMulModel, floats, halfTensor, randomValues } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { SafetensorsExporter } from '../../helpers/safetensors-export.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const exported = exporter(pool, folder);
const never = new AbortController().signal;

const [ROWS, COLUMNS] = [96, 31];
const FLOAT16 = 10;
const values = randomValues(ROWS * COLUMNS, 7).map((value) => value / 20);
const feeds = { x: { shape: [3, ROWS], dtype: 'float32' } } as const;
const blocks: SchemeFields = {
  dtype: 'int4',
  symmetric: true,
  granularity: { block: 32 },
  range: 'minmax',
};

function float16Model(opset: number, weights: readonly number[] = values): string {
  const weight = halfTensor('w', [ROWS, COLUMNS], weights);
  return writeFile(folder, castMatMulModel(weight, { opset, irVersion: 8 }));
}

function wanted(scheme: Partial<SchemeFields>) {
  return recipe('int8', { minElements: 0, default: { ...blocks, ...scheme } });
}

async function reportOf(file: string, scheme: Partial<SchemeFields>, mode: ExportMode) {
  const session = Session.open(file, pool);
  try {
    const { reports } = await session.analyze(wanted(scheme), { signal: never, mode });
    return reports.find((report) => report.quantized || report.reason !== null)!;
  } finally {
    session.close();
  }
}

function initializer(bytes: Uint8Array, name: string): onnx.ITensorProto | undefined {
  return onnx.ModelProto.decode(bytes).graph!.initializer!.find((each) => each.name === name);
}

function float16Values(tensor: onnx.ITensorProto): number[] {
  return Array.from(new Uint16Array(Uint8Array.from(tensor.rawData!).buffer), float16Value);
}

describe.each<[string, Partial<SchemeFields>, number]>([
  ['int4', {}, 12],
  ['uint4 with zero points', { dtype: 'uint4', symmetric: false }, 12],
  ['int8', { dtype: 'int8' }, 35],
  ['uint8 with zero points', { dtype: 'uint8', symmetric: false, granularity: { block: 16 } }, 35],
])('a float16 weight as %s blocks', (_, scheme, least) => {
  test('is MatMulNBits with float16 scales, as the report has them, and runs', async () => {
    const file = float16Model(17);
    const { bytes, out } = await exported(file, wanted(scheme), 'nbits');
    const ops = onnx.ModelProto.decode(bytes).graph!.node!.map(({ opType }) => opType);
    expect(ops).toEqual(['Cast', 'MatMulNBits', 'Cast']);
    const scale = initializer(bytes, 'w_scale')!;
    expect(scale.dataType).toBe(FLOAT16);
    const report = await reportOf(file, scheme, 'nbits');
    // [blocks, N] in the report, [N, blocks] in the file.
    const count = report.scale.length / COLUMNS;
    const turned = Array.from(
      report.scale,
      (__, at) => report.scale[(at % count) * COLUMNS + Math.floor(at / count)]!,
    );
    expect(float16Values(scale)).toEqual(turned);
    const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(least);
  });

  test('is restored by DequantizeLinear alone where its scale may be float16', async () => {
    const file = float16Model(21);
    const { bytes, out } = await exported(file, wanted(scheme));
    const ops = onnx.ModelProto.decode(bytes).graph!.node!.map(({ opType }) => opType);
    expect(ops).toEqual(['DequantizeLinear', 'Cast', 'MatMul', 'Cast']);
    expect(initializer(bytes, 'w_scale')!.dataType).toBe(FLOAT16);
    const isAsymmetric = scheme.symmetric === false;
    expect(initializer(bytes, 'w_zero_point') !== undefined).toBe(isAsymmetric);
    const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(least);
  });
});

test.each([
  [13, 'channel', 1],
  [19, 'channel', FLOAT16],
  [19, 'tensor', FLOAT16],
] as const)(
  'at opset %i, scales per %s of a float16 weight have data type %i',
  async (opset, granularity, dataType) => {
    const file = float16Model(opset);
    const { bytes, out } = await exported(file, wanted({ dtype: 'int8', granularity }));
    expect(initializer(bytes, 'w_scale')!.dataType).toBe(dataType);
    const ops = onnx.ModelProto.decode(bytes).graph!.node!.map(({ opType }) => opType);
    expect(ops.filter((op) => op === 'Cast')).toHaveLength(dataType === FLOAT16 ? 2 : 3);
    const [source, answer] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
    expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(35);
  },
);

test('the reported error is that of the codes and the float16 scales in the file', async () => {
  const file = float16Model(21);
  const scheme = { dtype: 'int8', granularity: 'channel' } as const;
  const report = await reportOf(file, scheme, 'qdq');
  const { bytes } = await exported(file, wanted(scheme));
  const scale = float16Values(initializer(bytes, 'w_scale')!);
  expect(report.scale).toEqual(scale);
  const codes = new Int8Array(Uint8Array.from(initializer(bytes, 'w_quantized')!.rawData!).buffer);
  const squares = values.map((value, at) => {
    const stored = float16Value(float16Bits(value));
    return (Math.fround(codes[at]! * scale[at % COLUMNS]!) - stored) ** 2;
  });
  expect(report.mse).toBeCloseTo(squares.reduce((a, b) => a + b) / squares.length, 12);
});

test('channels of subnormal float16 values keep their values', async () => {
  const tiny = values.map((_, at) => ((at % 127) + 1) * 2 ** -24);
  const file = float16Model(21, tiny);
  const report = await reportOf(file, { dtype: 'int8', granularity: 'channel' }, 'qdq');
  expect(Array.from(report.scale).every((scale) => scale === 2 ** -24)).toBe(true);
  expect(report).toMatchObject({ clipped: 0, maxAbsError: 0 });
});

test.each([
  ['bfloat16', 16],
  ['float64', 11],
] as const)('a %s weight is restored in mode nbits, with the reason', async (dtype, dataType) => {
  const weight =
    dtype === 'bfloat16'
      ? halfTensor('w', [ROWS, COLUMNS], values, { dataType, bits: bfloat16Bits })
      : {
          ...{ name: 'w', dims: [ROWS, COLUMNS], dataType },
          rawData: new Uint8Array(Float64Array.from(values).buffer),
        };
  const file = writeFile(folder, castMatMulModel(weight, { opset: 21, irVersion: 10 }));
  const { bytes } = await exported(file, wanted({}), 'nbits');
  expect(initializer(bytes, 'w_scale')!.dataType).toBe(1);
  const report = await reportOf(file, {}, 'nbits');
  expect(report.reason).toBe(
    `restored to float: onnxruntime's MatMulNBits takes float32 and float16, not ${dtype}`,
  );
});

test('a float16 weight is restored in mode dynamic, with the reason', async () => {
  const scheme = { dtype: 'int8', granularity: 'channel' } as const;
  const { reason } = await reportOf(float16Model(17), scheme, 'dynamic');
  expect(reason).toBe(
    'restored to float: integer operators give float32, and the weight is float16',
  );
});

describe('a float32 weight with a value that a 16-bit float makes infinite', () => {
  const wide = [-1e30, ...values.slice(1)];
  const weight = { ...{ name: 'w', dims: [ROWS, COLUMNS], dataType: 1 }, rawData: floats(wide) };

  test.each(['qdq', 'float'] as const)(
    'stays in float32 in mode %s, with the reason',
    async (mode) => {
      const file = writeFile(folder, castMatMulModel(weight, { opset: 17 }));
      const { bytes, refused } = await exported(file, recipe('float16', { minElements: 0 }), mode);
      expect(refused).toContain('holds values over 65504, the largest of float16');
      expect(initializer(bytes, 'w')!.dataType).toBe(1);
      const report = await reportOf(file, { dtype: 'float16' }, mode);
      expect(report).toMatchObject({ quantized: false, reason: refused[0] });
      // bfloat16 has float32's range.
      expect(await reportOf(file, { dtype: 'bfloat16' }, mode)).toMatchObject({ quantized: true });
    },
  );

  test('stays in float32 in safetensors too, but for mode cast, whose report counts it', async () => {
    const tensors = {
      'a.weight': { dtype: 'F32', shape: [ROWS, COLUMNS], bytes: floats(wide) },
      'b.weight': { dtype: 'F32', shape: [ROWS, COLUMNS], bytes: floats(values) },
    };
    const sets = new SafetensorsExporter(pool, folder);
    for (const mode of ['qdq', 'float'] as const) {
      const { file, refused } = await sets.single(tensors, recipe('float16'), mode);
      expect([file.tensors['a.weight']!.dtype, file.tensors['b.weight']!.dtype]).toEqual([
        'F32',
        'F16',
      ]);
      expect(refused).toEqual(['holds values over 65504, the largest of float16']);
    }
    const cast = await sets.single(tensors, recipe('float16'), 'cast');
    expect(cast.file.tensors['a.weight']!.dtype).toBe('F16');
    const { reason, quantized } = await reportOf(cast.source, { dtype: 'float16' }, 'cast');
    expect([quantized, reason]).toEqual([
      true,
      'finite values stored as infinity: 1; holds values over 65504, the largest of float16',
    ]);
  });
});

import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { fitLitertPlan } from '../../../electron/engine/formats/litert/fit/fit.ts';
import { PagedBytes } from '../../../electron/engine/formats/litert/read/paged-bytes.ts';
import { readModel } from '../../../electron/engine/formats/litert/read/read-model.ts';
import { buildTensors } from '../../../electron/engine/formats/litert/read/tensors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { arraySource } from '../../../electron/engine/quantize/chunks.ts';
import { layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { quantizeTensor } from '../../../electron/engine/quantize/quantize-tensor.ts';
import { computeStatistics } from '../../../electron/engine/quantize/statistics.ts';
import { Session } from '../../../electron/engine/session.ts';
import { FileSource } from '../../../electron/engine/source.ts';
import { planWeights, type WeightPlans } from '../../../shared/plan.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { PRESETS } from '../../../shared/presets.ts';
import type { Scheme } from '../../../shared/scheme.ts';
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
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;
let count = 0;

/** The stored tensors of the model below: name, shape, and values. */
const STORED: readonly (readonly [string, readonly number[], Float32Array])[] = [
  ['conv w', [32, 3, 3, 16], normalValues(32 * 144, 1)],
  ['conv b', [32], normalValues(32, 2)],
  ['depthwise w', [1, 8, 8, 32], normalValues(2048, 3)],
  ['depthwise b', [32], normalValues(32, 4)],
  ['dense w', [48, 32], normalValues(48 * 32, 5)],
  ['dense b', [48], normalValues(48, 6)],
  ['table', [50, 32], normalValues(1600, 7)],
];

/** x -> CONV_2D -> DEPTHWISE_CONV_2D -> FULLY_CONNECTED -> y, and rows of an embedding. */
function model(
  values: readonly (readonly [string, readonly number[], Float32Array])[] = STORED,
  more: readonly OperatorSpec[] = [],
  outputs: readonly number[] = [9, 11],
): string {
  const graph: GraphSpec = {
    tensors: [
      ...values.map(([name, shape], at) => ({ name, shape, buffer: at + 1 })),
      { name: 'x', shape: [1, 1, 1, 16] },
      { name: 'h', shape: [1, 1, 1, 32] },
      { name: 'y', shape: [1, 48] },
      { name: 'ids', shape: [4], type: 'INT32' },
      { name: 'rows', shape: [4, 32] },
      { name: 'g', shape: [1, 1, 1, 32] },
      { name: 'more', shape: [32] },
    ],
    operators: [
      { op: 'CONV_2D', inputs: [7, 0, 1], outputs: [8] },
      { op: 'DEPTHWISE_CONV_2D', inputs: [8, 2, 3], outputs: [12] },
      { op: 'FULLY_CONNECTED', inputs: [12, 4, 5], outputs: [9], options: [8, table({})] },
      { op: 'GATHER', inputs: [6, 10], outputs: [11] },
      ...more,
    ],
    inputs: [7, 10],
    outputs,
  };
  const buffers = values.map(([, , numbers]) => bytesOf(numbers));
  return writeFile(
    folder,
    litertModel({ graphs: [graph], buffers }).bytes,
    `fit-${count++}.tflite`,
  );
}

/** The plan of a recipe as an export in a mode writes it. */
function fitted(
  file: string,
  wanted: Recipe,
  mode: ExportMode,
): { asked: WeightPlans; plan: WeightPlans } {
  const source = FileSource.open(file);
  try {
    const bytes = new PagedBytes(source);
    const index = readModel(bytes);
    const tensors = buildTensors(index);
    const refs = tensors.map(({ ref }) => ref);
    const asked = planWeights(refs, wanted);
    return { asked, plan: fitLitertPlan({ index, tensors, source: bytes }, asked, mode) };
  } finally {
    source.close();
  }
}

/** What the engine's own encoder makes of values under a scheme. */
function encoded(
  values: Float32Array,
  shape: readonly number[],
  axis: number | null,
  scheme: Scheme,
) {
  const source = arraySource(values, 'float32', 1 << 20);
  const pieces: Uint8Array[] = [];
  const { scale, zeroPoint } = quantizeTensor({
    name: 'values',
    source,
    shape,
    axis,
    scheme,
    statistics: computeStatistics(source, axis === null ? null : layoutOf(shape, axis), 4),
    sink: (bytes) => pieces.push(Uint8Array.from(bytes)),
  });
  return { scale, zeroPoint, codes: Buffer.concat(pieces) };
}

async function exported(file: string, wanted: Recipe, mode: ExportMode) {
  const session = Session.open(file, pool);
  const out = path.join(folder, `${mode}-${wanted.name}-${path.basename(file)}`);
  try {
    const { kept } = await session.previewExport(wanted, mode, { signal });
    const { quantized } = await session.export(wanted, mode, out, { signal });
    return { out, kept, quantized, tensors: session.tensors.length };
  } finally {
    session.close();
  }
}

/** The bytes and parameters that a file stores of each tensor, by name. */
function storedIn(file: string) {
  const opened = openModel(file);
  try {
    return new Map(
      opened.model.tensors.map((ref) => {
        const [{ offset, length }] = ref.data.ranges as [(typeof ref.data.ranges)[number]];
        return [ref.name, { ref, codes: Buffer.from(opened.files[0]!.read(offset, length)) }];
      }),
    );
  } finally {
    opened.close();
  }
}

describe.each(['qdq', 'dynamic', 'float'] as const)('in the mode %s', (mode) => {
  test.each(PRESETS.map((preset) => [preset.name, preset] as const))(
    '%s: the file stores the scales, zero points and codes of the fitted plan, and the rest has a reason',
    async (_, preset) => {
      const file = model();
      const { plan } = fitted(file, preset, mode);
      const { out, kept, quantized, tensors } = await exported(file, preset, mode);
      expect(quantized).toBe(plan.filter(({ scheme }) => scheme !== null).length);
      // Every tensor is quantized or counted under a reason.
      expect(quantized + kept.reduce((sum, group) => sum + group.tensors, 0)).toBe(tensors);
      expect(kept.every(({ reason }) => reason !== '')).toBe(true);
      const stored = storedIn(out);
      for (const [at, [name, shape, values]] of STORED.entries()) {
        const { scheme } = plan[at]!;
        const { ref, codes } = stored.get(name)!;
        if (scheme === null) {
          expect([name, ref.dtype, codes.equals(bytesOf(values))]).toEqual([name, 'float32', true]);
          continue;
        }
        const axis = { 'conv w': 0, 'depthwise w': 3, 'dense w': 0, table: 0 }[name] ?? null;
        const own = encoded(values, shape, axis, scheme);
        expect([name, codes.equals(own.codes)]).toEqual([name, true]);
        if (scheme.kind === 'cast') expect(ref.quantization).toBeNull();
        else {
          expect(ref.quantization!.scale).toEqual(own.scale);
          expect(ref.quantization!.zeroPoint).toEqual(own.zeroPoint);
        }
      }
    },
  );

  test('a fitted plan fits as it is', () => {
    for (const preset of PRESETS) {
      const file = model();
      const { plan } = fitted(file, preset, mode);
      const source = FileSource.open(file);
      const bytes = new PagedBytes(source);
      const index = readModel(bytes);
      const again = fitLitertPlan(
        { index, tensors: buildTensors(index), source: bytes },
        plan,
        mode,
      );
      source.close();
      expect(again).toEqual(plan);
    }
  });
});

test('int4 in the dynamic mode: absmax / 7, and the plan says that the codes end at 7', async () => {
  const wanted = recipe('int8', {
    name: 'int4',
    default: { ...recipe('int8').default!, dtype: 'int4' },
  });
  const file = model();
  const { plan } = fitted(file, wanted, 'dynamic');
  expect(plan[4]).toMatchObject({
    scheme: { dtype: 'int4', narrowRange: true },
    reason: "codes from -7 to 7, as LiteRT's integer kernels take them",
  });
  const stored = storedIn((await exported(file, wanted, 'dynamic')).out);
  const first = STORED[4]![2].subarray(0, 32);
  const absmax = first.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(stored.get('dense w')!.ref.quantization!.scale[0]).toBe(Math.fround(absmax / 7));
});

test('int16 per channel is stored per tensor, as DEQUANTIZE takes it, and the plan says so', () => {
  const { plan } = fitted(model(), recipe('int16'), 'qdq');
  for (const at of [0, 2, 4, 6])
    expect(plan[at]).toMatchObject({
      scheme: { dtype: 'int16', granularity: 'tensor' },
      reason: "per tensor: LiteRT's DEQUANTIZE takes int16 per tensor only",
    });
});

describe('the bias of a float16 weight', () => {
  const float16 = recipe('float16');
  const schemes = (plan: WeightPlans): (string | null)[] =>
    plan.map(({ scheme }) => scheme?.dtype ?? null);

  test('is float16 too, behind a DEQUANTIZE, so that XNNPACK runs the operator', () => {
    for (const mode of ['qdq', 'dynamic', 'float'] as const) {
      const { plan } = fitted(model(), float16, mode);
      expect(schemes(plan)).toEqual(STORED.map(() => 'float16'));
      expect(plan[1]!.reason).toBe('float16 as its weight is, so that XNNPACK runs the operator');
    }
  });

  test('is float16 where a rule makes one weight float16, and no other bias', () => {
    const rules = [{ match: { name: '^dense w$' }, scheme: { dtype: 'float16' as const } }];
    const { plan } = fitted(model(), recipe('int8', { rules }), 'dynamic');
    expect(schemes(plan)).toEqual(['int8', null, 'int8', null, 'float16', 'float16', 'int8']);
  });

  test('stays float32 with a value that float16 makes infinite', async () => {
    const large = Float32Array.from(STORED[5]![2]);
    large[7] = -65520;
    const values = STORED.map((entry, at) =>
      at === 5 ? ([entry[0], entry[1], large] as const) : entry,
    );
    const file = model(values);
    const { plan } = fitted(file, float16, 'float');
    expect(plan[5]).toMatchObject({
      scheme: null,
      reason: 'holds values over 65504, the largest of float16',
    });
    const { out, kept } = await exported(file, float16, 'float');
    expect(kept.map(({ reason }) => reason)).toEqual([plan[5]!.reason]);
    expect(storedIn(out).get('dense b')!.codes.equals(bytesOf(large))).toBe(true);
    large[7] = -65519;
    expect(fitted(model(values), float16, 'float').plan[5]!.scheme).not.toBeNull();
  });

  test('stays float32 where another operator takes it, or it is an output', () => {
    const add: OperatorSpec = { op: 'ADD', inputs: [1, 1], outputs: [13] };
    const shared = fitted(model(STORED, [add]), float16, 'float');
    expect(shared.plan[1]).toEqual(shared.asked[1]);
    const output = fitted(model(STORED, [], [9, 11, 3]), float16, 'float');
    expect(output.plan[3]).toEqual(output.asked[3]);
  });
});

test('a weight with values that float16 makes infinite stays float32, and so does its bias', async () => {
  const large = Float32Array.from(STORED[4]![2]);
  large[large.length - 1] = 1e5;
  const values = STORED.map((entry, at) =>
    at === 4 ? ([entry[0], entry[1], large] as const) : entry,
  );
  const file = model(values);
  const { plan } = fitted(file, recipe('float16'), 'float');
  expect(plan.map(({ scheme }) => scheme?.dtype ?? null)).toEqual([
    ...['float16', 'float16', 'float16', 'float16', null, null, 'float16'],
  ]);
  const { out, kept } = await exported(file, recipe('float16'), 'float');
  expect(kept.map(({ reason }) => reason)).toContain(
    'holds values over 65504, the largest of float16',
  );
  expect(storedIn(out).get('dense w')!.codes.equals(bytesOf(large))).toBe(true);
});

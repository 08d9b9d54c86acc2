import * as path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { PreparedModel } from '../../../electron/engine/calibrate/prepared.ts';
import { observeWeightMoments } from '../../../electron/engine/calibrate/moments.ts';
import type { WeightInput } from '../../../electron/engine/formats/format.ts';
import { FIRST_VALUES } from '../../../electron/engine/quantize/detail.ts';
import { isQuantizable, type TensorRef } from '../../../shared/model.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import type { Plan } from '../../../shared/plan.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { findPreset, PRESETS } from '../../../shared/presets.ts';
import { algorithmOf, BASE_SCHEME, type SchemeFields } from '../../../shared/scheme.ts';
import type { TensorReport } from '../../../shared/report.ts';
import { summarizeScales } from '../../../shared/scales.ts';
import { split } from '../../../electron/engine/batches.ts';
import { figuresOf } from '../../../electron/engine/reports.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import {
  castMatMulModel,
  halfTensor,
  layersModel,
  randomValues,
} from '../../helpers/onnx-model.ts';
import { sameRanges } from '../../helpers/ranges.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import {
  codesOfReport,
  restoredValues,
  storedParts,
  valuesOf,
  type StoredParts,
} from '../../helpers/stored-parts.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;

/** Types of 32 bits are shown, and kept by every export. */
const STUDY_ONLY = new Set(['q31']);

/** Fields that presets do not combine: of fixed point, of which some say nothing, and of the narrow range. */
const MORE: readonly Recipe[] = Object.entries({
  'q7 per channel': { dtype: 'q7', symmetric: false },
  'q15 shifted in blocks': { dtype: 'q15', powerOfTwo: true, granularity: { block: 16 } },
  'int4 in blocks, scales positive': { dtype: 'int4', granularity: { block: 16 } },
  'uint4 in blocks, scales signed': {
    ...{ dtype: 'uint4', granularity: { block: 16 }, range: 'mse', signedScale: true },
  },
  'int4 narrow in blocks': { dtype: 'int4', narrowRange: true, granularity: { block: 16 } },
} satisfies Record<string, Partial<SchemeFields>>).map(([name, fields]) => ({
  ...findPreset('int8')!,
  ...{ name, default: { ...BASE_SCHEME, ...fields } },
}));

const RECIPES = [...PRESETS.filter(({ name }) => !STUDY_ONLY.has(name)), ...MORE];

const float16Weight = halfTensor(
  'w',
  [64, 48],
  randomValues(64 * 48, 5).map((each) => each / 50),
);

/** Of each recipe on a real model, in turn; generated ones are exported in all of them. */
const MODES_OF_REAL = 1;

interface Subject {
  readonly name: string;
  readonly file: string;
  readonly isReal?: boolean;
}

const models: readonly Subject[] = [
  { name: 'ONNX', file: REAL_MODELS[2]!.file, isReal: true },
  { name: 'ONNX with an LSTM', file: REAL_MODELS[3]!.file, isReal: true },
  { name: 'ONNX with Conv, Gemm and MatMul', file: writeFile(folder, layersModel()) },
  ...[17, 21].map((opset) => ({
    name: `ONNX of float16 at opset ${opset}`,
    file: writeFile(folder, castMatMulModel(float16Weight, { opset, irVersion: 10 })),
  })),
  { name: 'LiteRT', file: LITERT_MODELS.selfie, isReal: true },
  {
    name: 'safetensors',
    file: writeFile(
      folder,
      safetensorsFile({
        'fc.weight': floats([64, 48]),
        'fc.bias': floats([64], 2),
        'norm.weight': floats([64], 3),
        'embed.weight': floats([100, 64], 4),
      }),
      'model.safetensors',
    ),
  },
];

describe.each(models)('$name: what an analysis shows is what the export stores', (each) => {
  const { file, isReal = false } = each;
  const session = Session.open(file, pool);
  afterAll(() => session.close());
  session.useRanges(sameRanges(session));
  const { modes } = session.opened;
  const cases = RECIPES.flatMap(({ name }, at) =>
    modes
      .filter((_, index) => !isReal || (at + index) % modes.length < MODES_OF_REAL)
      .map((mode): [string, ExportMode] => [name, mode]),
  );

  test.each(cases)('%s in mode %s', async (name, mode) => {
    const wanted = RECIPES.find((recipe) => recipe.name === name)!;
    const { reports, total } = await session.analyze(wanted, { signal: never, mode });
    const out = path.join(folder, `${name}-${mode}${session.opened.extension}`);
    const result = await session.export(wanted, mode, out, { signal: never });
    expect(total.quantized).toBe(result.quantized);
    const kept = reports.filter(({ quantized }) => !quantized);
    expect(kept.filter(({ reason }) => reason === null)).toEqual([]);
    const counted = result.keptByReason.reduce((sum, group) => sum + group.tensors, 0);
    expect(counted).toBe(kept.length);
    expect(differences(session, out, reports, session.plan(wanted, mode))).toEqual([]);
    await expectInspectorToAgree(session, wanted, mode, reports);
  });
});

const inputs = { inputs: null, samples: 1, seed: 1 };

function wanted(fields: Partial<SchemeFields>): Recipe {
  return {
    ...findPreset('int8')!,
    ...{ name: 'gptq', minElements: 0 },
    default: { ...BASE_SCHEME, algorithm: 'gptq', range: 'mse', ...fields },
  };
}

async function observeMoments(session: Session, recipe: Recipe, mode: ExportMode): Promise<void> {
  const asked = session.wantsMoments(recipe, mode);
  const { moments } = await observeWeightMoments(
    ...([session.opened, asked, sharedRuntime, inputs, { signal: never }] as const),
  );
  session.useMoments(moments);
}

describe('codes that GPTQ has chosen are those that are shown, exported and run', () => {
  const session = Session.open(writeFile(folder, layersModel()), pool);
  afterAll(() => session.close());
  test.each([
    ['qdq', { dtype: 'int8' }, 3],
    ['dynamic', { dtype: 'uint8', symmetric: false, granularity: 'tensor' }, 3],
    ['qdq', { dtype: 'int4', granularity: { block: 16 } }, 3],
    ['nbits', { dtype: 'int4', granularity: { block: 32 } }, 2],
    ['nbits', { dtype: 'uint4', symmetric: false, granularity: { block: 16 } }, 2],
  ] as const)('mode %s, %j', async (mode, fields, least) => {
    const recipe = wanted(fields);
    await observeMoments(session, recipe, mode);
    expect(await expectSolved(session, recipe, mode)).toBeGreaterThanOrEqual(least);
  });

  test('mode static', async () => {
    const prepared = await PreparedModel.make(session, pool, sharedRuntime, { signal: never });
    prepared.use(await prepared.calibrate(inputs, { signal: never }));
    const own = prepared.session;
    const recipe = wanted({ dtype: 'int8' });
    await observeMoments(own, recipe, 'static');
    expect(await expectSolved(own, recipe, 'static')).toBeGreaterThanOrEqual(2);
    prepared.close();
  }, 120_000);

  test.each([
    ['dynamic', { dtype: 'int4' }],
    ['static', { dtype: 'int8' }],
  ] as const)(
    'of a LiteRT model with float16 weights in mode %s',
    async (mode, fields) => {
      const source = Session.open(LITERT_MODELS.faceShort, pool);
      const prepared = await PreparedModel.make(source, pool, sharedRuntime, { signal: never });
      const own = prepared.session;
      if (mode === 'static') prepared.use(await prepared.calibrate(inputs, { signal: never }));
      const recipe = wanted(fields);
      await observeMoments(own, recipe, mode);
      expect(await expectSolved(own, recipe, mode)).toBeGreaterThanOrEqual(15);
      prepared.close();
      source.close();
    },
    120_000,
  );

  test('without samples, or where it makes nothing better, codes are the nearest ones and the reason says so', async () => {
    const other = Session.open(session.opened.files[0]!.path, pool);
    const recipe = wanted({ dtype: 'int8' });
    const reasons = async (asked: Recipe): Promise<Set<string | null>> => {
      const { reports } = await other.analyze(asked, { signal: never });
      const integers = reports.filter(({ quantized }) => quantized);
      for (const { scheme } of integers) expect(scheme).not.toHaveProperty('algorithm');
      return new Set(integers.map(({ reason }) => reason));
    };
    expect(await reasons(recipe)).toEqual(
      new Set(["rounded to nearest: GPTQ needs samples of the model's inputs"]),
    );
    const out = path.join(folder, 'nearest.onnx');
    const { nearest } = await other.export(recipe, 'qdq', out, { signal: never });
    expect(nearest).toMatchObject([
      { reason: "GPTQ needs samples of the model's inputs", tensors: 3 },
    ]);
    expect(await reasons(wanted({ dtype: 'int16' }))).toEqual(
      new Set(['rounded to nearest: GPTQ chooses codes of up to 8 bits']),
    );
    const zeros = writeFile(folder, new Uint8Array(new Float32Array(576 ** 2).buffer), 'zeros');
    const found = [...other.opened.weightInputs!().values()];
    const byTensor = new Map<number, { input: WeightInput; file: string } | { reason: string }>([
      [found[0]!.tensor, { reason: 'a reason of its own' }],
      [found[1]!.tensor, { input: { ...found[1]!, columns: 576 }, file: zeros }],
    ]);
    other.useMoments({ byTensor, folder, close: () => undefined });
    expect(await reasons(recipe)).toEqual(
      new Set([
        'rounded to nearest: a reason of its own',
        'rounded to nearest: the moments of its inputs give no solution',
        'rounded to nearest: GPTQ is for weights of matrix products and of convolutions that multiply a computed value',
      ]),
    );
    other.close();
  });
});

/** The stored codes of solved tensors have the reported error, and are not the nearest ones. How many were solved. */
async function expectSolved(session: Session, wanted: Recipe, mode: ExportMode): Promise<number> {
  const { reports } = await session.analyze(wanted, { signal: never, mode });
  const out = path.join(folder, `gptq${session.opened.extension}`);
  await session.export(wanted, mode, out, { signal: never, overwrite: true });
  const exported = Session.open(out, pool);
  const solved = reports.filter(
    ({ quantized, scheme }) => quantized && algorithmOf(scheme!) === 'gptq',
  );
  for (const report of solved) {
    const tensor = session.tensors[report.tensor]!;
    const original = valuesOf(session, tensor);
    const { codes, scale, zeroPoint } = storedParts(exported, tensor, report);
    expect([[...scale], [...zeroPoint]]).toEqual([[...report.scale], [...report.zeroPoint]]);
    const stored = restoredValues(codes, tensor, report);
    expectErrorOf(report, original, stored);
    expect(codes).not.toEqual(codesOfReport(original, tensor, report));
    const detail = await session.inspect(report.tensor, [wanted], BINS, never, mode);
    expect(detail.a?.firstCodes).toEqual(Array.from(codes.subarray(0, FIRST_VALUES)));
    expect(detail.a?.report).toEqual(figuresOf(report));
  }
  exported.close();
  await expectInspectorToAgree(session, wanted, mode, reports);
  return solved.length;
}

function expectErrorOf(
  { mse }: TensorReport,
  original: ArrayLike<number>,
  stored: ArrayLike<number>,
): void {
  let noise = 0;
  for (let at = 0; at < original.length; at++) noise += (stored[at]! - original[at]!) ** 2;
  expect(mse).toBeCloseTo(noise / original.length, 12);
}

/** Bins of the histograms that the Inspector makes here; no test looks at them. */
const BINS = 8;

/** The Inspector reports a quantized tensor and a kept one as the analysis does; which ones depends on the case. */
async function expectInspectorToAgree(
  session: Session,
  wanted: Recipe,
  mode: ExportMode,
  reports: readonly TensorReport[],
): Promise<void> {
  const shown = reports.filter(({ tensor }) => isQuantizable(session.tensors[tensor]!));
  const [quantized, kept] = split(shown, (report) => report.quantized);
  for (const group of [quantized, kept]) {
    const report = group[(wanted.name.length + mode.length) % Math.max(1, group.length)];
    if (report === undefined) continue;
    const detail = await session.inspect(report.tensor, [wanted], BINS, never, mode);
    expect(detail.a?.report).toEqual(figuresOf(report));
    expect(detail.a?.scales).toEqual(summarizeScales(report));
    const { scale, zeroPoint } = await session.scales(report.tensor, wanted, never, mode);
    expect([[...scale], [...zeroPoint]]).toEqual([[...report.scale], [...report.zeroPoint]]);
  }
}

interface Difference {
  readonly name: string;
  readonly part: keyof StoredParts;
  readonly at: number;
  readonly analysis: number | undefined;
  readonly file: number | undefined;
}

/** The first difference of each tensor between what the analysis says and what the file stores. */
function differences(
  session: Session,
  out: string,
  reports: readonly TensorReport[],
  plan: Plan,
): readonly Difference[] {
  const exported = Session.open(out, pool);
  try {
    return reports
      .filter(({ quantized }) => quantized)
      .flatMap((report) => differencesOf(session, exported, report, plan));
  } finally {
    exported.close();
  }
}

/** Values of the sources' tensors: each is exported in many cases. */
const values = new WeakMap<TensorRef, Float64Array>();

function differencesOf(
  session: Session,
  exported: Session,
  report: TensorReport,
  plan: Plan,
): Difference[] {
  const tensor = session.tensors[report.tensor]!;
  const known = values.get(tensor) ?? valuesOf(session, tensor);
  values.set(tensor, known);
  const file = storedParts(exported, tensor, report);
  const { codes } = plan.weights[report.tensor]!;
  if (codes !== undefined) expectErrorOf(report, known, restoredValues(codes, tensor, report));
  const analysis = { ...report, codes: codes ?? codesOfReport(known, tensor, report) };
  return (['scale', 'zeroPoint', 'codes'] as const).flatMap((part) => {
    const [a, b] = [analysis[part], file[part]];
    let at = 0;
    while (at < a.length && Object.is(a[at], b[at])) at++;
    if (at === a.length && at === b.length) return [];
    return [{ name: tensor.name, part, at, analysis: a[at], file: b[at] }];
  });
}

import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { isQuantizable, type TensorRef } from '../../../shared/model.ts';
import type { ExportMode } from '../../../shared/protocol.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { findPreset, PRESETS } from '../../../shared/presets.ts';
import { BASE_SCHEME, type SchemeFields } from '../../../shared/scheme.ts';
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
  matMulModel,
  randomValues,
} from '../../helpers/onnx-model.ts';
import { sameRanges } from '../../helpers/ranges.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import {
  codesOfReport,
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

const models: readonly { readonly name: string; readonly file: string }[] = [
  { name: 'ONNX', file: REAL_MODELS[2]!.file },
  { name: 'ONNX with an LSTM', file: REAL_MODELS[3]!.file },
  { name: 'ONNX with one MatMul', file: writeFile(folder, matMulModel(64, 48)) },
  ...[17, 21].map((opset) => ({
    name: `ONNX of float16 at opset ${opset}`,
    file: writeFile(folder, castMatMulModel(float16Weight, { opset, irVersion: 10 })),
  })),
  { name: 'LiteRT', file: LITERT_MODELS.selfie },
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

describe.each(models)('$name: what an analysis shows is what the export stores', ({ file }) => {
  const session = Session.open(file, pool);
  session.useRanges(sameRanges(session));
  const cases = RECIPES.flatMap(({ name }) =>
    session.opened.modes.map((mode): [string, ExportMode] => [name, mode]),
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
    expect(differences(session, out, reports)).toEqual([]);
    await expectInspectorToAgree(session, wanted, mode, reports);
  });
});

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
): readonly Difference[] {
  const exported = Session.open(out, pool);
  try {
    return reports
      .filter(({ quantized }) => quantized)
      .flatMap((report) => differencesOf(session, exported, report));
  } finally {
    exported.close();
  }
}

/** Values of the sources' tensors: each is exported in many cases. */
const values = new WeakMap<TensorRef, Float64Array>();

function differencesOf(session: Session, exported: Session, report: TensorReport): Difference[] {
  const tensor = session.tensors[report.tensor]!;
  const known = values.get(tensor) ?? valuesOf(session, tensor);
  values.set(tensor, known);
  const file = storedParts(exported, tensor, report);
  const analysis = { ...report, codes: codesOfReport(known, tensor, report) };
  return (['scale', 'zeroPoint', 'codes'] as const).flatMap((part) => {
    const [a, b] = [analysis[part], file[part]];
    let at = 0;
    while (at < a.length && Object.is(a[at], b[at])) at++;
    if (at === a.length && at === b.length) return [];
    return [{ name: tensor.name, part, at, analysis: a[at], file: b[at] }];
  });
}

import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ExportMode } from '../../../shared/protocol.ts';
import { PRESETS } from '../../../shared/recipe.ts';
import type { TensorReport } from '../../../shared/report.ts';
import { Session } from '../../../electron/engine/session.ts';
import { readNumbers } from '../../../electron/engine/tensor-bytes.ts';
import { testPool } from '../../helpers/engine.ts';
import { LITERT_MODELS } from '../../helpers/litert-models.ts';
import {
  castMatMulModel,
  halfTensor,
  matMulModel,
  randomValues,
} from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;

/** Types of 32 bits are shown, and kept by every export. */
const STUDY_ONLY = new Set(['q31']);

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
  const cases = PRESETS.filter(({ name }) => !STUDY_ONLY.has(name)).flatMap((preset) =>
    session.opened.modes.map((mode): [string, ExportMode] => [preset.name, mode]),
  );

  test.each(cases)('%s in mode %s', async (name, mode) => {
    const wanted = PRESETS.find((preset) => preset.name === name)!;
    const { reports, total } = await session.analyze(wanted, { signal: never, mode });
    const out = path.join(folder, `${name}-${mode}${session.opened.extension}`);
    const result = await session.export(wanted, mode, out, { signal: never });
    expect(total.quantized).toBe(result.quantized);
    const kept = reports.filter(({ quantized }) => !quantized);
    expect(kept.filter(({ reason }) => reason === null)).toEqual([]);
    const counted = result.keptByReason.reduce((sum, group) => sum + group.tensors, 0);
    expect(counted).toBe(kept.length);
    expect(writtenScales(out, session, reports)).toEqual(scalesOf(session, reports));
  });
});

type Scales = Readonly<Record<string, readonly number[]>>;

/** Scales by tensor, ascending: MatMulNBits stores them in another order than the tensor has. */
function scalesOf(session: Session, reports: readonly TensorReport[]): Scales {
  return byName(session, reports, ({ scale }) => scale);
}

/** The same as the exported file has them. */
function writtenScales(out: string, session: Session, reports: readonly TensorReport[]): Scales {
  const exported = Session.open(out, pool);
  try {
    return byName(session, reports, (_, name) => storedScales(exported, name));
  } finally {
    exported.close();
  }
}

function byName(
  session: Session,
  reports: readonly TensorReport[],
  scales: (report: TensorReport, name: string) => Iterable<number>,
): Scales {
  return Object.fromEntries(
    reports
      .filter(({ quantized, scale }) => quantized && scale.length > 0)
      .map((report) => {
        const { name } = session.tensors[report.tensor]!;
        return [name, [...scales(report, name)].sort((a, b) => a - b)];
      }),
  );
}

/** The tensor that is named so; LiteRT has its scales beside the codes instead. */
function storedScales({ tensors, opened }: Session, name: string): Iterable<number> {
  const scale = tensors.find((tensor) => tensor.name === `${name}_scale`);
  if (scale !== undefined) return readNumbers(opened.files, scale);
  const stored = tensors.find((tensor) => tensor.quantization !== null && tensor.name === name);
  return stored?.quantization?.scale ?? [];
}

import { expect, test } from 'vitest';
import { Session } from '../../../electron/engine/session.ts';
import { findPreset } from '../../../shared/recipe.ts';
import { testPool } from '../../helpers/engine.ts';
import { safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

/** Tensors of very many scales: these are handed over by the worker as typed arrays. */
const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;
const ROWS = 100_000;

/** Row r holds r + 1 and -1. */
const rows = Float32Array.from({ length: 2 * ROWS }, (_, at) => (at % 2 === 0 ? at / 2 + 1 : -1));
const bytes = safetensorsFile({
  'a.weight': { dtype: 'F32', shape: [ROWS, 2], bytes: new Uint8Array(rows.buffer) },
});

test('scales of 100,000 channels come as typed arrays, and stay whole however often they are asked for', async () => {
  const session = Session.open(writeFile(folder, bytes, 'long.safetensors'), pool);
  const int8 = { ...findPreset('int8')!, minElements: 0 };
  const wanted = Float64Array.from({ length: ROWS }, (_, row) => Math.fround((row + 1) / 127));
  for (let turn = 0; turn < 2; turn++) {
    const { reports } = await session.analyze(int8, { signal });
    expect(reports[0]!.scale).toEqual(wanted);
    expect(reports[0]!.zeroPoint).toEqual(new Int32Array(ROWS));
    const detail = await session.inspect(0, [int8, null], 16, signal);
    expect(detail.a!.report.scale).toEqual(wanted);
    expect(detail.channels!.max.length).toBe(ROWS);
    expect(detail.channels!.max[ROWS - 1]).toBe(ROWS);
    expect(detail.channels!.min[ROWS - 1]).toBe(-1);
    expect(detail.a!.channelSqnrDb!.length).toBe(ROWS);
  }
  session.close();
});

test('asymmetric zero points of 100,000 channels are those of each channel', async () => {
  const session = Session.open(writeFile(folder, bytes, 'zero.safetensors'), pool);
  const recipe = findPreset('int8')!;
  const uint8 = {
    ...recipe,
    minElements: 0,
    default: { ...recipe.default!, dtype: 'uint8', symmetric: false } as const,
  };
  const { reports } = await session.analyze(uint8, { signal });
  const { scale, zeroPoint } = reports[0]!;
  expect(zeroPoint).toBeInstanceOf(Int32Array);
  const few = [1, 2, 99, ROWS - 1];
  expect(few.map((row) => scale[row])).toEqual(few.map((row) => Math.fround((row + 2) / 255)));
  expect(few.map((row) => zeroPoint[row])).toEqual([85, 64, 3, 0]);
  session.close();
});

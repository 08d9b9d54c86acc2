import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { LitertModel } from '../../../electron/engine/runtime/litert/litert-model.ts';
import { Session } from '../../../electron/engine/session.ts';
import { findPreset } from '../../../shared/presets.ts';
import { RUNTIME_SCRIPT, testPool } from '../../helpers/engine.ts';
import { i8, table } from '../../helpers/flatbuffer.ts';
import { bytesOf, litertModel, type OperatorSpec } from '../../helpers/litert-model.ts';
import { list, plainModel, type Plain } from '../../helpers/litert-tree.ts';
import { sameRanges } from '../../helpers/ranges.ts';
import { dense, other, SMALL_BIAS, SMALL_WEIGHT, smallModel } from '../../helpers/small-litert.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool(1);
const signal = new AbortController().signal;

/** Open a small model of operators, export it in full integer, and tell of both. */
const exported = (operators: readonly OperatorSpec[], preset?: string) =>
  exportedFile(smallModel(operators), preset);

async function exportedFile(model: Uint8Array, preset = 'litert-full-integer') {
  const session = Session.open(writeFile(folder, model, 'a.tflite'), pool);
  session.useRanges(sameRanges(session));
  const recipe = findPreset(preset)!;
  const file = path.join(folder, 'b.tflite');
  await session.export(recipe, 'static', file, { signal, overwrite: true });
  const plan = session.plan(recipe, 'static');
  session.close();
  const root = plainModel(file);
  const codes = list(root, 'operator_codes').map((code) => code['builtin_code']);
  const graph = list(root, 'subgraphs')[0]!;
  const written = list(graph, 'operators').map((operator) => ({
    code: codes[(operator['opcode_index'] ?? 0) as number] ?? 0,
    options: operator['builtin_options'] as Plain | undefined,
  }));
  return { file, plan, written };
}

const FULLY_CONNECTED = 9;
const DEQUANTIZE = 6;
const QUANTIZE = 114;
const ADD = 0;
const sum = (inputs: number[], outputs: number[]): OperatorSpec => ({
  ...other('ADD', inputs, outputs),
  options: [11, table({ 0: i8(0) })],
});

test('a RELU behind an operator that makes its input for it alone is fused into that', async () => {
  const { file, plan, written } = await exported([dense(), other('RELU', [3], [4])]);
  expect(plan.operators).toMatchObject([{ isInteger: true }, { isInteger: true, fusedInto: 0 }]);
  // The value between them has no codes: those of x and z are left.
  expect(plan.activations.map(({ value }) => value)).toEqual([0, 2]);
  expect(written.map(({ code }) => code)).toEqual([QUANTIZE, FULLY_CONNECTED, DEQUANTIZE]);
  expect(written[1]!.options).toMatchObject({ fused_activation_function: 1 });

  const opened = openModel(file);
  opened.close();
  const model = await LitertModel.load(file, opened.runHints!, path.dirname(RUNTIME_SCRIPT));
  // On the grid of the input's codes.
  const x = Float32Array.from({ length: 16 }, (_, at) => ((at * 37) % 120) * (5 / 255) - 1);
  const found = await model.run({ x: { type: 'float32', dims: [4, 4], data: x } });
  await model.release();
  const wanted = Array.from({ length: 16 }, (_, at) => {
    const [row, column] = [Math.floor(at / 4), at % 4];
    let total = SMALL_BIAS[column]!;
    for (let k = 0; k < 4; k++) total += x[row * 4 + k]! * SMALL_WEIGHT[column * 4 + k]!;
    return Math.min(3, Math.max(0, total));
  });
  expect(wanted.filter((value) => value === 0).length).toBeGreaterThan(2);
  const data = [...found.values()][0]!.data as Float32Array;
  for (const [at, value] of wanted.entries())
    expect(Math.abs(data[at]! - value)).toBeLessThan(0.05);
});

test('a RELU6 is fused into an ADD, of int16 operands of any scale too', async () => {
  const operators = [sum([0, 0], [3]), other('RELU6', [3], [4])];
  const { written } = await exported(operators);
  expect(written[1]!.options).toMatchObject({ fused_activation_function: 3 });
  const wide = await exported(operators, 'litert-16x8');
  expect(wide.written[1]!.options).toMatchObject({
    ...{ fused_activation_function: 3, pot_scale_int16: 0 },
  });
});

test.each<[string, OperatorSpec[], number[]?]>([
  ['the value is an output as well', [dense(), other('RELU', [3], [4])], [3, 4]],
  ['another operator takes it', [dense(), other('RELU', [3], [4]), other('TANH', [3], [4])]],
  ['the operator before clips already', [dense([0, 1, 2], [3], 1), other('RELU', [3], [4])]],
  ['the operator before fuses nothing', [other('TANH', [0], [3]), other('RELU', [3], [4])]],
  ['the value is an input', [other('RELU', [0], [4])]],
])('a RELU stays by itself where %s', (_, operators, outputs) => {
  const session = Session.open(
    writeFile(folder, smallModel(operators, {}, [], outputs), 'c.tflite'),
    pool,
  );
  session.useRanges(sameRanges(session));
  const plan = session.plan(findPreset('litert-full-integer')!, 'static');
  session.close();
  expect(plan.operators.filter(({ fusedInto }) => fusedInto !== undefined)).toEqual([]);
});

describe('a bias that is added as codes as well is restored for nothing', () => {
  test('of float32', async () => {
    const { written } = await exported([dense(), sum([3, 2], [4])]);
    expect(written.map(({ code }) => code)).toEqual([QUANTIZE, FULLY_CONNECTED, ADD, DEQUANTIZE]);
  });

  test('of float16', async () => {
    const tensors = ['x', 'w', 'half', 'b', 'y', 'z'].map((name, at) => ({
      ...{ name, shape: name === 'half' || name === 'b' ? [4] : [4, 4] },
      ...(at === 1 || at === 2 ? { buffer: at } : {}),
      ...(name === 'half' ? { type: 'FLOAT16' as const } : {}),
    }));
    const operators = [other('DEQUANTIZE', [2], [3]), dense([0, 1, 3], [4]), sum([4, 3], [5])];
    const { bytes } = litertModel({
      graphs: [{ tensors, operators, inputs: [0], outputs: [5] }],
      buffers: [bytesOf(SMALL_WEIGHT), bytesOf(Uint16Array.of(0x3c00, 0x3800, 0xb800, 0x4000))],
    });
    const { written } = await exportedFile(bytes);
    expect(written.map(({ code }) => code)).toEqual([QUANTIZE, FULLY_CONNECTED, ADD, DEQUANTIZE]);
  });
});

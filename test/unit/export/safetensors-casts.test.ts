import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bfloat16Bits } from '../../../shared/bfloat16.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { float32Values, floats, rawFile, type TestTensor } from '../../helpers/safetensors.ts';
import { SafetensorsExporter } from '../../helpers/safetensors-export.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const pool = testPool();
const exporter = new SafetensorsExporter(pool, temporaryFolder());
const integers: TestTensor = { dtype: 'I64', shape: [3], bytes: new Uint8Array(24).fill(7) };
const odd: TestTensor = { dtype: 'U8', shape: [3], bytes: Uint8Array.of(1, 2, 3) };

describe('casts', () => {
  test('are plain tensors of the same names and shapes; everything else is byte for byte the same', async () => {
    const tensors = {
      odd,
      'fc.weight': floats([64, 32]),
      'fc.bias': floats([64], 2),
      position_ids: integers,
    };
    const { file } = await exporter.single(tensors, recipe('bfloat16'), 'float', {
      format: 'pt',
      note: 'ü',
    });
    expect(file.metadata).toEqual({
      format: 'pt',
      note: 'ü',
      'quantscope.recipe': JSON.stringify(recipe('bfloat16')),
      'quantscope.version': expect.stringMatching(/^\d+\.\d+\.\d+/) as unknown,
    });
    expect(Object.keys(file.tensors).sort()).toEqual(Object.keys(tensors).sort());
    const { dtype, shape, bytes } = file.tensors['fc.weight']!;
    expect([dtype, shape]).toEqual(['BF16', [64, 32]]);
    const bits = Array.from(float32Values(tensors['fc.weight']), bfloat16Bits);
    expect(Array.from(new Uint16Array(bytes.slice().buffer))).toEqual(bits);
    for (const name of ['odd', 'fc.bias', 'position_ids'] as const)
      expect(file.tensors[name]).toMatchObject(tensors[name]);
  });

  test('lie at multiples of their element’s size, behind a header padded to 8', async () => {
    const tensors = {
      odd,
      'fc.weight': floats([33, 63]),
      position_ids: integers,
      'fc.bias': floats([33]),
    };
    const { file } = await exporter.single(tensors, recipe('float16'));
    const widths: Record<string, number> = { I64: 8, F32: 4, F16: 2, U8: 1 };
    expect(file.dataStart % 8).toBe(0);
    for (const { dtype, begin } of Object.values(file.tensors))
      expect(begin % widths[dtype]!).toBe(0);
    expect(Object.values(file.tensors).map(({ dtype }) => dtype)).toEqual([
      'I64',
      'F32',
      'F16',
      'U8',
    ]);
  });

  test.each([
    ['float8_e4m3fn', 'F8_E4M3'],
    ['float8_e5m2', 'F8_E5M2'],
  ] as const)('to %s are %s', async (dtype, name) => {
    const wanted = recipe('float16', { default: { ...recipe('float16').default!, dtype } });
    const { file, out } = await exporter.single({ 'fc.weight': floats([64, 64]) }, wanted, 'float');
    expect([file.tensors['fc.weight']!.dtype, file.tensors['fc.weight']!.bytes.length]).toEqual([
      name,
      4096,
    ]);
    expect(fs.statSync(out).size).toBeLessThan(4096 + 1000);
  });

  test('are all that the float mode does', async () => {
    const { file, refused, source, out } = await exporter.single(
      { 'fc.weight': floats([64, 64]) },
      recipe('int8'),
      'float',
    );
    expect(refused).toEqual(['the float mode stores float types only, not int8']);
    expect(file.tensors['fc.weight']!.dtype).toBe('F32');
    expect(fs.readFileSync(out).equals(fs.readFileSync(source))).toBe(true);
  });

  test('of all floats are what model.to(dtype) makes of a checkpoint: biases and norms too, rules kept', async () => {
    const tensors = {
      'fc.weight': floats([64, 64]),
      'fc.bias': floats([64], 2),
      'norm.weight': floats([64], 3),
      logit_scale: floats([]),
      half: { dtype: 'F16', shape: [2], bytes: new Uint8Array(4) },
      position_ids: integers,
      'head.weight': floats([8, 64], 4),
    };
    const wanted = recipe('bfloat16', { rules: [{ match: { name: '^head' }, scheme: null }] });
    const { file, quantized, refused } = await exporter.single(tensors, wanted, 'cast');
    const dtypes = Object.entries(file.tensors).map(([name, { dtype }]) => [name, dtype]);
    expect(Object.fromEntries(dtypes)).toEqual({
      'fc.weight': 'BF16',
      'fc.bias': 'BF16',
      'norm.weight': 'BF16',
      logit_scale: 'BF16',
      half: 'F16',
      position_ids: 'I64',
      'head.weight': 'F32',
    });
    expect(Array.from(new Uint16Array(file.tensors['norm.weight']!.bytes.buffer))).toEqual(
      Array.from(float32Values(tensors['norm.weight']), bfloat16Bits),
    );
    expect([quantized, refused]).toEqual([
      4,
      ['kept by a rule', 'int64, not a float tensor', 'not known to be a weight'],
    ]);
    const integer = await exporter.single(
      { 'fc.weight': floats([64, 64]) },
      recipe('int8'),
      'cast',
    );
    expect(integer.refused).toEqual(['the cast mode stores float types only, not int8']);
  });

  test('that save less than their description takes change nothing', async () => {
    const tensors = { 'fc.weight': floats([4]) };
    const { file, refused } = await exporter.single(tensors, recipe('float16'), 'cast');
    expect(file.tensors['fc.weight']).toMatchObject(tensors['fc.weight']);
    expect(refused).toEqual(['the whole export would be at least as large as its source']);
  });

  test('keep members that the format does not know', async () => {
    const { bytes } = floats([64, 64]);
    const header = `{"w.weight":{"dtype":"F32","note":{"a": [1.50]},"shape":[64,64],"data_offsets":[0,${bytes.length}]}}`;
    const where = exporter.folderOf({ 'm.safetensors': rawFile(header, bytes) });
    const { out } = await exporter.export(
      path.join(where, 'm.safetensors'),
      recipe('float16'),
      'qdq',
      'o.safetensors',
    );
    expect(fs.readFileSync(out).toString('latin1')).toContain(
      '"w.weight":{"dtype":"F16","shape":[64,64],"data_offsets":[0,8192],"note":{"a": [1.50]}}',
    );
  });
});

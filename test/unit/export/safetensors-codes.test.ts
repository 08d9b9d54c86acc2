import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import {
  float32Values,
  floats,
  parseFile,
  safetensorsFile,
  type TestTensor,
} from '../../helpers/safetensors.ts';
import { SafetensorsExporter } from '../../helpers/safetensors-export.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const pool = testPool();
const exporter = new SafetensorsExporter(pool, temporaryFolder());
const never = new AbortController().signal;
const odd: TestTensor = { dtype: 'U8', shape: [3], bytes: Uint8Array.of(1, 2, 3) };

describe('codes', () => {
  test('of 8 bits keep the name; their scales stand beside them and restore the weight', async () => {
    const weight = floats([32, 64]);
    const { file } = await exporter.single({ 'fc.weight': weight }, recipe('int8'));
    const [codes, scale] = ['', '_scale'].map((end) => file.tensors[`fc.weight${end}`]!);
    // As in compressed-tensors, a symmetric scheme stores no zero points.
    expect(Object.keys(file.tensors).sort()).toEqual(['fc.weight', 'fc.weight_scale']);
    expect([codes!.dtype, codes!.shape]).toEqual(['I8', [32, 64]]);
    expect([scale!.dtype, scale!.shape]).toEqual(['F32', [32, 1]]);
    expect(JSON.parse(file.metadata['quantscope.quantization']!)).toEqual({
      'fc.weight': {
        dtype: 'int8',
        shape: [32, 64],
        codes: 'fc.weight',
        scale: 'fc.weight_scale',
        axis: 0,
      },
    });
    const scales = float32Values(scale!);
    const values = float32Values(weight);
    for (const [index, code] of new Int8Array(codes!.bytes.slice().buffer).entries()) {
      const step = scales[Math.floor(index / 64)]!;
      expect(Math.abs(code * step - values[index]!)).toBeLessThanOrEqual(step / 2 + 1e-6);
    }
  });

  test('of a Conv1D have their scales along its last axis', async () => {
    const { file } = await exporter.single(
      { 'c_attn.weight': floats([32, 96]), 'c_attn.bias': floats([96]) },
      recipe('int8'),
    );
    expect(file.tensors['c_attn.weight_scale']!.shape).toEqual([1, 96]);
  });

  test('of 4 bits are two to a byte, the first low; their shape says so', async () => {
    const weight = floats([32, 64]);
    const { file } = await exporter.single({ 'fc.weight': weight }, recipe('int4-block32'));
    const packed = file.tensors['fc.weight_packed']!;
    expect(file.tensors['fc.weight']).toBeUndefined();
    expect([packed.dtype, packed.shape]).toEqual(['U8', [32, 32]]);
    expect(file.tensors['fc.weight_scale']!.shape).toEqual([32, 2]);
    expect(file.tensors['fc.weight_zero_point']).toBeUndefined();
    const scales = float32Values(file.tensors['fc.weight_scale']!);
    const values = float32Values(weight);
    for (let index = 0; index < values.length; index++) {
      const nibble = (packed.bytes[index >> 1]! >> (index % 2 === 0 ? 0 : 4)) & 15;
      const step = scales[Math.floor(index / 32)]!;
      expect(Math.abs(((nibble << 28) >> 28) * step - values[index]!)).toBeLessThanOrEqual(
        step / 2 + 1e-6,
      );
    }
  });

  test('of 32 bits with zero points store them, without which they mean something else', async () => {
    const values = Float64Array.from({ length: 4096 }, (_, index) => 1 + index / 4096);
    const weight = { dtype: 'F64', shape: [64, 64], bytes: new Uint8Array(values.buffer) };
    const scheme = { ...recipe('int8-tensor').default!, dtype: 'int32', symmetric: false } as const;
    const wanted = recipe('int8', { default: scheme });
    const { file } = await exporter.single({ 'fc.weight': weight }, wanted);
    const [scale] = float32Values(file.tensors['fc.weight_scale']!);
    const zeroPoint = file.tensors['fc.weight_zero_point']!;
    expect([zeroPoint.dtype, zeroPoint.shape]).toEqual(['I32', [1]]);
    const read = (bytes: Uint8Array): Int32Array => new Int32Array(bytes.slice().buffer);
    const codes = read(file.tensors['fc.weight']!.bytes);
    const restored = (codes[4095]! - read(zeroPoint.bytes)[0]!) * scale!;
    expect(Math.abs(restored - values[4095]!)).toBeLessThan(1e-6);
  });

  test('of 4 bits in rows of odd length are one row of bytes', async () => {
    const { file } = await exporter.single(
      { 'fc.weight': floats([41, 63]) },
      recipe('uint4-block32'),
    );
    expect(file.tensors['fc.weight_packed']!.shape).toEqual([Math.ceil((41 * 63) / 2)]);
    expect(file.tensors['fc.weight_zero_point']!.shape).toEqual([41]);
    expect(JSON.parse(file.metadata['quantscope.quantization']!)).toMatchObject({
      'fc.weight': { dtype: 'uint4', shape: [41, 63], axis: 1, block_size: 32 },
    });
  });

  test('take no name that is taken', async () => {
    const { file } = await exporter.single(
      {
        'fc.weight': floats([64, 64]),
        'fc.weight_scale': floats([2]),
        'fc.weight_zero_point': odd,
      },
      recipe('uint8'),
    );
    expect(Object.keys(file.tensors).sort()).toEqual([
      'fc.weight',
      'fc.weight_scale',
      'fc.weight_scale_1',
      'fc.weight_zero_point',
      'fc.weight_zero_point_1',
    ]);
    expect(file.tensors['fc.weight_scale']).toMatchObject(floats([2]));
  });

  test.each(['int8', 'uint8', 'int8-tensor', 'int4-block32', 'uint4-block32', 'q7'])(
    'as %s are shown with their scales when the export is opened, and not quantized twice',
    async (name) => {
      const tensors = { 'a.weight': floats([64, 64]), '__proto__.weight': floats([48, 64], 3) };
      const { out } = await exporter.single(tensors, recipe(name));
      const source = Session.open(out, pool);
      const original = exporter.folderOf({ 'm.safetensors': safetensorsFile(tensors) });
      const first = Session.open(path.join(original, 'm.safetensors'), pool);
      const { reports } = await first.analyze(recipe(name), { signal: never });
      for (const { tensor, scale, zeroPoint } of reports) {
        const weight = first.tensors[tensor]!;
        const codes = source.tensors.find(
          (each) => each.name.replace('_packed', '') === weight.name,
        )!;
        expect(codes).toMatchObject({
          shape: weight.shape,
          role: 'weight',
          op: 'Linear',
          layer: weight.layer,
        });
        expect(codes.quantization!.scale).toEqual(Array.from(scale, Math.fround));
        expect(codes.quantization!.zeroPoint).toEqual(zeroPoint);
      }
      const again = await exporter.export(
        out,
        recipe('int8', { minElements: 0 }),
        'qdq',
        'again.safetensors',
      );
      expect(again.quantized).toBe(0);
      expect(fs.readFileSync(again.out).equals(fs.readFileSync(out))).toBe(true);
      first.close();
      source.close();
    },
  );

  test('of an export stay described when it is quantized further', async () => {
    const tensors = { 'a.weight': floats([64, 64]), 'b.weight': floats([64, 64], 2) };
    const only = recipe('int8', { rules: [{ match: { name: '^b' }, scheme: null }] });
    const { out } = await exporter.single(tensors, only);
    const again = await exporter.export(out, recipe('int4-block32'), 'qdq', 'again.safetensors');
    const { metadata } = parseFile(fs.readFileSync(again.out));
    expect(JSON.parse(metadata['quantscope.quantization']!)).toMatchObject({
      'a.weight': { dtype: 'int8' },
      'b.weight': { dtype: 'int4' },
    });
  });

  test('that a description does not fit are shown as what is stored', () => {
    const fit = { dtype: 'int8', shape: [2, 4], codes: 'w', scale: 's', axis: 0 };
    const wrong = [
      { ...fit, shape: [2, 5] },
      { ...fit, dtype: 'int16' },
      { ...fit, dtype: '__proto__' },
      { ...fit, axis: 2 },
      { ...fit, axis: 1 },
      { ...fit, scale: 'none' },
      { ...fit, codes: 7 },
      { ...fit, axis: null },
      { ...fit, block_size: 0 },
      { ...fit, zero_point: 's' },
      null,
      'x',
      { ...fit, shape: [2 ** 40, 2 ** 40] },
    ];
    const tensors = { w: { dtype: 'I8', shape: [2, 4], bytes: new Uint8Array(8) }, s: floats([2]) };
    const quantizationOf = (text: string) => {
      const where = exporter.folderOf({
        'm.safetensors': safetensorsFile(tensors, { 'quantscope.quantization': text }),
      });
      const session = Session.open(path.join(where, 'm.safetensors'), pool);
      session.close();
      return session.tensors.find(({ name }) => name === 'w')!.quantization;
    };
    expect(quantizationOf(JSON.stringify({ x: fit }))).toMatchObject({
      zeroPoint: [0, 0],
      axis: 0,
    });
    for (const entry of wrong) expect(quantizationOf(JSON.stringify({ x: entry }))).toBeNull();
    for (const text of ['', '[]', '[1]', 'null', '{', '7']) expect(quantizationOf(text)).toBeNull();
  });

  test('named as compressed-tensors names them are shown with their scales', () => {
    const codes = { dtype: 'I8', shape: [4, 64], bytes: new Uint8Array(256) };
    const where = exporter.folderOf({
      'm.safetensors': safetensorsFile({
        'a.weight': codes,
        'a.weight_scale': floats([4, 1]),
        'a.weight_zero_point': { ...codes, shape: [4, 1], bytes: Uint8Array.of(1, 2, 3, 4) },
        'b.weight': { ...codes, dtype: 'F8_E4M3' },
        'b.weight_scale': floats([1]),
        'c.weight': codes,
        'c.weight_scale': floats([4, 2]),
        'd.weight': codes,
        'd.weight_scale': floats([3]),
      }),
    });
    const session = Session.open(path.join(where, 'm.safetensors'), pool);
    session.close();
    const of = (name: string) => session.tensors.find((each) => each.name === name)!.quantization;
    expect(of('a.weight')).toMatchObject({ axis: 0, blockSize: null, zeroPoint: [1, 2, 3, 4] });
    expect(of('b.weight')).toMatchObject({ axis: null, blockSize: null, zeroPoint: [0] });
    expect(of('c.weight')).toMatchObject({ axis: 1, blockSize: 32 });
    expect(of('d.weight')).toBeNull();
  });
});

import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { suggestedFileName } from '../../../shared/formats.ts';
import type { ExportMode } from '../../../shared/protocol.ts';
import type { Recipe } from '../../../shared/recipe.ts';
import { AtomicFile, commitAll } from '../../../electron/engine/export/atomic-file.ts';
import { bfloat16Bits } from '../../../electron/engine/quantize/bfloat16.ts';
import { runBeside } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import {
  float32Values,
  floats,
  parseFile,
  rawFile,
  safetensorsFile,
  type TestTensor,
} from '../../helpers/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;
let count = 0;

/** A new folder with files in it. */
function folderOf(files: Readonly<Record<string, Uint8Array | string>>): string {
  const made = path.join(folder, `case-${count++}`);
  fs.mkdirSync(made);
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(made, name), bytes);
  return made;
}

function digests(where: string): Record<string, string> {
  const digest = (name: string): string =>
    crypto
      .createHash('sha256')
      .update(fs.readFileSync(path.join(where, name)))
      .digest('hex');
  return Object.fromEntries(
    fs
      .readdirSync(where)
      .sort()
      .map((name) => [name, digest(name)]),
  );
}

/** Export, holding the sizes against the preview, the source against its digest, and the folder against leftovers. */
async function exported(
  source: string,
  wanted: Recipe,
  mode: ExportMode,
  outName: string,
): Promise<{ out: string; folder: string; refused: string[]; quantized: number }> {
  const sourceFolder = path.dirname(source);
  const before = digests(sourceFolder);
  const target = folderOf({});
  const session = Session.open(source, pool);
  try {
    const preview = await session.previewExport(wanted, mode, { signal: never });
    const out = path.join(target, outName);
    const result = await session.export(wanted, mode, out, { signal: never });
    const sizes = fs.readdirSync(target).map((name) => fs.statSync(path.join(target, name)).size);
    expect(sizes.reduce((a, b) => a + b, 0)).toBe(result.bytesAfter);
    expect(result.bytesAfter).toBeLessThanOrEqual(result.bytesBefore);
    expect(digests(sourceFolder)).toEqual(before);
    expect(fs.readdirSync(target).filter((name) => name.startsWith('.'))).toEqual([]);
    return {
      out,
      folder: target,
      refused: preview.kept.map((group) => group.reason),
      quantized: result.quantized,
    };
  } finally {
    session.close();
  }
}

async function single(
  tensors: Readonly<Record<string, TestTensor>>,
  wanted: Recipe,
  mode: ExportMode = 'qdq',
  metadata?: Readonly<Record<string, string>>,
) {
  const where = folderOf({ 'model.safetensors': safetensorsFile(tensors, metadata) });
  const source = path.join(where, 'model.safetensors');
  const made = await exported(source, wanted, mode, 'out.safetensors');
  return { ...made, source, file: parseFile(fs.readFileSync(made.out)) };
}

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
    const { file } = await single(tensors, recipe('bfloat16'), 'float', {
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
    const { file } = await single(tensors, recipe('float16'));
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
    const { file, out } = await single({ 'fc.weight': floats([64, 64]) }, wanted, 'float');
    expect([file.tensors['fc.weight']!.dtype, file.tensors['fc.weight']!.bytes.length]).toEqual([
      name,
      4096,
    ]);
    expect(fs.statSync(out).size).toBeLessThan(4096 + 1000);
  });

  test('are all that the float mode does', async () => {
    const { file, refused, source, out } = await single(
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
    const { file, quantized, refused } = await single(tensors, wanted, 'cast');
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
    const integer = await single({ 'fc.weight': floats([64, 64]) }, recipe('int8'), 'cast');
    expect(integer.refused).toEqual(['the cast mode stores float types only, not int8']);
  });

  test('keep members that the format does not know', async () => {
    const { bytes } = floats([64, 64]);
    const header = `{"w.weight":{"dtype":"F32","note":{"a": [1.50]},"shape":[64,64],"data_offsets":[0,${bytes.length}]}}`;
    const where = folderOf({ 'm.safetensors': rawFile(header, bytes) });
    const { out } = await exported(
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

describe('codes', () => {
  test('of 8 bits keep the name; scales and zero points stand beside them and restore the weight', async () => {
    const weight = floats([32, 64]);
    const { file } = await single({ 'fc.weight': weight }, recipe('int8'));
    const [codes, scale, zeroPoint] = ['', '_scale', '_zero_point'].map(
      (end) => file.tensors[`fc.weight${end}`]!,
    );
    expect([codes!.dtype, codes!.shape]).toEqual(['I8', [32, 64]]);
    expect([scale!.dtype, scale!.shape]).toEqual(['F32', [32, 1]]);
    expect([zeroPoint!.dtype, zeroPoint!.shape]).toEqual(['I8', [32, 1]]);
    expect(JSON.parse(file.metadata['quantscope.quantization']!)).toEqual({
      'fc.weight': {
        dtype: 'int8',
        shape: [32, 64],
        codes: 'fc.weight',
        scale: 'fc.weight_scale',
        zero_point: 'fc.weight_zero_point',
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
    const { file } = await single(
      { 'c_attn.weight': floats([32, 96]), 'c_attn.bias': floats([96]) },
      recipe('int8'),
    );
    expect(file.tensors['c_attn.weight_scale']!.shape).toEqual([1, 96]);
  });

  test('of 4 bits are two to a byte, the first low; their shape says so', async () => {
    const weight = floats([32, 64]);
    const { file } = await single({ 'fc.weight': weight }, recipe('int4-block32'));
    const packed = file.tensors['fc.weight_packed']!;
    expect(file.tensors['fc.weight']).toBeUndefined();
    expect([packed.dtype, packed.shape]).toEqual(['U8', [32, 32]]);
    expect(file.tensors['fc.weight_scale']!.shape).toEqual([32, 2]);
    expect(file.tensors['fc.weight_zero_point']!.shape).toEqual([32]);
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

  test('of 4 bits in rows of odd length are one row of bytes', async () => {
    const { file } = await single({ 'fc.weight': floats([41, 63]) }, recipe('uint4-block32'));
    expect(file.tensors['fc.weight_packed']!.shape).toEqual([Math.ceil((41 * 63) / 2)]);
    expect(JSON.parse(file.metadata['quantscope.quantization']!)).toMatchObject({
      'fc.weight': { dtype: 'uint4', shape: [41, 63], axis: 1, block_size: 32 },
    });
  });

  test('take no name that is taken', async () => {
    const { file } = await single(
      {
        'fc.weight': floats([64, 64]),
        'fc.weight_scale': floats([2]),
        'fc.weight_zero_point': odd,
      },
      recipe('int8'),
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
      const { out } = await single(tensors, recipe(name));
      const source = Session.open(out, pool);
      const original = folderOf({ 'm.safetensors': safetensorsFile(tensors) });
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
        expect(codes.quantization!.scale).toEqual(scale.map(Math.fround));
        expect(codes.quantization!.zeroPoint).toEqual(zeroPoint);
      }
      const again = await exported(
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
    const { out } = await single(tensors, only);
    const again = await exported(out, recipe('int4-block32'), 'qdq', 'again.safetensors');
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
      const where = folderOf({
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
    const where = folderOf({
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

describe('a sharded set', () => {
  const INDEX = 'model.safetensors.index.json';
  const one = safetensorsFile(
    { 'a.weight': floats([64, 64]), 'a.bias': floats([64]) },
    { format: 'pt' },
  );
  const two = safetensorsFile({ 'b.weight': floats([64, 64], 2) }, { format: 'pt' });
  const map = {
    'a.weight': 'x1.safetensors',
    'a.bias': 'x1.safetensors',
    'b.weight': 'x2.safetensors',
  };
  const set = () =>
    folderOf({
      'x1.safetensors': one,
      'x2.safetensors': two,
      [INDEX]: JSON.stringify({
        metadata: { total_size: 33024, total_parameters: 8256 },
        weight_map: map,
        made: { by: 'x' },
      }),
    });
  type Index = {
    metadata: Record<string, unknown>;
    weight_map: Record<string, string>;
    made: unknown;
  };

  test('comes out as a set, its index right', async () => {
    const made = await exported(
      path.join(set(), INDEX),
      recipe('int8'),
      'qdq',
      'small.safetensors.index.json',
    );
    const index = JSON.parse(fs.readFileSync(made.out, 'utf8')) as Index;
    const [first, second] = [
      'small-00001-of-00002.safetensors',
      'small-00002-of-00002.safetensors',
    ] as const;
    expect(fs.readdirSync(made.folder).sort()).toEqual([
      first,
      second,
      'small.safetensors.index.json',
    ]);
    expect(index.made).toEqual({ by: 'x' });
    expect(index.weight_map).toEqual({
      'a.bias': first,
      'a.weight': first,
      'a.weight_scale': first,
      'a.weight_zero_point': first,
      'b.weight': second,
      'b.weight_scale': second,
      'b.weight_zero_point': second,
    });
    const shards = [first, second].map((name) =>
      parseFile(fs.readFileSync(path.join(made.folder, name))),
    );
    const total = shards
      .flatMap(({ tensors }) => Object.values(tensors))
      .reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(index.metadata).toMatchObject({ total_size: total, total_parameters: 8256 });
    const session = Session.open(made.folder, pool);
    session.close();
    expect(
      session.tensors.filter(({ quantization }) => quantization !== null).map(({ name }) => name),
    ).toEqual(['a.weight', 'b.weight']);
  });

  test('weighs what its preview says, to the byte, under the name that is suggested', async () => {
    const where = set();
    const session = Session.open(where, pool);
    const preview = await session.previewExport(recipe('int8'), 'qdq', { signal: never });
    const name = suggestedFileName(path.basename(where), 'int8', session.summary().extension);
    const out = path.join(folderOf({}), name);
    const result = await session.export(recipe('int8'), 'qdq', out, { signal: never });
    session.close();
    expect(result.bytesAfter).toBe(preview.bytesAfter);
  });

  test('keeps shards that the plan does not touch byte for byte', async () => {
    const only = recipe('int8', { rules: [{ match: { name: '^b' }, scheme: null }] });
    const made = await exported(path.join(set(), INDEX), only, 'qdq', 'm.safetensors.index.json');
    expect(
      fs
        .readFileSync(path.join(made.folder, 'm-00002-of-00002.safetensors'))
        .equals(Buffer.from(two)),
    ).toBe(true);
  });

  test('becomes one file where the target is named so', async () => {
    const made = await exported(path.join(set(), INDEX), recipe('int8'), 'qdq', 'all.safetensors');
    const { tensors, metadata } = parseFile(fs.readFileSync(made.out));
    expect(Object.keys(tensors)).toHaveLength(7);
    expect(Object.keys(JSON.parse(metadata['quantscope.quantization']!) as object)).toEqual([
      'a.weight',
      'b.weight',
    ]);
    expect(metadata['format']).toBe('pt');
    expect(tensors['a.bias']).toMatchObject(floats([64]));
  });

  test('is refused a target that is no set, that is itself, or whose shards are its own', async () => {
    const where = set();
    const session = Session.open(where, pool);
    const write = (name: string) =>
      session.export(recipe('int8'), 'qdq', path.join(where, name), { signal: never });
    const before = digests(where);
    await expect(write('x.bin')).rejects.toMatchObject({ code: 'TARGET' });
    await expect(write(INDEX)).rejects.toMatchObject({ code: 'TARGET' });
    fs.linkSync(
      path.join(where, 'x1.safetensors'),
      path.join(where, 'y-00001-of-00002.safetensors'),
    );
    await expect(write('y.safetensors.index.json')).rejects.toMatchObject({ code: 'TARGET' });
    fs.rmSync(path.join(where, 'y-00001-of-00002.safetensors'));
    expect(digests(where)).toEqual(before);
    session.close();
  });

  test('of one file is refused', async () => {
    const where = folderOf({ 'm.safetensors': one });
    const session = Session.open(path.join(where, 'm.safetensors'), pool);
    await expect(
      session.export(recipe('int8'), 'qdq', path.join(where, 'o.safetensors.index.json'), {
        signal: never,
      }),
    ).rejects.toMatchObject({ code: 'TARGET' });
    expect(fs.readdirSync(where)).toEqual(['m.safetensors']);
    session.close();
  });

  test('whose shard changed since it was opened is not exported', async () => {
    const where = set();
    const session = Session.open(where, pool);
    fs.writeFileSync(path.join(where, 'x2.safetensors'), one);
    await expect(
      session.export(recipe('int8'), 'qdq', path.join(where, 'o.safetensors.index.json'), {
        signal: never,
      }),
    ).rejects.toMatchObject({ code: 'CHANGED' });
    expect(fs.readdirSync(where).sort()).toEqual([INDEX, 'x1.safetensors', 'x2.safetensors']);
    session.close();
  });
});

test('an export that would be no smaller is the source byte for byte', async () => {
  const { source, out, refused } = await single(
    { 'fc.weight': floats([4, 4]) },
    recipe('int8', { minElements: 0 }),
  );
  expect(refused).toEqual(['the whole export would be no smaller than its source']);
  expect(fs.readFileSync(out).equals(fs.readFileSync(source))).toBe(true);
});

test('NaN is counted and kept by integers, and cast by floats', async () => {
  const weight = floats([64, 64]);
  new DataView(weight.bytes.buffer).setFloat32(40, NaN, true);
  const asInteger = await single({ 'fc.weight': weight }, recipe('int8'));
  expect(asInteger.file.tensors['fc.weight']!.dtype).toBe('F32');
  const asFloat = await single({ 'fc.weight': weight }, recipe('float16'));
  expect(asFloat.file.tensors['fc.weight']!.dtype).toBe('F16');
});

test('onnxruntime is not asked to run it', async () => {
  const where = folderOf({ 'm.safetensors': safetensorsFile({ 'fc.weight': floats([4, 4]) }) });
  const file = path.join(where, 'm.safetensors');
  const session = Session.open(file, pool);
  await expect(
    runBeside(session, 'none', file, { samples: 1, seed: 0, inputs: null }, { signal: never }),
  ).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: `${file}, format: is safetensors, which onnxruntime cannot run (found safetensors, expected ONNX)`,
  });
  session.close();
});

test('files that were put in place before one that cannot be are taken away again, unless something was there before', () => {
  const where = folderOf({ 'old.bin': 'old' });
  const names = ['new.bin', 'old.bin', 'blocked.bin'];
  const files = names.map((name) => new AtomicFile(path.join(where, name), []));
  for (const file of files) fs.writeSync(file.fd, 'new');
  fs.mkdirSync(path.join(where, 'blocked.bin'));
  expect(() => commitAll(files)).toThrow(/cannot be put in place/);
  for (const file of files) file.discard();
  expect(fs.readdirSync(where).sort()).toEqual(['blocked.bin', 'old.bin']);
});

import * as crypto from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { writeExternalModel } from '../../helpers/external-model.ts';
import { floats, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;
const feeds = { x: { shape: [2, 128], dtype: 'float32' } } as const;

async function exportTo(
  file: string,
  target: string,
  wanted = recipe('int8'),
  mode: 'qdq' | 'dynamic' = 'qdq',
): Promise<{ bytesAfter: number }> {
  const session = Session.open(file, pool);
  try {
    return await session.export(wanted, mode, target, { signal: never });
  } finally {
    session.close();
  }
}

const sums = (folderName: string): string[] =>
  fs
    .readdirSync(folderName)
    .sort()
    .map(
      (name) =>
        `${name} ${crypto
          .createHash('sha256')
          .update(fs.readFileSync(path.join(folderName, name)))
          .digest('hex')}`,
    );

describe('a model with external data', () => {
  test.each(['qdq', 'dynamic'] as const)(
    'exports as %s with one side file of its own, runs, and leaves its sources as they were',
    async (mode) => {
      const file = writeExternalModel(folder, `source-${mode}`);
      const before = sums(path.dirname(file));
      const target = path.join(folder, `target-${mode}`);
      fs.mkdirSync(target);
      const { bytesAfter } = await exportTo(
        file,
        path.join(target, 'out.onnx'),
        recipe('int8'),
        mode,
      );
      expect(fs.readdirSync(target).sort()).toEqual(['out.onnx', 'out.onnx.data']);
      const written = fs
        .readdirSync(target)
        .reduce((sum, name) => sum + fs.statSync(path.join(target, name)).size, 0);
      expect(bytesAfter).toBe(written);
      expect(written).toBeLessThan(2 * 65536 * 0.4);
      expect(sums(path.dirname(file))).toEqual(before);
      const [source, answer] = [
        await runOnnx(file, feeds),
        await runOnnx(path.join(target, 'out.onnx'), feeds),
      ];
      expect(outputSqnr(source['y']!, answer['y']!)).toBeGreaterThan(28);
    },
  );

  test('keeps what stays in float by its bytes, aligned, without the checksum of the old file', async () => {
    const file = writeExternalModel(folder, 'kept');
    await exportTo(file, path.join(folder, 'kept.onnx'));
    const decoded = onnx.ModelProto.decode(fs.readFileSync(path.join(folder, 'kept.onnx')));
    const bias = decoded.graph!.initializer!.find((tensor) => tensor.name === 'b')!;
    const entries = Object.fromEntries(
      bias.externalData!.map(({ key, value: text }) => [key!, text!]),
    );
    expect(Object.keys(entries).sort()).toEqual(['length', 'location', 'offset']);
    expect(entries).toMatchObject({ location: 'kept.onnx.data', length: '512' });
    expect(Number(entries['offset']) % 8).toBe(0);
    const bytes = fs
      .readFileSync(path.join(folder, 'kept.onnx.data'))
      .subarray(Number(entries['offset']), Number(entries['offset']) + 512);
    expect(Buffer.compare(bytes, fs.readFileSync(path.join(path.dirname(file), 'bias.bin')))).toBe(
      0,
    );
    const opened = openModel(path.join(folder, 'kept.onnx'));
    expect(
      opened.model.tensors.map((tensor) => [tensor.name, tensor.dtype, tensor.storage]),
    ).toContainEqual(['w1_quantized', 'int8', 'external']);
    opened.close();
  });

  test('refuses a target whose side file would be one of its sources', async () => {
    const file = writeExternalModel(folder, 'clash');
    const source = path.dirname(file);
    fs.renameSync(path.join(source, 'bias.bin'), path.join(source, 'out.onnx.data'));
    const bytes = fs.readFileSync(file);
    const renamed = onnx.ModelProto.decode(bytes);
    renamed.graph!.initializer![2]!.externalData![0]!.value = 'out.onnx.data';
    fs.writeFileSync(file, onnx.ModelProto.encode(renamed).finish());
    await expect(exportTo(file, path.join(source, 'out.onnx'))).rejects.toMatchObject({
      code: 'TARGET',
    });
    expect(fs.readdirSync(source).sort()).toEqual(['model.onnx', 'out.onnx.data', 'weights.bin']);
  });

  test('goes along whole when nothing is quantized', async () => {
    const file = writeExternalModel(folder, 'whole');
    await exportTo(file, path.join(folder, 'whole.onnx'), recipe('int8', { default: null }));
    const [source, answer] = [
      await runOnnx(file, feeds),
      await runOnnx(path.join(folder, 'whole.onnx'), feeds),
    ];
    expect(answer).toEqual(source);
  });

  test('copies a range that two initializers share once', async () => {
    const file = writeExternalModel(folder, 'shared-range');
    const source = onnx.ModelProto.decode(fs.readFileSync(file));
    const [first, second] = source.graph!.initializer!;
    second!.externalData = first!.externalData!;
    fs.writeFileSync(file, onnx.ModelProto.encode(source).finish());
    const target = path.join(folder, 'shared-range.onnx');
    await exportTo(file, target, recipe('int8', { default: null }));
    expect(fs.statSync(`${target}.data`).size).toBe(65536 + 512);
    expect(await runOnnx(target, feeds)).toEqual(await runOnnx(file, feeds));
  });
});

/** x W1 ... W40, each in a file of its own under a short name, of which the last is of 100 kB. */
function writeManyFiles(name: string): string {
  const source = path.join(folder, name);
  fs.mkdirSync(source);
  const sizes = Array.from({ length: 40 }, (_, at) => (at === 39 ? 200 : 6));
  const initializer = sizes.map((size, at): onnx.ITensorProto => {
    fs.writeFileSync(path.join(source, `${at}`), floats(randomValues(128 * size, at)));
    const externalData = [{ key: 'location', value: `${at}` }];
    const dims = at % 2 === 0 ? [size, 128] : [128, size];
    return { name: `w${at}`, dims, dataType: 1, dataLocation: 1, externalData };
  });
  const products = initializer
    .slice(0, 38)
    .map((_, at) =>
      node('MatMul', [at === 0 ? 'x' : `h${at - 1}`, `w${(at + 1) % 38}`], [`h${at}`]),
    );
  const graph = {
    node: [...products, node('Identity', ['h37'], ['y'])],
    initializer,
    input: [value('x', [2, 128])],
    output: [value('y', [2, 'm'])],
  };
  const file = path.join(source, 'model.onnx');
  fs.writeFileSync(file, model(graph));
  return file;
}

test('an export that quantizes nothing is no larger than a source of many files, and runs the same', async () => {
  const file = writeManyFiles('many');
  const session = Session.open(file, pool);
  const out = path.join(folder, 'a-name-much-longer-than-those-of-the-source.onnx');
  const result = await session.export(recipe('int8', { default: null }), 'qdq', out, {
    signal: never,
  });
  session.close();
  expect(result.quantized).toBe(0);
  expect(result.bytesAfter).toBeLessThanOrEqual(result.bytesBefore);
  expect(fs.existsSync(`${out}.data`)).toBe(true);
  const [before, after] = [await runOnnx(file, feeds), await runOnnx(out, feeds)];
  expect(after).toEqual(before);
});

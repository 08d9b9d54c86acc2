import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { isPartName, partsNamedAfter } from '../../../electron/engine/export/part-names.ts';
import type { ExportOptions } from '../../../electron/engine/exporting.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { writeExternalModel } from '../../helpers/external-model.ts';
import { matMulModel } from '../../helpers/onnx-model.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { digests } from '../../helpers/safetensors-export.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const signal = new AbortController().signal;
let count = 0;

/** A model with external data, and an empty folder for its exports. */
function external(): { file: string; out: string } {
  const out = path.join(folder, `out-${count}`);
  fs.mkdirSync(out);
  return { file: writeExternalModel(folder, `source-${count++}`), out };
}

async function exportTo(
  file: string,
  target: string,
  options: Partial<ExportOptions> & { recipe?: string } = {},
): Promise<void> {
  const session = Session.open(file, pool);
  try {
    await session.export(recipe(options.recipe ?? 'int8'), 'qdq', target, { signal, ...options });
  } finally {
    session.close();
  }
}

/** Names in a folder, and that its model opens with all of them. */
function expectSet(where: string, name: string, ...parts: readonly string[]): void {
  expect(fs.readdirSync(where).sort()).toEqual([name, ...parts].sort());
  const session = Session.open(path.join(where, name), pool);
  const files = session.opened.files.map((file) => path.basename(file.path)).sort();
  session.close();
  expect(files).toEqual([name, ...parts].sort());
}

describe('the names of parts', () => {
  test.each([
    ['o.onnx', 1, 'o.onnx'],
    ['o.onnx', 2, 'o-2.onnx'],
    ['net.v1.onnx', 3, 'net.v1-3.onnx'],
    ['model', 2, 'model-2'],
    ['.onnx', 2, '.onnx-2'],
    ['m.safetensors.index.json', 2, 'm-2.safetensors.index.json'],
  ])('of %s with count %i come from %s', (target, number, expected) => {
    expect(partsNamedAfter(target, number)).toBe(expected);
  });

  test.each([
    ['o.onnx', 'o.onnx.data', true],
    ['o.onnx', 'o-2.onnx.data', true],
    ['o.onnx', 'o-0.onnx.data', false],
    ['o.onnx', 'o-x.onnx.data', false],
    ['o.onnx', 'oo.onnx.data', false],
    ['o.onnx', 'weights.bin', false],
    ['m.safetensors.index.json', 'm-00001-of-00002.safetensors', true],
    ['m.safetensors.index.json', 'm-2-00001-of-00002.safetensors', true],
    ['m.safetensors.index.json', 'm2-00001-of-00002.safetensors', false],
    ['m.safetensors.index.json', 'm-00001-of-00002.bin', false],
  ])('of %s: %s is one: %s', (target, name, expected) => {
    expect(isPartName(target, name)).toBe(expected);
  });
});

describe('an export over an earlier one', () => {
  test('writes its external data under a free name and removes the old, in turn', async () => {
    const { file, out } = external();
    const target = path.join(out, 'o.onnx');
    await exportTo(file, target);
    expectSet(out, 'o.onnx', 'o.onnx.data');
    await exportTo(file, target);
    expectSet(out, 'o.onnx', 'o-2.onnx.data');
    await exportTo(file, target);
    expectSet(out, 'o.onnx', 'o.onnx.data');
  });

  test('removes its external data when the new one has none', async () => {
    const { file, out } = external();
    await exportTo(file, path.join(out, 'o.onnx'));
    const single = path.join(folder, 'single.onnx');
    fs.writeFileSync(single, matMulModel(64, 64));
    await exportTo(single, path.join(out, 'o.onnx'));
    expectSet(out, 'o.onnx');
  });

  test('keeps files that the old model names and that are not named after it, as they may be shared', async () => {
    const { file, out } = external();
    const other = writeExternalModel(folder, `old-${count}`);
    await exportTo(file, other);
    expect(fs.readdirSync(path.dirname(other)).sort()).toEqual([
      'bias.bin',
      'model.onnx',
      'model.onnx.data',
      'weights.bin',
    ]);
    expect(fs.readdirSync(out)).toEqual([]);
  });

  test('replaces all shards of a sharded set', async () => {
    const where = path.join(folder, `set-${count++}`);
    fs.mkdirSync(where);
    const INDEX = 'model.safetensors.index.json';
    const weightMap: Record<string, string> = {};
    for (const at of [1, 2]) {
      fs.writeFileSync(
        path.join(where, `x${at}.safetensors`),
        safetensorsFile({ [`w${at}`]: floats([64, 64], at) }),
      );
      weightMap[`w${at}`] = `x${at}.safetensors`;
    }
    fs.writeFileSync(path.join(where, INDEX), JSON.stringify({ weight_map: weightMap }));
    const out = path.join(folder, `shards-${count++}`);
    fs.mkdirSync(out);
    const target = path.join(out, 'm.safetensors.index.json');
    const shards = (stem: string): string[] =>
      [1, 2].map((at) => `${stem}-0000${at}-of-00002.safetensors`);
    await exportTo(path.join(where, INDEX), target);
    expectSet(out, path.basename(target), ...shards('m'));
    await exportTo(path.join(where, INDEX), target);
    expectSet(out, path.basename(target), ...shards('m-2'));
    expect(Object.keys(digests(where))).toHaveLength(3);
  });
});

describe('a file that has the name of a part and belongs to something else', () => {
  test('makes the export fail, and is kept', async () => {
    const { file, out } = external();
    fs.writeFileSync(path.join(out, 'o.onnx.data'), 'mine');
    await expect(exportTo(file, path.join(out, 'o.onnx'))).rejects.toMatchObject({
      code: 'TARGET',
      message: expect.stringMatching(
        /o\.onnx: needs names that other files have.*found o\.onnx\.data.*--overwrite/,
      ) as string,
    });
    expect(fs.readdirSync(out)).toEqual(['o.onnx.data']);
    expect(fs.readFileSync(path.join(out, 'o.onnx.data'), 'utf8')).toBe('mine');
  });

  test('is replaced when that is asked for', async () => {
    const { file, out } = external();
    fs.writeFileSync(path.join(out, 'o.onnx.data'), 'mine');
    await exportTo(file, path.join(out, 'o.onnx'), { overwrite: true });
    expectSet(out, 'o.onnx', 'o-2.onnx.data');
  });

  test('is never replaced when it is a folder', async () => {
    const { file, out } = external();
    fs.mkdirSync(path.join(out, 'o.onnx.data'));
    await expect(
      exportTo(file, path.join(out, 'o.onnx'), { overwrite: true }),
    ).rejects.toMatchObject({ code: 'TARGET' });
    expect(fs.readdirSync(out)).toEqual(['o.onnx.data']);
  });

  test('is named beforehand, as are the old parts', async () => {
    const { file, out } = external();
    const session = Session.open(file, pool);
    const ask = (name: string): Promise<string[]> =>
      session.replacedBy(recipe('int8'), 'qdq', path.join(out, name), { signal });
    expect(await ask('o.onnx')).toEqual([]);
    await session.export(recipe('int8'), 'qdq', path.join(out, 'o.onnx'), { signal });
    fs.writeFileSync(path.join(out, 'p.onnx.data'), 'mine');
    expect(await ask('o.onnx')).toEqual(['o.onnx.data']);
    expect(await ask('p.onnx')).toEqual(['p.onnx.data']);
    session.close();
  });
});

test('an export is open to no more people than the files it was made of', async () => {
  const { file, out } = external();
  fs.chmodSync(file, 0o644);
  fs.chmodSync(path.join(path.dirname(file), 'weights.bin'), 0o600);
  await exportTo(file, path.join(out, 'o.onnx'));
  const modes = fs.readdirSync(out).map((name) => fs.statSync(path.join(out, name)).mode & 0o777);
  expect(modes).toEqual([0o600, 0o600]);
});

test('a rewrite of the same size that restores the modification time is noticed', async () => {
  const file = path.join(folder, 'restored.onnx');
  fs.writeFileSync(file, matMulModel(64, 64));
  const { atime, mtime } = fs.statSync(file);
  fs.utimesSync(file, atime, mtime);
  const session = Session.open(file, pool);
  fs.writeFileSync(file, matMulModel(64, 64, { seed: 2 }));
  fs.utimesSync(file, atime, mtime);
  await expect(
    session.export(recipe('int8'), 'qdq', path.join(folder, 'r.onnx'), { signal }),
  ).rejects.toMatchObject({
    code: 'CHANGED',
    message: expect.stringMatching(/time of the last change: changed since/) as string,
  });
  session.close();
});

test('a message about a side file names it and the model that asked for it', () => {
  const { file } = external();
  fs.writeFileSync(path.join(path.dirname(file), 'bias.bin'), '');
  expect(() => Session.open(file, pool)).toThrow(/bias\.bin \(part of model\.onnx\): is empty/);
});

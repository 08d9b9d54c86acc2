import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { suggestedFileName } from '../../../shared/formats.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { recipe } from '../../helpers/export.ts';
import { floats, parseFile, safetensorsFile } from '../../helpers/safetensors.ts';
import { digests, SafetensorsExporter } from '../../helpers/safetensors-export.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const pool = testPool();
const exporter = new SafetensorsExporter(pool, temporaryFolder());
const never = new AbortController().signal;

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
    exporter.folderOf({
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
    const made = await exporter.export(
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
      'b.weight': second,
      'b.weight_scale': second,
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
    const name = suggestedFileName(
      path.basename(where),
      'int8',
      'qdq',
      session.summary().extension,
    );
    const out = path.join(exporter.folderOf({}), name);
    const result = await session.export(recipe('int8'), 'qdq', out, { signal: never });
    session.close();
    expect(result.bytesAfter).toBe(preview.bytesAfter);
  });

  test('keeps shards that the plan does not touch byte for byte', async () => {
    const only = recipe('int8', { rules: [{ match: { name: '^b' }, scheme: null }] });
    const made = await exporter.export(
      path.join(set(), INDEX),
      only,
      'qdq',
      'm.safetensors.index.json',
    );
    expect(
      fs
        .readFileSync(path.join(made.folder, 'm-00002-of-00002.safetensors'))
        .equals(Buffer.from(two)),
    ).toBe(true);
  });

  test('that nothing is done to keeps its index byte for byte where its shards keep their names', async () => {
    const [first, second] = ['m-00001-of-00002.safetensors', 'm-00002-of-00002.safetensors'];
    const where = exporter.folderOf({
      [first]: one,
      [second]: two,
      'm.safetensors.index.json': `{"metadata":{},"weight_map":{"a.bias":"${first}","b.weight":"${second}"}}`,
    });
    const made = await exporter.export(
      path.join(where, 'm.safetensors.index.json'),
      recipe('int8', { minElements: 1e6 }),
      'qdq',
      'm.safetensors.index.json',
    );
    expect(digests(made.folder)).toEqual(digests(where));
  });

  test('becomes one file where the target is named so', async () => {
    const made = await exporter.export(
      path.join(set(), INDEX),
      recipe('int8'),
      'qdq',
      'all.safetensors',
    );
    const { tensors, metadata } = parseFile(fs.readFileSync(made.out));
    expect(Object.keys(tensors)).toHaveLength(5);
    expect(Object.keys(JSON.parse(metadata['quantscope.quantization']!) as object)).toEqual([
      'a.weight',
      'b.weight',
    ]);
    expect(metadata['format']).toBe('pt');
    expect(tensors['a.bias']).toMatchObject(floats([64]));
  });

  test('is refused a target that is no set, that is itself, or whose shards are its own', async () => {
    const where = set();
    // Before the model is opened: a new link to one of its files counts as a change of it.
    fs.linkSync(
      path.join(where, 'x1.safetensors'),
      path.join(where, 'y-00001-of-00002.safetensors'),
    );
    const session = Session.open(where, pool);
    const write = (name: string) =>
      session.export(recipe('int8'), 'qdq', path.join(where, name), { signal: never });
    const before = digests(where);
    await expect(write('x.bin')).rejects.toMatchObject({ code: 'TARGET' });
    await expect(write(INDEX)).rejects.toMatchObject({ code: 'TARGET' });
    await expect(write('y.safetensors.index.json')).rejects.toMatchObject({ code: 'TARGET' });
    expect(digests(where)).toEqual(before);
    session.close();
  });

  test('of one file is refused', async () => {
    const where = exporter.folderOf({ 'm.safetensors': one });
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

import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { handlesInto } from '../../helpers/handles.ts';
import { floats, safetensorsFile } from '../../helpers/safetensors.ts';
import { temporaryFolder } from '../../helpers/temporary.ts';

const root = temporaryFolder();
let count = 0;

/** A folder of files; a string is text. */
function folderOf(files: Readonly<Record<string, Uint8Array | string>>): string {
  const folder = path.join(root, `set-${count++}`);
  fs.mkdirSync(folder);
  for (const [name, bytes] of Object.entries(files))
    fs.writeFileSync(path.join(folder, name), bytes);
  return folder;
}

const INDEX = 'model.safetensors.index.json';
const one = safetensorsFile({ 'a.weight': floats([4, 4]), 'a.bias': floats([4]) });
const two = safetensorsFile({ 'b.weight': floats([4, 4], 2) });
const map = { 'a.weight': '1.safetensors', 'a.bias': '1.safetensors', 'b.weight': '2.safetensors' };
const index = (weightMap: unknown): string =>
  JSON.stringify({ metadata: { total_size: 144 }, weight_map: weightMap });
const set = (weightMap: unknown): Record<string, Uint8Array | string> => ({
  '1.safetensors': one,
  '2.safetensors': two,
  [INDEX]: index(weightMap),
});

function refusal(file: string): string {
  try {
    openModel(file).close();
  } catch (error) {
    if (error instanceof AppError)
      return `${error.code}: ${error.message
        .replaceAll(path.dirname(file), '')
        .replaceAll(file, '')
        .replaceAll(path.basename(path.dirname(file)), 'FOLDER')}`;
    throw error;
  }
  throw new Error('it opened');
}

describe('a sharded set', () => {
  test('is its index and its shards, by the index or by the folder', () => {
    const folder = folderOf(set(map));
    for (const file of [folder, path.join(folder, INDEX)]) {
      const opened = openModel(file);
      opened.close();
      const { files, tensors, tensorBytes } = opened.model;
      expect(files.map((each) => path.basename(each.path))).toEqual([
        INDEX,
        '1.safetensors',
        '2.safetensors',
      ]);
      expect(
        tensors.map(({ name, data, storage }) => [name, data.ranges[0]!.file, storage]),
      ).toEqual([
        ['a.bias', 1, 'external'],
        ['a.weight', 1, 'external'],
        ['b.weight', 2, 'external'],
      ]);
      expect([tensorBytes, opened.extension]).toEqual([144, '.safetensors.index.json']);
    }
  });

  test.each([
    ['without metadata', { weight_map: map }],
    ['with metadata that is null', { metadata: null, weight_map: map }],
  ])('opens by an index %s', (_case, written) => {
    const opened = openModel(folderOf({ ...set(map), [INDEX]: JSON.stringify(written) }));
    opened.close();
    expect(opened.model.tensors).toHaveLength(3);
  });

  test('has shards that open as files of their own', () => {
    const opened = openModel(path.join(folderOf(set(map)), '2.safetensors'));
    opened.close();
    expect(opened.model.tensors.map(({ name }) => name)).toEqual(['b.weight']);
  });

  test('may hold tensors that its index does not list', () => {
    const opened = openModel(
      folderOf(set({ 'a.weight': '1.safetensors', 'b.weight': '2.safetensors' })),
    );
    opened.close();
    expect(opened.model.tensors).toHaveLength(3);
  });

  test.each<[string, unknown, string]>([
    [
      'a path up',
      { ...map, x: '../1.safetensors' },
      "EXTERNAL_DATA: /model.safetensors.index.json, ../1.safetensors: the location of a shard is not allowed (found ../1.safetensors, expected a relative path below the model's folder)",
    ],
    [
      'a path down',
      { x: 'sub/1.safetensors' },
      'EXTERNAL_DATA: /model.safetensors.index.json, sub/1.safetensors: a shard is missing (found sub/1.safetensors, expected a file in FOLDER)',
    ],
    [
      'an absolute path',
      { x: '/etc/passwd' },
      "EXTERNAL_DATA: /model.safetensors.index.json, /etc/passwd: the location of a shard is not allowed (found /etc/passwd, expected a relative path below the model's folder)",
    ],
    [
      'a drive',
      { x: 'C:1' },
      "EXTERNAL_DATA: /model.safetensors.index.json, C:1: the location of a shard is not allowed (found C:1, expected a relative path below the model's folder)",
    ],
    [
      'backslashes',
      { x: '..\\1' },
      "EXTERNAL_DATA: /model.safetensors.index.json, ..\\1: the location of a shard is not allowed (found ..\\1, expected a relative path below the model's folder)",
    ],
    [
      'the folder itself',
      { x: '..' },
      "EXTERNAL_DATA: /model.safetensors.index.json, ..: the location of a shard is not allowed (found .., expected a relative path below the model's folder)",
    ],
    [
      'no name',
      { x: '' },
      "EXTERNAL_DATA: /model.safetensors.index.json, : the location of a shard is not allowed (found nothing, expected a relative path below the model's folder)",
    ],
    [
      'a NUL',
      { x: 'a\0b' },
      "EXTERNAL_DATA: /model.safetensors.index.json, a\\u0000b: the location of a shard is not allowed (found a\\u0000b, expected a relative path below the model's folder)",
    ],
    [
      'a name that is no string',
      { x: 1 },
      'MALFORMED: /model.safetensors.index.json, weight_map.x, at byte 49: is not the JSON that it should be (found 1}}, expected a string)',
    ],
    [
      'a missing shard',
      { ...map, x: '3.safetensors' },
      'EXTERNAL_DATA: /model.safetensors.index.json, 3.safetensors: a shard is missing (found 3.safetensors, expected a file in FOLDER)',
    ],
    [
      'a name that no file can have',
      { ...map, x: 'x'.repeat(300) },
      `EXTERNAL_DATA: /model.safetensors.index.json, ${'x'.repeat(100)}…${'x'.repeat(100)}: a shard cannot be opened (found a name that is too long, expected a regular file)`,
    ],
    [
      'the index as its shard',
      { x: INDEX },
      'EXTERNAL_DATA: /model.safetensors.index.json, model.safetensors.index.json: a shard is the model file itself (found model.safetensors.index.json, expected another file)',
    ],
    [
      'a tensor that its shard lacks',
      { ...map, 'c.weight': '2.safetensors' },
      'MALFORMED: /model.safetensors.index.json, c.weight: is not in the shard that the index names (found no such tensor in 2.safetensors, expected in 2.safetensors)',
    ],
    [
      'a tensor of another shard',
      { ...map, 'b.weight': '1.safetensors', 'a.bias': '2.safetensors' },
      'MALFORMED: /model.safetensors.index.json, a.bias: is not in the shard that the index names (found in 1.safetensors, expected in 2.safetensors)',
    ],
    [
      'a weight_map that is a list',
      [],
      'MALFORMED: /model.safetensors.index.json, weight_map, at byte 44: is not the JSON that it should be (found []}, expected an object)',
    ],
    [
      'no weight_map',
      undefined,
      'MALFORMED: /model.safetensors.index.json, weight_map: is no index of safetensors files (found nothing, expected an object of tensor names and file names)',
    ],
  ])('is refused for %s', (_what, weightMap, message) => {
    expect(refusal(path.join(folderOf(set(weightMap)), INDEX))).toBe(message);
  });

  test('is refused for a tensor in two shards, a tensor listed twice, and a shard that is a link', () => {
    const twice = folderOf({
      ...set({ 'a.weight': '1.safetensors', 'b.weight': '2.safetensors' }),
      '2.safetensors': safetensorsFile({ 'b.weight': floats([1]), 'a.bias': floats([4]) }),
    });
    expect(refusal(path.join(twice, INDEX))).toBe(
      'MALFORMED: /model.safetensors.index.json, a.bias: is in two shards (found 1.safetensors and 2.safetensors, expected one)',
    );
    const listed = folderOf({
      ...set(map),
      [INDEX]: '{"weight_map":{"a.weight":"1.safetensors","a.weight":"2.safetensors"}}',
    });
    expect(refusal(path.join(listed, INDEX))).toBe(
      'MALFORMED: /model.safetensors.index.json, weight_map, at byte 42: a key stands twice (found a.weight, expected each key once)',
    );
    const linked = folderOf(set(map));
    fs.renameSync(path.join(linked, '2.safetensors'), path.join(root, 'elsewhere.safetensors'));
    fs.symlinkSync(path.join(root, 'elsewhere.safetensors'), path.join(linked, '2.safetensors'));
    expect(refusal(path.join(linked, INDEX))).toBe(
      "EXTERNAL_DATA: /model.safetensors.index.json, 2.safetensors: a shard is a link that leads out of the model's folder (found 2.safetensors, expected a file below the folder, or a blob of the same Hugging Face repository)",
    );
  });

  test('opens from the cache of huggingface_hub, whose links lead to blobs beside them and nowhere else', () => {
    const model = path.join(root, `models--me--tiny-${count++}`);
    const snapshot = path.join(model, 'snapshots', 'abc');
    fs.mkdirSync(snapshot, { recursive: true });
    fs.mkdirSync(path.join(model, 'blobs'));
    const link = (name: string, blob: string, bytes: Uint8Array | string): void => {
      fs.writeFileSync(path.join(model, 'blobs', blob), bytes);
      fs.symlinkSync(`../../blobs/${blob}`, path.join(snapshot, name));
    };
    link(INDEX, 'a'.repeat(40), index(map));
    link('1.safetensors', 'b'.repeat(64), one);
    link('2.safetensors', 'c'.repeat(64), two);
    const opened = openModel(snapshot);
    opened.close();
    expect(opened.model.tensors).toHaveLength(3);
    const shard = path.join(snapshot, '2.safetensors');
    fs.writeFileSync(path.join(model, 'blobs', 'x'), two);
    for (const target of ['../../blobs/x', '../../../outside', '/etc/passwd']) {
      fs.rmSync(shard);
      fs.writeFileSync(path.join(root, 'outside'), two);
      fs.symlinkSync(target, shard);
      expect(refusal(path.join(snapshot, INDEX))).toContain('a shard is a link that leads out');
    }
    fs.rmSync(shard);
    fs.symlinkSync(`../../blobs/${'c'.repeat(64)}`, shard);
    fs.rmSync(path.join(model, 'blobs', 'c'.repeat(64)));
    fs.symlinkSync('/etc/passwd', path.join(model, 'blobs', 'c'.repeat(64)));
    expect(refusal(path.join(snapshot, INDEX))).toContain('a shard is a link');
  });

  test('opens with 1,500 shards, more than a process may keep open, and from folders below', () => {
    const files: Record<string, Uint8Array | string> = {};
    const weightMap: Record<string, string> = {};
    for (let at = 0; at < 1500; at++) {
      files[`${at}.safetensors`] = safetensorsFile({ [`t${at}`]: floats([1], at) });
      weightMap[`t${at}`] = `${at}.safetensors`;
    }
    const folder = folderOf({ ...files, [INDEX]: index({ ...weightMap, x: 'sub/x.safetensors' }) });
    fs.mkdirSync(path.join(folder, 'sub'));
    fs.writeFileSync(path.join(folder, 'sub/x.safetensors'), safetensorsFile({ x: floats([1]) }));
    const opened = openModel(folder);
    expect(handlesInto(folder)).toBeLessThanOrEqual(64);
    expect(opened.model.tensors).toHaveLength(1501);
    expect(Buffer.from(opened.files[1]!.read(0, 8))).toHaveLength(8);
    opened.close();
    expect(handlesInto(folder)).toBe(0);
  });

  test('leaves no file open when a shard is bad', () => {
    const folder = folderOf({ ...set(map), '2.safetensors': 'short' });
    for (let time = 0; time < 5; time++)
      expect(refusal(path.join(folder, INDEX))).toContain('is too short for a safetensors file');
    expect(handlesInto(folder)).toBe(0);
  });
});

describe('a folder', () => {
  test('of a diffusers variant is its index', () => {
    const name = 'diffusion_pytorch_model.safetensors.index.fp16.json';
    const opened = openModel(
      folderOf({ '1.safetensors': one, '2.safetensors': two, [name]: index(map) }),
    );
    opened.close();
    expect(path.basename(opened.model.files[0]!.path)).toBe(name);
    expect(opened.model.tensors).toHaveLength(3);
  });

  test('is its only safetensors file', () => {
    const folder = folderOf({
      'weights.safetensors': one,
      'config.json': '{"model_type":"tiny","_name_or_path":"me/tiny"}',
    });
    const opened = openModel(folder);
    opened.close();
    expect(path.basename(opened.model.files[0]!.path)).toBe('weights.safetensors');
    expect(opened.model.producer).toBe('tiny · me/tiny');
  });

  test('is refused when it holds several models, or none', () => {
    const several = folderOf({ 'a.safetensors': one, 'b.safetensors': two });
    expect(refusal(several)).toMatch(
      /: is a folder of more than one model; open one of its files \(found a directory of 2: a\.safetensors, b\.safetensors, expected a regular file, a folder of one model, or model\.safetensors\.index\.json\)$/,
    );
    expect(refusal(folderOf({}))).toMatch(/: is a folder without a model \(found a directory, /);
  });

  test('opens whatever its config.json is', () => {
    for (const config of ['', '[]', 'null', '{"model_type":7}', '{'.repeat(100_000)]) {
      const opened = openModel(folderOf({ 'm.safetensors': one, 'config.json': config }));
      opened.close();
      expect(opened.model.producer).toBe('');
    }
    const folder = folderOf({ 'm.safetensors': one });
    fs.symlinkSync('/dev/zero', path.join(folder, 'config.json'));
    openModel(folder).close();
  });
});

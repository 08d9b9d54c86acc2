import * as fs from 'node:fs';
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { NamesBeside } from '../../../electron/engine/answers/names-beside.ts';
import { namesFilesBeside, readNames } from '../../../electron/engine/answers/names-file.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
let count = 0;
const names = (text: string | Uint8Array, extension = 'txt'): readonly string[] =>
  readNames(writeFile(folder, Buffer.from(text), `names-${count++}.${extension}`));

describe('names are read from', () => {
  test.each<[string, string, string, readonly string[]]>([
    [
      'lines, spaces and empty lines kept',
      'txt',
      '\ufeffa\r\n \r\n\r\nb b\r\n',
      ['a', ' ', '', 'b b'],
    ],
    ['lines that look like JSON', 'txt', '[\n]\n{', ['[', ']', '{']],
    ['a list', 'json', '["cat", "d\\u00f6g"]', ['cat', 'dög']],
    [
      'an object from numbers to names',
      'json',
      '{"1": "dog", "0": "cat", "3": "owl"}',
      ['cat', 'dog', '', 'owl'],
    ],
    ['an object from names to numbers', 'json', '{"dog": 1, "__proto__": 0}', ['__proto__', 'dog']],
    [
      'a configuration',
      'json',
      '{"model": [1], "id2label": {"0": "no", "1": "yes"}, "x": 2}',
      ['no', 'yes'],
    ],
  ])('%s', (_, extension, text, expected) => {
    expect(names(text, extension)).toEqual(expected);
  });
});

describe('names are refused from', () => {
  test.each<[string, string, string | Uint8Array, RegExp]>([
    ['an empty file', 'txt', '', /is empty/],
    ['lines without text', 'txt', '\n\n\n', /contains no names/],
    [
      'bytes that are not UTF-8',
      'txt',
      Uint8Array.of(97, 0xff, 10),
      /is not a file of names \(found bytes that are not UTF-8/,
    ],
    ['a million lines', 'txt', 'a\n'.repeat(1_000_000), /has too many names \(found over 524288/],
    [
      'a line of a megabyte',
      'txt',
      `cat\n${'a'.repeat(1 << 20)}`,
      /entry 2: has a name that is too long/,
    ],
    ['too many bytes', 'txt', new Uint8Array((16 << 20) + 1), /is too large for a file of names/],
    ['a list of numbers', 'json', '["cat", 3]', /1, at byte 8: is not the JSON/],
    ['a list that is not closed', 'json', '["cat"', /is not the JSON that it should be/],
    ['a million entries', 'json', `[${'"",'.repeat(1_000_000)}""]`, /too many names/],
    ['a number of a class that is huge', 'json', '{"9999999": "cat"}', /too many names/],
    ['text after the end', 'json', '["cat"] x', /expected nothing more/],
    ['two names of one class', 'json', '{"0": "cat", "0": "dog"}', /a key stands twice/],
    ['neither names nor numbers', 'json', '{"0": null}', /must be a name or the number of a class/],
    ['depth', 'json', `{"id2label": {"0": ${'['.repeat(1e6)}`, /nested too deep/],
  ])('%s', (_, extension, text, error) => {
    expect(() => names(text, extension)).toThrow(error);
  });

  test('a pipe, a folder and nothing', () => {
    const pipe = path.join(folder, 'pipe.txt');
    spawnSync('mkfifo', [pipe]);
    expect(() => readNames(pipe)).toThrow(/pipe\.txt: cannot be read as a file of names/);
    expect(() => readNames(folder)).toThrow(/cannot be read as a file of names/);
    expect(() => readNames(path.join(folder, 'none.txt'))).toThrow(/no such file/);
  });
});

test('files of names beside a model are its own first, and no other text is one', () => {
  const entries = [
    'README.txt',
    'coco_names.txt',
    'labels.json',
    'net.txt',
    'net_labels.txt',
    'ppocr_keys_v1.txt',
    'vocabulary.md',
    'requirements.txt',
    'config.json',
  ];
  expect(namesFilesBeside('/models/net.onnx', entries)).toEqual([
    ...[
      'net.txt',
      'net_labels.txt',
      'coco_names.txt',
      'labels.json',
      'ppocr_keys_v1.txt',
      'config.json',
    ],
  ]);
});

test('the file beside a model that fits is found, others and broken ones passed over, and a change is seen', () => {
  const place = path.join(folder, 'beside');
  fs.mkdirSync(place);
  const beside = new NamesBeside(path.join(place, 'm(1).onnx'));
  expect(beside.find(() => true)).toBeNull();
  writeFile(place, Uint8Array.of(0xff), 'm(1).txt');
  writeFile(place, Buffer.from('a\nb'), 'classes.txt');
  writeFile(place, Buffer.from('a\nb\nc'), 'labels.txt');
  expect(beside.find((size) => size === 3)?.file).toBe(path.join(place, 'labels.txt'));
  fs.symlinkSync(path.join(place, 'labels.txt'), path.join(place, 'm(1)_labels.txt'));
  expect(beside.find((size) => size === 3)?.file).toBe(path.join(place, 'labels.txt'));
  fs.symlinkSync(path.join(place, 'labels.txt'), path.join(place, 'tokenizer.json'));
  expect(beside.findTokenizer()).toBeNull();
  fs.writeFileSync(path.join(place, 'labels.txt'), 'x\ny\nzz');
  expect(beside.find((size) => size === 3)?.names).toEqual(['x', 'y', 'zz']);
});

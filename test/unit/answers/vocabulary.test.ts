import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readVocabulary } from '../../../electron/engine/answers/vocabulary.ts';
import { root } from '../../helpers/root.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { read } from './reading.ts';

const folder = temporaryFolder();
let count = 0;
const tokenizer = (text: string) =>
  readVocabulary(writeFile(folder, Buffer.from(text), `tokenizer-${count++}.json`));

interface Case {
  readonly name: string;
  readonly tokenizer: object;
  readonly texts: readonly { readonly ids: readonly number[]; readonly text: string }[];
}
/** Made by test/reference/vocabulary.py. */
const { cases } = JSON.parse(
  fs.readFileSync(path.join(root, 'test/fixtures/goldens/vocabulary.json'), 'utf8'),
) as { cases: readonly Case[] };

describe.each(cases)('$name', ({ tokenizer: content, texts }) => {
  const { decode } = tokenizer(JSON.stringify(content));

  test.each(texts)("decodes as Hugging Face's tokenizers do: $text", ({ ids, text }) => {
    const pieces = decode(ids);
    expect(pieces).toHaveLength(ids.length);
    expect(pieces.join('')).toBe(text);
  });
});

test('tokens without a piece, of raw bytes and that end within a character have a text', () => {
  const { decode, size } = tokenizer(
    '{"model": {"vocab": {"<0xE6>": 0, "<0x97>": 1, "<0xA5>": 2, "\\u2581a": 3}}, "added_tokens": [{"id": 5, "content": "</s>", "special": true}]}',
  );
  expect(size).toBe(6);
  expect(decode([3, 0, 1, 2, 4, 5])).toEqual([' a', '', '', '日', '[4]', '</s>']);
  expect(decode([3, 0])).toEqual([' a', '\ufffd']);
});

test('texts of tokens agree by their pieces', () => {
  const vocabulary = tokenizer('{"model": {"vocab": {"a": 0, "b": 1, "c": 2}}}');
  const { answer, agreement } = read('tokens', [1, 4], [0, 1, 2, 2], [0, 2, 2, 2], { vocabulary });
  expect(agreement).toEqual({ wrong: 1, of: 4, unit: 'tokens' });
  expect(answer).toMatchObject({
    before: [{ text: 'a' }, { text: 'b', differs: true }, { text: 'cc' }],
  });
});

test.each<[string, string, RegExp]>([
  ['no JSON', 'vocab', /is not the JSON that it should be/],
  ['no vocabulary', '{"version": "1.0"}', /has no vocabulary/],
  [
    'a number of a token that is huge',
    '{"model": {"vocab": {"a": 99999999}}}',
    /too many or too long tokens \(found token 99999999/,
  ],
  [
    'a token of a megabyte',
    `{"model": {"vocab": {"${'a'.repeat(1 << 20)}": 1}}}`,
    /too many or too long tokens/,
  ],
  [
    'a negative number',
    '{"model": {"vocab": {"a": -1}}}',
    /model\.vocab\.a, at byte \d+: is no size/,
  ],
  ['a vocabulary of text', '{"model": {"vocab": "a"}}', /is not the JSON that it should be/],
  ['depth', `{"model": ${'['.repeat(100_000)}`, /is not the JSON|nested too deep/],
])('a tokenizer with %s is refused', (_, text, error) => {
  expect(() => tokenizer(text)).toThrow(error);
});

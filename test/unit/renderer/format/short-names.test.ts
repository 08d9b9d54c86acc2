import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shortNames } from '../../../../renderer/format/short-names.ts';

/** Every character 6 px wide. */
const measure = (text: string): number => Array.from(text).length * 6;

const BLIP = ['text_encoder', 'text_decoder.bert'].flatMap((model) =>
  ['attention.output.dense', 'crossattention.output.dense', 'output.dense'].map(
    (layer) => `${model}.encoder.layer.0..11.${layer}`,
  ),
);

const VIT = [0, 1, 10].flatMap((block) =>
  ['self_attn/q_proj', 'self_attn/out_proj', 'mlp/fc1'].map(
    (layer) => `/vision_model/encoder/layers.${block}/${layer}/MatMul`,
  ),
);

/** What one name reads in room for so many characters. */
const cut = (name: string, characters: number, among = [name]): string =>
  shortNames(among, characters * 6, measure).get(name)!;

test('names that fit stay whole, and long paths keep their last parts whole', () => {
  expect(cut('conv', 16)).toBe('conv');
  expect(cut('upblock_1/conv_bn__act_6', 16)).toBe('…conv_bn__act_6');
  expect(cut('/vision_model/encoder/layers.0/self_attn/q_proj/MatMul', 36)).toBe(
    '…layers.0/self_attn/q_proj/MatMul',
  );
  expect(cut('/vision_model/encoder/layers.0/self_attn/q_proj/MatMul', 28)).toBe(
    '…0/self_attn/q_proj/MatMul',
  );
  expect(cut('/vision_model/encoder/layers.0/self_attn/q_proj/MatMul', 50)).toBe(
    '…encoder/layers.0/self_attn/q_proj/MatMul',
  );
  expect(cut('text_decoder.encoder.layer.11.attention.self.query', 25)).toBe(
    '…11.attention.self.query',
  );
  expect(cut('p2o.Conv.26', 8)).toBe('…Conv.26');
  expect(cut('p2o.Conv.26', 7)).toBe('p2o.…26');
});

test('where only a short last part fits, the part before it keeps its beginning', () => {
  expect(cut('/vision_model/patch_embedding/Conv', 18)).toBe('patch_embedd…/Conv');
  expect(cut('/vision/patch_embedding/Conv', 14)).toBe('patch_em…/Conv');
});

test('a last part that does not fit keeps its beginning and its end', () => {
  expect(cut('convolution_of_the_first_block', 15)).toBe('convolu…t_block');
  expect(cut(`a.${'x'.repeat(20)}y`, 12)).toBe('…xxxx…xxxxxy');
});

test('the last part of a path is not cut where only the others tell names apart', () => {
  const names = [1, 10, 100].map((block) => `/encoder/block${block}/attention/MatMul`);
  expect(names.map((name) => cut(name, 16, names))).toEqual([
    '…block1…MatMul',
    '…block10…MatMul',
    '…block100…MatMul',
  ]);
});

test('layers of one model are told apart by their numbers, in whole parts', () => {
  const texts = VIT.map((name) => cut(name, 28, VIT));
  expect(texts.slice(0, 3)).toEqual([
    '…0/self_attn/q_proj/MatMul',
    '…0/self_attn/out_proj/MatMul',
    '…layers.0/mlp/fc1/MatMul',
  ]);
});

test('names of two models are told apart by the part in which they differ', () => {
  const names = ['text_encoder', 'text_decoder'].map(
    (model) => `${model}.bert.encoder.layer.0..11.attention.output.dense`,
  );
  expect(names.map((name) => cut(name, 36, names))).toEqual([
    'text_e…0..11.attention.output.dense',
    'text_d…0..11.attention.output.dense',
  ]);
});

test('two names of BLIP never read the same, and each fits', () => {
  for (const room of [144, 160, 180, 240, 400]) {
    const short = shortNames(BLIP, room, measure);
    const texts = BLIP.map((name) => short.get(name)!);
    expect(new Set(texts).size, `${room}`).toBe(BLIP.length);
    for (const text of texts) expect(measure(text), text).toBeLessThanOrEqual(room);
  }
});

test('no two names read the same, whatever they are and however little room there is', () => {
  const name = fc.string({ maxLength: 60, unit: fc.constantFrom('a', 'b', '.', '/', '1', '_') });
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 30 }),
      fc.integer({ min: 0, max: 300 }),
      (names, room) => {
        const texts = [...shortNames(names, room, measure).values()];
        expect(new Set(texts).size).toBe(names.length);
      },
    ),
  );
});

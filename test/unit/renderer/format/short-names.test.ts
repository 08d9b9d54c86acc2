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

test('names that fit stay whole, and long ones keep their beginning and their end', () => {
  const short = shortNames(['conv', 'upblock_1/conv_bn__act_6'], 96, measure);
  expect(short.get('conv')).toBe('conv');
  expect(short.get('upblock_1/conv_bn__act_6')).toBe('upblock_1…_act_6');
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

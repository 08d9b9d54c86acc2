import { expect, test } from 'vitest';
import { parseRecipe } from '../../../shared/recipe-file.ts';
import { findPreset } from '../../../shared/presets.ts';
import { BASE_ACTIVATIONS, choosesCodes } from '../../../shared/recipe.ts';

const int8 = findPreset('int8')!;
const { dtype, ...rest } = int8.default!;

test.each<[string, unknown, RegExp]>([
  ['of the recipe', { ...int8, minElement: 5 }, /minElement: .*expected minElements\)/],
  [
    'of a scheme',
    { ...int8, default: { ...rest, dtyp: dtype } },
    /default\.dtyp: .*expected dtype\)/,
  ],
  [
    'of a rule',
    { ...int8, rules: [{ match: {}, scheme: { Symetric: true } }] },
    /rules\.0\.scheme\.Symetric: .*expected symmetric\)/,
  ],
  [
    'of the pictures',
    { ...int8, calibration: { images: { resise: 'fit' } } },
    /calibration\.images\.resise: .*expected resize\)/,
  ],
  [
    'of the calibration',
    { ...int8, calibration: { image: {} } },
    /calibration\.image: .*expected images\)/,
  ],
  ['that is like none', { ...int8, colour: 1 }, /colour: a recipe has no such field$/],
])('a misspelt field %s is named, with the nearest one there is', (_, recipe, message) => {
  expect(() => parseRecipe(recipe)).toThrow(message);
});

test.each<[string, unknown, RegExp]>([
  ['an array for pictures', { calibration: { images: [] } }, /images: .*expected an object\)/],
  ['an array for what a rule matches', { rules: [{ match: [] }] }, /match: .*expected an object\)/],
  [
    'a mean of no channel',
    { calibration: { images: { mean: [] } } },
    /mean: .*expected a value of each channel, or one for all\)/,
  ],
  [
    'a mean without end',
    { calibration: { images: { mean: [Infinity] } } },
    /mean\.0: .*expected a finite number\)/,
  ],
  [
    'a field of a scheme in the recipe',
    { signedScale: true },
    /^signedScale: .*expected default\.signedScale, or signedScale in the scheme of a rule\)$/,
  ],
  [
    'a field of the recipe in its activations',
    { activations: { ...BASE_ACTIVATIONS, equalize: true } },
    /^activations\.equalize: .*expected equalize at the top of the recipe\)$/,
  ],
  [
    'a field of activations in a scheme',
    { default: { ...int8.default, biasCorrection: true } },
    /^default\.biasCorrection: .*expected activations\.biasCorrection\)$/,
  ],
])('%s is refused in words', (_, fields, message) => {
  expect(() => parseRecipe({ ...int8, ...(fields as object) })).toThrow(message);
});

test('a field that is missing, or that has a wrong value, is named', () => {
  const { symmetric, ...asymmetric } = int8.default!;
  expect(() => parseRecipe({ ...int8, default: asymmetric }, 'r.qrecipe')).toThrow(
    /^r\.qrecipe, default\.symmetric: the recipe must have this field$/,
  );
  const wrong = { ...int8.default, symmetric: symmetric ? 1 : 0 };
  expect(() => parseRecipe({ ...int8, default: wrong })).toThrow(
    /^default\.symmetric: is not valid in a recipe \(found [01], expected boolean\)$/,
  );
});

test('the algorithm is one of those there are, in the default and in rules', () => {
  const gptq = { match: { op: 'Conv' }, scheme: { algorithm: 'gptq' } };
  expect(choosesCodes(parseRecipe(int8))).toBe(false);
  expect(choosesCodes(parseRecipe({ ...int8, rules: [gptq] }))).toBe(true);
  expect(choosesCodes(findPreset('int4-gptq')!)).toBe(true);
  expect(choosesCodes(findPreset('static-int8-best')!)).toBe(true);
  expect(() => parseRecipe({ ...int8, default: { ...int8.default, algorithm: 'gptc' } })).toThrow(
    /default\.algorithm: .*expected one such as gptq/,
  );
});

test('the pictures of the calibration data are kept as they are written', () => {
  const images = {
    resize: 'fit',
    size: [256, 256],
    channels: 'BGR',
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    layout: 'NCHW',
  };
  expect(parseRecipe({ ...int8, calibration: { images } }).calibration).toEqual({ images });
  expect(parseRecipe(int8)).not.toHaveProperty('calibration');
  const parse = (wrong: object): unknown =>
    parseRecipe({ ...int8, calibration: { images: wrong } });
  expect(() => parse({ size: [0, 1] })).toThrow(/calibration\.images\.size\.0/);
  expect(() => parse({ std: [0] })).toThrow(/calibration\.images\.std\.0/);
  expect(() => parse({ resize: 'crop' })).toThrow(/calibration\.images\.resize/);
});

test.each<[string, object, RegExp]>([
  [
    'a dtype',
    { dtype: 'int9' },
    /default\.dtype: .*found "int9", expected one such as int8 or int4\)/,
  ],
  [
    'a dtype in capitals',
    { dtype: 'BFloat16' },
    /default\.dtype: .*expected one such as bfloat16\)/,
  ],
  [
    'a granularity',
    { granularity: 'chanel' },
    /default\.granularity: .*expected one such as channel\)/,
  ],
  ['a range', { range: 'minmx' }, /default\.range: .*expected one such as minmax\)/],
  ['a dtype like none', { dtype: 'brick' }, /found "brick", expected \("int8" \| /],
])('of %s that is misspelt the nearest valid values are named', (_, field, message) => {
  const recipe = { ...int8, default: { ...int8.default, ...field } };
  expect(() => parseRecipe(recipe)).toThrow(message);
});

import { expect, test } from 'vitest';
import { hexOfCode, hexOfValue } from '../../../../renderer/format/bits.ts';
import { csv } from '../../../../shared/csv.ts';
import { whenWas } from '../../../../renderer/format/dates.ts';
import { suggestedFileName } from '../../../../shared/formats.ts';
import { shownName } from '../../../../renderer/format/names.ts';
import {
  codeRange,
  presetOf,
  recipeTitle,
  sameScheme,
  schemeSentence,
  symmetriesOf,
  symmetryFields,
  symmetryWord,
} from '../../../../renderer/format/schemes.ts';
import { defaultMode, whyIdle } from '../../../../renderer/format/modes.ts';
import { milliseconds } from '../../../../renderer/format/numbers.ts';
import { outputSqnr, runWarnings } from '../../../../renderer/format/outputs.ts';
import type { ExportPreview } from '../../../../shared/exports.ts';
import type { VerifyResult } from '../../../../shared/verification.ts';
import { findPreset, PRESETS } from '../../../../shared/presets.ts';
import { BASE_SCHEME, schemeOf, type SchemeFields } from '../../../../shared/scheme.ts';
import { onnxRuntime } from '../../../../shared/runtimes.ts';

test('characters that would turn or hide a name are shown escaped', () => {
  expect(shownName('a\u202eb\u0000')).toBe('a\\u202eb\\u0000');
});

test('an export is offered under the name of its recipe, fit for any file system', () => {
  expect(suggestedFileName('model.v2.onnx', 'int8', 'qdq', '.onnx')).toBe('model.v2.int8-qdq.onnx');
  expect(suggestedFileName('model.onnx', '../a b', 'qdq', '.onnx')).toBe('model.a-b-qdq.onnx');
  expect(suggestedFileName('m.onnx', '…', 'float', '.onnx')).toBe('m.quantized-float.onnx');
  expect(suggestedFileName('m.onnx', 'float16', 'float16', '.onnx')).toBe('m.float16.onnx');
  expect(suggestedFileName('m.tflite', 'litert-dynamic', 'dynamic', '.tflite')).toBe(
    'm.litert-dynamic.tflite',
  );
});

test('values show the bits that their tensor stores', () => {
  expect(hexOfValue(0.1, 'float32')).toBe('3dcccccd');
  expect(hexOfValue(1, 'float64')).toBe('3ff0000000000000');
  expect(hexOfValue(-1, 'bfloat16')).toBe('bf80');
  expect(hexOfValue(3, 'int8')).toBeNull();
});

test('float16 bits are right for normals, subnormals, infinities and zeros', () => {
  const cases: [number, string][] = [
    [1, '3c00'],
    [-2, 'c000'],
    [65504, '7bff'],
    [2 ** -14, '0400'],
    [2 ** -24, '0001'],
    [1023 * 2 ** -24, '03ff'],
    [Infinity, '7c00'],
    [-Infinity, 'fc00'],
    [0, '0000'],
    [-0, '8000'],
  ];
  for (const [value, hex] of cases) expect(hexOfValue(value, 'float16')).toBe(hex);
  expect(hexOfValue(NaN, 'float16')).toMatch(/^7[ef]/);
});

test('codes show in as many digits as they take', () => {
  expect(hexOfCode(-1, 'int8')).toBe('ff');
  expect(hexOfCode(5, 'uint8')).toBe('05');
  expect(hexOfCode(0x3c00, 'float16')).toBe('3c00');
});

test('CSV quotes what needs it and defuses what a spreadsheet would run', () => {
  expect(csv([['a"b', 'c,d', 1.5, null]])).toBe('"a""b","c,d",1.5,\r\n');
  expect(csv([['=cmd()', '-x', -1]])).toBe("'=cmd(),'-x,-1\r\n");
});

test.each([
  [' =1', `" '=1"`],
  ['\n=1', `"\n'=1"`],
  ['\t@SUM(1)', `"\t'@SUM(1)"`],
  ['\r +cmd|x', `"\r '+cmd|x"`],
  ['x;=1+1', `"x;'=1+1"`],
  ['x, =1', `"x, '=1"`],
  ['x"=1', `"x""'=1"`],
  ['\uff1d1+1', "'\uff1d1+1"],
  ['-1+cmd()', "'-1+cmd()"],
])('CSV defuses a formula after spaces and separators: %j', (text, line) => {
  expect(csv([[text]])).toBe(`${line}\r\n`);
});

test('CSV keeps numbers and names with signs inside', () => {
  const kept = ['-1', '-0.5', '+2e-7', '-.5', 'a-b', 'a=b', 'layer.0+1', 'x@y'];
  expect(csv([kept])).toBe(`${kept.join(',')}\r\n`);
  expect(csv([['axes 3, -1', -5n, -Infinity]])).toBe('"axes 3, -1",-5,-Infinity\r\n');
});

test('days are told as seen from now', () => {
  const now = new Date(2026, 10, 24, 12, 0);
  expect(whenWas(new Date(2026, 10, 24, 10, 42), now)).toBe('today, 10:42');
  expect(whenWas(new Date(2026, 10, 23, 23, 59), now)).toBe('yesterday');
  expect(whenWas(new Date(2026, 10, 12), now)).toBe('12 November');
  expect(whenWas(new Date(2025, 4, 3), now)).toBe('3 May 2025');
});

test('every preset is recognised whatever its rules, and anything else is custom', () => {
  for (const preset of PRESETS) {
    const rules = [{ match: { op: 'Gather' }, scheme: null }];
    expect(presetOf({ ...preset, rules })?.name).toBe(preset.name);
    expect(recipeTitle({ ...preset, rules })).toBe(`${preset.name}, 1 rule`);
  }
  expect(recipeTitle({ ...PRESETS[0]!, name: 'custom', minElements: 7 })).toBe('custom');
});

test('a recipe with a name of its own keeps it, though it asks for what a preset does', () => {
  expect(recipeTitle({ ...PRESETS[0]!, name: 'mine' })).toBe('mine');
  expect(presetOf({ ...PRESETS[0]!, name: 'mine' })).toBeUndefined();
});

test('schemes are the same when they do the same: fields that say nothing of a dtype do not count', () => {
  const same = (a: Partial<SchemeFields>, b: Partial<SchemeFields>) =>
    sameScheme(schemeOf(a), schemeOf(b));
  expect(same({ dtype: 'float16' }, { dtype: 'float16', symmetric: false })).toBe(true);
  expect(same({ dtype: 'q7' }, { dtype: 'q7', granularity: 'tensor' })).toBe(true);
  expect(same({ dtype: 'q7', powerOfTwo: true }, { dtype: 'q7' })).toBe(false);
  expect(same({ dtype: 'q7', rounding: 'zero' }, { dtype: 'q7' })).toBe(false);
  const int4 = { dtype: 'int4', granularity: { block: 32 } } as const;
  expect(same(int4, { ...int4, signedScale: true })).toBe(false);
  expect(same({}, { signedScale: true })).toBe(true);
  expect(same({}, { narrowRange: false })).toBe(true);
  expect(same({}, { narrowRange: true })).toBe(false);
  expect(same({}, { range: { percentile: 99.9 } })).toBe(false);
  expect(sameScheme(schemeOf(), null)).toBe(false);
  expect(sameScheme(schemeOf(), schemeOf({ algorithm: 'gptq' }))).toBe(false);
  expect(sameScheme(schemeOf(), schemeOf({ algorithm: 'nearest' }))).toBe(true);
});

test('a scheme is told in one sentence, as far as it is given', () => {
  expect(schemeSentence(BASE_SCHEME)).toBe('int8 symmetric, per channel, minmax');
  expect(schemeSentence({ dtype: 'int4', algorithm: 'gptq' })).toBe('int4, GPTQ, on samples');
  expect(schemeSentence({ dtype: 'float16' })).toBe('float16');
  expect(schemeSentence({ granularity: { block: 32 } })).toBe('per block 32');
  expect(schemeSentence(null)).toBe('keep as it is');
  expect(schemeSentence(findPreset('int4-block32')!.default)).toBe(
    'int4 symmetric, signed scale, per block 32, minmax',
  );
});

test('scales of either sign are offered for 4 bits in blocks, and a word is what it asks for', () => {
  const fields = { ...BASE_SCHEME, dtype: 'int4', granularity: { block: 64 } } as const;
  expect(symmetriesOf(BASE_SCHEME)).toEqual(['symmetric', 'asymmetric']);
  const words = symmetriesOf(fields);
  expect(words).toEqual(['symmetric', 'signed scale', 'asymmetric']);
  for (const word of words) expect(symmetryWord({ ...fields, ...symmetryFields(word) })).toBe(word);
});

test.each<[SchemeFields['dtype'], boolean, number, number]>([
  ['int8', false, -128, 127],
  ['int8', true, -127, 127],
  ['int4', true, -7, 7],
  ['int16', true, -32768, 32767],
  ['int32', true, -(2 ** 31), 2 ** 31 - 1],
  ['uint4', true, 0, 15],
  ['q7', true, -128, 127],
])(
  'codes of %s with narrowRange %s are %i to %i, as the engine clips',
  (dtype, narrowRange, lo, hi) => {
    expect(codeRange(schemeOf({ dtype, narrowRange }))).toEqual({ lo, hi });
  },
);

test('no cast has codes', () => {
  expect(codeRange(schemeOf({ dtype: 'float16' }))).toBeNull();
});

test('times have three significant digits', () => {
  expect(milliseconds(13_631.35)).toBe('13\u202f600');
  expect(milliseconds(41.256)).toBe('41.3');
  expect(milliseconds(0.05214)).toBe('0.0521');
  expect(milliseconds(0)).toBe('0');
});

test('an export says which runtime loads it', () => {
  expect(onnxRuntime(21, 'qdq', false)).toBe(
    'onnxruntime 1.19 or newer loads it, and other runtimes that support opset 21.',
  );
  expect(onnxRuntime(11, 'dynamic', true)).toBe(
    'onnxruntime 1.7 or newer loads it, and no other runtime.',
  );
  expect(onnxRuntime(11, 'dynamic', false)).toContain('other runtimes that support opset 11');
  expect(onnxRuntime(17, 'qdq', true)).toBe(
    'onnxruntime 1.16 or newer loads it, and no other runtime.',
  );
  expect(onnxRuntime(24, 'qdq', false)).toContain('onnxruntime 1.24 or newer');
  expect(onnxRuntime(99, 'qdq', false)).toBe('A runtime that supports opset 99 loads it.');
});

test('a mode that changes nothing says why, and a checkpoint in a float type is cast', () => {
  const kept = [
    { reason: 'a bias, added at full precision', tensors: 9, bytes: 90 },
    { reason: 'int8 is not a float type', tensors: 3, bytes: 30 },
  ];
  const preview = {
    mode: 'float',
    bytesBefore: 1,
    bytesAfter: 1,
    quantized: 0,
    kept,
    opset: null,
    usesMicrosoft: false,
  };
  expect(whyIdle(preview as ExportPreview)).toBe('Changes nothing here: int8 is not a float type.');
  expect(whyIdle({ ...preview, quantized: 1 } as ExportPreview)).toBeNull();
  const float = [{ reason: 'kept in float by a rule', operators: 2, ops: ['Add'] }];
  const outline = { activations: 0, integerOperators: 0, operators: 2, float };
  expect(whyIdle({ ...preview, kept: [], outline } as ExportPreview)).toBe(
    'Changes nothing here: kept in float by a rule.',
  );
  const modes = ['qdq', 'float', 'cast'] as const;
  expect(defaultMode(modes, findPreset('bfloat16')!)).toBe('cast');
  expect(defaultMode(modes, findPreset('int8')!)).toBe('qdq');
  expect(defaultMode(modes, findPreset('bfloat16')!, findPreset('float16')!)).toBe('cast');
  expect(defaultMode(modes, findPreset('bfloat16')!, findPreset('uint8')!)).toBe('qdq');
});

test('a bad output is a warning that says what to do', () => {
  const output = {
    name: 'y',
    sqnrDb: 12.34,
    cosine: 1,
    maxAbsError: 1,
    top1Agreement: null,
    equalShare: null as number | null,
    nonFinite: { before: 0, after: 0, newNaN: 0, newInfinity: 0, lost: 0 },
    inconclusive: false,
    note: null,
  };
  const warnings = (change: Partial<typeof output>) =>
    runWarnings({ outputs: [{ ...output, ...change }] } as unknown as VerifyResult);
  expect(warnings({})[0]).toMatch(/^Output y has only 12\.3.dB: .*Keep the layers/);
  expect(warnings({ sqnrDb: -11 })[0]).toContain("its values differ strongly from the original's");
  expect(warnings({ sqnrDb: 35 })).toEqual([]);
  expect(warnings({ inconclusive: true })).toEqual([]);
  expect(warnings({ equalShare: 0.95 })).toEqual([]);
  expect(warnings({ equalShare: 0.75 })[0]).toMatch(
    /^Output y: 25\.0 % of its values differ from the original's\. Keep the layers/,
  );
  expect(outputSqnr({ ...output, equalShare: 0.9999 })).toMatch(/^99\.9.% equal$/);
  const nonFinite = { before: 0, after: 2, newNaN: 2, newInfinity: 0, lost: 0 };
  expect(warnings({ inconclusive: true, nonFinite: { ...output.nonFinite, lost: 96 } })).toEqual([
    'Output y: 96 values that are NaN or infinite in the original are others in the export. Check the inputs and the original.',
  ]);
  expect(warnings({ nonFinite })[0]).toMatch(/^Output y has 2 NaN that the original does not have/);
});

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PRESETS } from '../../../shared/presets.ts';
import {
  ALGORITHMS,
  BASE_SCHEME,
  describeScheme,
  fieldsOf,
  granularityOf,
  isCentred,
  scalingOf,
  schemeOf,
  SCHEME_DTYPES,
  withFields,
  type Granularity,
  type RangeMethod,
  type SchemeFields,
} from '../../../shared/scheme.ts';

const anyFields: fc.Arbitrary<SchemeFields> = fc
  .record(
    {
      dtype: fc.constantFrom(...SCHEME_DTYPES),
      symmetric: fc.boolean(),
      granularity: fc.constantFrom<Granularity>('tensor', 'channel', { block: 32 }),
      range: fc.constantFrom<RangeMethod>('minmax', 'mse', { percentile: 99 }, { clip: [-1, 1] }),
      narrowRange: fc.boolean(),
      signedScale: fc.boolean(),
      algorithm: fc.constantFrom(...ALGORITHMS),
      powerOfTwo: fc.boolean(),
      rounding: fc.constantFrom<'even' | 'zero'>('even', 'zero'),
    },
    { requiredKeys: [] },
  )
  .map((fields) => ({ ...BASE_SCHEME, ...fields }));

describe('a scheme has the fields that say something of its kind', () => {
  const scaling = { symmetric: false, granularity: { block: 32 }, range: 'mse' } as const;
  const { symmetric, range } = scaling;

  test.each<[Partial<SchemeFields>, ReturnType<typeof schemeOf>]>([
    [
      { dtype: 'float16', ...scaling },
      { kind: 'cast', dtype: 'float16' },
    ],
    [
      { dtype: 'int8' },
      {
        kind: 'affine',
        dtype: 'int8',
        symmetric: true,
        range: 'minmax',
        narrowRange: false,
        granularity: 'channel',
      },
    ],
    [
      { dtype: 'uint4', ...scaling },
      { kind: 'block', dtype: 'uint4', symmetric, range, narrowRange: false, block: 32 },
    ],
    [
      { dtype: 'int4', granularity: { block: 32 }, signedScale: true },
      {
        kind: 'block',
        dtype: 'int4',
        symmetric: true,
        range: 'minmax',
        narrowRange: false,
        block: 32,
        signedScale: true,
      },
    ],
    // Fixed point has its format's scale, unless it is shifted.
    [
      { dtype: 'q7', ...scaling, rounding: 'zero' },
      { kind: 'fixed', dtype: 'q7', rounding: 'zero', shift: null },
    ],
    [
      { dtype: 'q15', ...scaling, powerOfTwo: true },
      { kind: 'fixed', dtype: 'q15', rounding: 'even', shift: scaling },
    ],
  ])('%o', (fields, scheme) => {
    expect(schemeOf(fields)).toEqual(scheme);
  });

  test.each(['int8', 'int4', 'uint8', 'int16'] as const)('%s, narrow', (dtype) => {
    const isNarrow = dtype === 'int8' || dtype === 'int4';
    expect(schemeOf({ dtype, narrowRange: true })).toMatchObject({ narrowRange: isNarrow });
  });
});

test.each<Partial<SchemeFields>>([
  { dtype: 'int8', granularity: { block: 32 } },
  { dtype: 'int4', granularity: 'channel' },
  { dtype: 'int4', granularity: { block: 32 }, symmetric: false },
  { dtype: 'int4', granularity: { block: 32 }, narrowRange: true },
  { dtype: 'int4', granularity: { block: 32 }, range: { percentile: 99 } },
])('scales of either sign mean nothing of %o', (fields) => {
  expect(schemeOf({ ...fields, signedScale: true })).toEqual(schemeOf(fields));
});

test('the fields of a scheme make the same scheme', () => {
  fc.assert(
    fc.property(anyFields, (fields) => {
      const scheme = schemeOf(fields);
      expect(schemeOf(fieldsOf(scheme))).toEqual(scheme);
      expect(withFields(scheme, {})).toEqual(scheme);
    }),
  );
});

test('the fields of a preset are those that its file has, in the same order', () => {
  for (const { default: fields } of PRESETS)
    expect(JSON.stringify(fieldsOf(schemeOf(fields!)))).toBe(JSON.stringify(fields));
});

test('a tensor has one scale where a scheme has none to find', () => {
  fc.assert(
    fc.property(anyFields, (fields) => {
      const scheme = schemeOf(fields);
      const scaling = scalingOf(scheme);
      expect(granularityOf(scheme)).toEqual(scaling?.granularity ?? 'tensor');
      if (scaling === null) expect(isCentred(scheme)).toBe(true);
    }),
  );
});

test('tables name a scheme by its dtype and by what shares a scale', () => {
  const names = [
    { dtype: 'float16' },
    { dtype: 'int8' },
    { dtype: 'int4', granularity: { block: 32 } },
    { dtype: 'int4', granularity: { block: 32 }, algorithm: 'gptq' },
    { dtype: 'q7' },
    { dtype: 'q7', powerOfTwo: true },
  ] as const;
  expect(names.map((fields) => describeScheme(schemeOf(fields)))).toEqual([
    ...[
      'float16',
      'int8 channel',
      'int4 block 32',
      'int4 block 32 gptq',
      'q7 tensor',
      'q7 channel',
    ],
  ]);
});

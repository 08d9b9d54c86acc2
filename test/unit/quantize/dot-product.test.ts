import { describe, expect, test } from 'vitest';
import { DOT_FORMATS, type DotFormat } from '../../../shared/dot-product.ts';
import { dotProduct } from '../../../electron/engine/quantize/dot-product.ts';
import { float32Of, readGolden } from './goldens.ts';

type Figures = Readonly<Record<DotFormat | 'reference', number | string>>;
const { cases } = readGolden<{ cases: (Figures & { name: string; a: string; b: string })[] }>(
  'dot.json',
);

describe('dot products are those of torch, to the bit', () => {
  test.each(cases)('$name', ({ name: _, a, b, ...figures }) => {
    const { reference, rows } = dotProduct(float32Of(a), float32Of(b));
    expect(reference).toBe(Number(figures.reference));
    const found = rows.map(({ format, result }) => [format, (result ?? NaN) + 0]);
    const expected = DOT_FORMATS.map((format) => [
      format,
      figures[format] === 'inf' ? Infinity : Number(figures[format]) + 0,
    ]);
    expect(found).toEqual(expected);
  });
});

test('errors are against float64, absolute and relative, and what saturates is counted', () => {
  const { rows, reference } = dotProduct(Float32Array.of(1.5, 0.5), Float32Array.of(0.25, -0.5));
  expect(reference).toBe(0.125);
  const row = (format: DotFormat) => rows.find((each) => each.format === format)!;
  expect(row('float32')).toMatchObject({ result: 0.125, absoluteError: 0, relativeError: 0 });
  // 127/128 x 0.25 - 0.25
  expect(row('q7')).toMatchObject({ result: -0.001953125, absoluteError: 0.126953125, clipped: 1 });
  expect(row('q7').relativeError).toBe(1.015625);
  const zero = dotProduct(Float32Array.of(0), Float32Array.of(1));
  expect(zero.rows.map(({ relativeError }) => relativeError)).toEqual(DOT_FORMATS.map(() => null));
});

test('what is no number is computed with by floats alone', () => {
  const { rows } = dotProduct(Float32Array.of(NaN, 1), Float32Array.of(1, 1));
  expect(rows.map(({ result }) => result)).toEqual([NaN, NaN, NaN, null, null, null]);
  expect(rows.map(({ absoluteError }) => absoluteError)).toEqual([NaN, NaN, NaN, null, null, null]);
});

test('float64 values are downcast from what they are', () => {
  // Between two bfloat16 values, and above the middle by less than a float32 tells.
  const value = 1 + 2 ** -8 + 2 ** -40;
  const { rows } = dotProduct(Float64Array.of(value), Float64Array.of(1));
  expect(rows[1]!.result).toBe(1 + 2 ** -7);
});

import { describe, expect, test } from 'vitest';
import { differences } from '../../../../renderer/components/inspector/differences.ts';
import { errorRows, levelCount, span } from '../../../../renderer/components/inspector/figures.ts';
import {
  scalesAsTsv,
  scaleWriter,
} from '../../../../renderer/components/inspector/scales-table.ts';
import type { Figures } from '../../../../renderer/state/figures.ts';
import type { ModelSummary } from '../../../../shared/protocol.ts';
import { findPreset } from '../../../../shared/presets.ts';
import { BASE_SCHEME, schemeOf } from '../../../../shared/scheme.ts';
import { sideWith } from './reports.ts';

describe('scales', () => {
  test('are copied with nine digits, which give back the very float32', () => {
    const scale = [0.1, 3.3e-9, 123.456].map(Math.fround);
    const text = scalesAsTsv('channel', { scale, zeroPoint: [0, 0, -3] });
    const [head, ...rows] = text
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(head).toEqual(['channel', 'scale', 'zero_point']);
    expect(rows.map(([, value]) => Math.fround(Number(value)))).toEqual(scale);
    expect(rows.map(([index]) => index)).toEqual(['0', '1', '2']);
    expect(rows[2]?.[2]).toBe('-3');
  });

  test('of one column align on their point; those too small are a power of ten', () => {
    const write = scaleWriter([0.049, 0.0030122, 2.14e-9]);
    expect([write(0.049), write(0.0030122), write(2.14e-9), write(0)]).toEqual([
      '0.0490000',
      '0.0030122',
      '2.14e−9',
      '0.0000000',
    ]);
  });

  test('that are huge are powers of ten', () => {
    expect(scaleWriter([2.34e36, 1])(2.3412887e36)).toBe('2.34129e36');
  });
});

describe('figures', () => {
  test('a side that is left alone has dashes', () => {
    const rows = errorRows(sideWith({ sqnrDb: 33.216 }), sideWith({ quantized: false }));
    expect(rows.find(({ label }) => label === 'SQNR, dB')).toEqual({
      label: 'SQNR, dB',
      a: '33.22',
      b: '–',
    });
    expect(rows.every(({ b }) => b === '–')).toBe(true);
  });

  test('levels are the codes of an integer type, the bit patterns of a float one', () => {
    expect(levelCount(sideWith({}))).toBe(256);
    expect(levelCount(sideWith({ scheme: schemeOf({ narrowRange: true }) }))).toBe(255);
    expect(levelCount(sideWith({ scheme: schemeOf({ dtype: 'bfloat16' }) }))).toBe(65_536);
    expect(levelCount(sideWith({ scheme: null }))).toBeNull();
  });

  test('a span of equal values is one value', () => {
    expect([span([]), span([0.5, 0.5]), span([2, 0.5])]).toEqual(['–', '0.5', '0.5\u202f…\u202f2']);
  });
});

describe('differences', () => {
  const int8 = findPreset('int8')!;
  const float16 = findPreset('float16')!;
  const model = {
    tensors: [
      { id: 0, name: 'w0' },
      { id: 1, name: 'w1' },
    ],
  } as unknown as ModelSummary;
  const plain: Figures = {
    scheme: schemeOf(),
    reason: null,
    byRule: false,
    bytes: 1,
    db: 1,
    stale: false,
  };

  test('equal recipes have none', () => {
    const figures = { a: () => plain, b: () => plain };
    expect(differences({ a: int8, b: int8 }, model, [], figures)).toEqual([]);
  });

  test('what says nothing of a cast is no difference to one', () => {
    const a = { ...int8, default: { ...BASE_SCHEME, symmetric: false, range: { percentile: 99 } } };
    const figures = { a: () => plain, b: () => plain };
    const labels = (b: typeof int8) =>
      differences({ a, b }, model, [], figures).map(({ label }) => label);
    expect(labels(float16)).toEqual(['dtype']);
    expect(labels(int8)).toEqual(['Symmetry', 'Range']);
  });

  test('fields come first, then the layers that a rule makes different', () => {
    const ruled: Figures = { ...plain, scheme: null, byRule: true };
    const figures = { a: () => plain, b: (id: number) => (id === 1 ? ruled : plain) };
    expect(differences({ a: int8, b: float16 }, model, ['w0', 'layer 1'], figures)).toEqual([
      { label: 'dtype', a: 'int8', b: 'float16', tensor: null },
      { label: 'layer 1', a: 'int8 channel', b: 'kept', tensor: 1 },
    ]);
  });
});

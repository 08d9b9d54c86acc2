import { describe, expect, test } from 'vitest';
import {
  levelValues,
  rangeLanes,
  valueOf,
  weightDomain,
  widestMapping,
  type Mapping,
} from '../../../../renderer/charts/mapping.ts';
import type { TensorFigures } from '../../../../shared/report.ts';
import { summarizeScales } from '../../../../shared/scales.ts';
import { reportWith } from './reports.ts';
import { schemeOf } from '../../../../shared/scheme.ts';

/** The mapping of a side with this report and these scales. */
function mappingWith(
  scale: readonly number[],
  zeroPoint: readonly number[] = [],
  report: Partial<TensorFigures> = {},
): Mapping | null {
  const scales = summarizeScales({ scale, zeroPoint });
  return widestMapping({ report: reportWith(report), scales });
}

describe('widestMapping', () => {
  test('is that of the channel with the largest scale', () => {
    const mapping = mappingWith([0.1, 0.5, 0.2], [0, 0, 0]);
    expect(mapping).toMatchObject({ group: 1, groups: 3, unit: 'channel', lo: -64, hi: 63.5 });
  });

  test('an asymmetric range lies about its zero point', () => {
    const scheme = schemeOf({ dtype: 'uint8', symmetric: false, granularity: 'tensor' });
    const mapping = mappingWith([0.01], [174], { scheme })!;
    expect(mapping.lo).toBeCloseTo(-1.74, 10);
    expect(mapping.hi).toBeCloseTo(0.81, 10);
    expect(valueOf(mapping, 174)).toBe(0);
  });

  test('narrow range leaves the lowest code out', () => {
    const scheme = schemeOf({ narrowRange: true });
    expect(mappingWith([1], [], { scheme })).toMatchObject({ codeLo: -127, lo: -127 });
  });

  test('casts, tensors left alone and tensors without scales have none', () => {
    expect(mappingWith([], [], { scheme: schemeOf({ dtype: 'float16' }) })).toBeNull();
    expect(mappingWith([], [], { quantized: false, scheme: null })).toBeNull();
    expect(mappingWith([])).toBeNull();
  });
});

test('level lines are every n-th level from the lowest code on', () => {
  const mapping = mappingWith([1])!;
  // A level is one pixel wide, so every eighth is drawn.
  const values = levelValues(mapping, 1);
  expect(values.slice(0, 3)).toEqual([-128, -120, -112]);
  expect(values).toHaveLength(32);
  expect(levelValues(mapping, 0.1)).toHaveLength(256);
});

test('x holds all weights and the representable range', () => {
  const mapping = mappingWith([0.01]);
  const [lo, hi] = weightDomain({ lo: -0.5, hi: 2 }, mapping);
  expect(lo).toBeLessThan(-1.28);
  expect(hi).toBeGreaterThan(2);
  expect(weightDomain({ lo: 0, hi: 1 }, null)).toEqual([-0.03, 1.03]);
});

describe('rangeLanes', () => {
  const candidates = [
    { method: 'minmax', lo: -1, hi: 1 },
    { method: 'percentile 99.99', lo: -0.9, hi: 0.9 },
  ];
  const mapping = mappingWith([0.01]);

  test('mark the method that the recipe uses', () => {
    const scheme = schemeOf({ range: { percentile: 99.99 } });
    const lanes = rangeLanes(candidates, scheme, mapping);
    expect(lanes.map(({ name, isChosen }) => [name, isChosen])).toEqual([
      ['minmax', false],
      ['p 99.99', true],
      ['mse', false],
      ['entropy', false],
    ]);
    const byHand = schemeOf({ range: { clip: [-0.5, 0.5] } });
    expect(rangeLanes(candidates, byHand, mapping).at(-1)).toMatchObject({
      name: 'by hand',
      isChosen: true,
    });
  });

  test("add the recipe's own range where no candidate is of its method", () => {
    const scheme = schemeOf({ range: { percentile: 99 } });
    const own = rangeLanes(candidates, scheme, mapping).at(-1);
    expect(own).toMatchObject({ name: 'p 99', lo: -1.28, isChosen: true });
  });

  test('wait for no search of fixed point, whose ranges are not searched', () => {
    for (const powerOfTwo of [false, true]) {
      const lanes = rangeLanes(candidates, schemeOf({ dtype: 'q7', powerOfTwo }), mapping);
      expect(lanes.map(({ name }) => name)).toEqual(['minmax', 'p 99.99']);
    }
  });

  test('mark none of a cast', () => {
    const lanes = rangeLanes(candidates, schemeOf({ dtype: 'float16' }), null);
    expect(lanes.some(({ isChosen }) => isChosen)).toBe(false);
  });
});

test('a negative scale turns the codes around, and its range still goes upwards', () => {
  const scheme = schemeOf({ dtype: 'int4', granularity: { block: 32 }, signedScale: true });
  const mapping = mappingWith([0.25, -0.5], [], { scheme })!;
  expect(mapping).toMatchObject({ group: 1, scale: -0.5, lo: -3.5, hi: 4 });
  expect(valueOf(mapping, -8)).toBe(4);
  expect(levelValues(mapping, 0.01)).toHaveLength(16);
});

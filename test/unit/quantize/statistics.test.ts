import { describe, expect, test } from 'vitest';
import { arraySource, decodeValues } from '../../../electron/engine/quantize/chunks.ts';
import { groupingOf, layoutOf } from '../../../electron/engine/quantize/layout.ts';
import { computeStatistics, groupRanges } from '../../../electron/engine/quantize/statistics.ts';
import { normalValues } from '../../helpers/random.ts';

function statisticsOf(values: number[], bins = 4) {
  return computeStatistics(arraySource(Float64Array.from(values), 'float64', 3), null, bins)
    .statistics;
}

describe('statistics of a tensor', () => {
  test('range, mean and population standard deviation are of all values', () => {
    expect(statisticsOf([2, 4, 4, 4, 5, 5, 7, 9])).toMatchObject({
      elements: 8,
      min: 2,
      max: 9,
      absMax: 9,
      mean: 5,
      std: 2,
      nans: 0,
      infinities: 0,
      firstNonFinite: null,
    });
  });

  test('a large mean does not drown the deviation', () => {
    expect(statisticsOf([1e9 + 1, 1e9 + 2, 1e9 + 3]).std).toBeCloseTo(Math.sqrt(2 / 3), 12);
  });

  test('NaN and infinities are counted, the first is named, and the rest goes on without them', () => {
    expect(statisticsOf([1, 2, 3, 4, NaN, -Infinity, Infinity, 6])).toMatchObject({
      min: 1,
      max: 6,
      mean: 3.2,
      nans: 1,
      infinities: 2,
      firstNonFinite: 4,
      histogram: { lo: 1, hi: 6, counts: [2, 1, 1, 1] },
    });
  });

  test('an empty tensor, and one without finite values, have zeros everywhere', () => {
    const zeros = { min: 0, max: 0, absMax: 0, mean: 0, std: 0 };
    expect(statisticsOf([])).toMatchObject({ ...zeros, elements: 0, firstNonFinite: null });
    const none = statisticsOf([NaN, Infinity]);
    expect(none).toMatchObject({ ...zeros, elements: 2, nans: 1, firstNonFinite: 0 });
    expect(none.histogram.counts).toEqual([0, 0, 0, 0]);
  });

  test('subnormals are those of the type that the values are stored in, zeros apart', () => {
    const bytes = new Uint8Array(Uint16Array.of(0, 0x8000, 1, 0x03ff, 0x0400, 0x8001).buffer);
    const source = arraySource(decodeValues(bytes, 'float16'), 'float16');
    expect(computeStatistics(source, null, 1).statistics).toMatchObject({
      zeros: 2,
      subnormals: 3,
    });
    const single = arraySource(Float32Array.of(2 ** -126, 2 ** -127, -(2 ** -149), 0));
    expect(computeStatistics(single, null, 1).statistics).toMatchObject({
      zeros: 1,
      subnormals: 2,
    });
  });
});

describe('histograms', () => {
  test('bins are equal, open above but for the last, which includes the maximum', () => {
    const { histogram } = statisticsOf([0, 0.999, 1, 2, 3, 4, 4]);
    expect(histogram).toEqual({ lo: 0, hi: 4, counts: [2, 1, 1, 3] });
  });

  test('a constant tensor has its values in the middle of a range of width 1', () => {
    expect(statisticsOf([3, 3], 4).histogram).toEqual({ lo: 2.5, hi: 3.5, counts: [0, 0, 2, 0] });
  });

  test('a huge constant still has a range with width', () => {
    const { histogram } = statisticsOf([2 ** 100], 2);
    expect(histogram).toEqual({ lo: 2 ** 99, hi: 1.5 * 2 ** 100, counts: [0, 1] });
  });

  test('a range wider than the largest double is divided evenly all the same', () => {
    const { histogram } = statisticsOf([-1.5e308, 1.5e308, 0, -1e308], 4);
    expect(histogram.counts).toEqual([2, 0, 1, 1]);
  });

  test('every finite value is in exactly one bin', () => {
    const values = normalValues(10_000, 5);
    const { histogram } = computeStatistics(arraySource(values), null, 2048).statistics;
    expect(histogram.counts.reduce((a, b) => a + b, 0)).toBe(10_000);
  });
});

describe('ranges of groups', () => {
  const shape = [3, 4, 5];
  const values = normalValues(60, 9);
  const at = (i: number, j: number, k: number): number => values[(i * 4 + j) * 5 + k]!;

  function expected(groups: number, groupOf: (i: number, j: number, k: number) => number) {
    const min = new Float64Array(groups).fill(Infinity);
    const max = new Float64Array(groups).fill(-Infinity);
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 4; j++)
        for (let k = 0; k < 5; k++) {
          const group = groupOf(i, j, k);
          min[group] = Math.min(min[group]!, at(i, j, k));
          max[group] = Math.max(max[group]!, at(i, j, k));
        }
    return { min, max };
  }

  test.each([0, 1, 2])('per channel of axis %i, whatever the runs', (axis) => {
    for (const chunk of [1, 7, 60]) {
      const source = arraySource(values, 'float32', chunk);
      const { channels } = computeStatistics(source, layoutOf(shape, axis), 1);
      expect(channels).toEqual(expected(shape[axis]!, (...index) => index[axis]!));
    }
  });

  test('blocks along the last axis are numbered as the scale tensor stores them', () => {
    const grouping = groupingOf([12, 5], 0, { block: 2 });
    expect(grouping.groups).toBe(3 * 4 * 3);
    for (const chunk of [1, 7, 60])
      expect(groupRanges(arraySource(values, 'float32', chunk), grouping)).toEqual(
        expected(36, (i, j, k) => (i * 4 + j) * 3 + (k >> 1)),
      );
  });

  test('blocks along an inner axis are numbered as the scale tensor stores them', () => {
    const grouping = groupingOf(shape, 2, { block: 3 });
    expect(grouping.groups).toBe(3 * 2 * 5);
    for (const chunk of [1, 7, 60])
      expect(groupRanges(arraySource(values, 'float32', chunk), grouping)).toEqual(
        expected(30, (i, j, k) => (i * 2 + Math.floor(j / 3)) * 5 + k),
      );
  });

  test('a channel without finite values has the range 0 to 0', () => {
    const source = arraySource(Float32Array.of(NaN, -2, Infinity, -1));
    const { channels, statistics } = computeStatistics(source, layoutOf([2, 2], 1), 1);
    expect(channels).toEqual({ min: Float64Array.of(0, -2), max: Float64Array.of(0, -1) });
    expect(statistics).toMatchObject({ min: -2, max: -1 });
  });
});

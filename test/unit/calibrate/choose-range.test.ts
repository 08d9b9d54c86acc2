import { describe, expect, test } from 'vitest';
import { chooseRange } from '../../../electron/engine/calibrate/choose-range.ts';
import { ValueObserver } from '../../../electron/engine/calibrate/observer.ts';
import { plainReductions } from '../../../electron/engine/kernels/reference/plain-reductions.ts';
import { activationParameters } from '../../../electron/engine/quantize/activation-parameters.ts';
import { restoredValue, unclippedCode } from '../../../shared/affine.ts';
import type { ObservedValue } from '../../../shared/ranges.ts';
import type { ActivationScheme } from '../../../shared/recipe.ts';
import { randomValues } from '../../helpers/onnx-model.ts';

const UINT8: ActivationScheme = { dtype: 'uint8', symmetric: false, range: 'minmax' };

/** What is observed of samples, in the two rounds of a calibration. */
function observe(...samples: (readonly number[])[]): ObservedValue {
  const observer = new ValueObserver('v', plainReductions);
  for (const round of ['addRange', 'addCounts'] as const)
    for (const sample of samples) observer[round](Float32Array.from(sample), [sample.length]);
  return observer.result()!;
}

/** Gaussian-like values with a few far outliers. */
function outliers(): number[] {
  const values = randomValues(40_000, 7).map((value, at) => value * randomValues(1, at)[0]!);
  return [...values, 30, -28];
}

describe('parameters of activations', () => {
  test('a range is extended to hold 0', () => {
    expect(activationParameters(UINT8, { low: 2, high: 5 })).toEqual({
      scale: Math.fround(5 / 255),
      zeroPoint: 0,
    });
    expect(activationParameters(UINT8, { low: -5, high: -2 })).toEqual({
      scale: Math.fround(5 / 255),
      zeroPoint: 255,
    });
  });

  test('a value that is always 0 has scale 1 and zero point 0, in each type', () => {
    for (const dtype of ['uint8', 'int8', 'uint16', 'int16'] as const)
      for (const symmetric of [true, false])
        expect(activationParameters({ ...UINT8, dtype, symmetric }, { low: 0, high: 0 })).toEqual({
          scale: 1,
          zeroPoint: 0,
        });
  });

  test('the zero point is found from the scale before that is rounded to float32', () => {
    const [low, high] = [Math.fround(-1.1), Math.fround(2.3)];
    const exact = Math.fround(high - low) / 255;
    expect(activationParameters(UINT8, { low, high })).toEqual({
      scale: Math.fround(exact),
      zeroPoint: Math.round(-low / exact),
    });
  });

  test('signed symmetric types leave their lowest code out', () => {
    const range = { low: -1, high: 0.5 };
    expect(activationParameters({ ...UINT8, dtype: 'int8', symmetric: true }, range)).toEqual({
      scale: Math.fround(1 / 127),
      zeroPoint: 0,
    });
    expect(activationParameters({ ...UINT8, dtype: 'int16', symmetric: true }, range)).toEqual({
      scale: Math.fround(1 / 32767),
      zeroPoint: 0,
    });
  });
});

describe('observation', () => {
  test('a range grows over samples, and no count is lost', () => {
    const observed = observe([0.5, 0.25], [-3, 1], [100]);
    expect([observed.min, observed.max, observed.count]).toEqual([-3, 100, 5]);
    expect(observed.histogram.reduce((sum, count) => sum + count, 0)).toBe(5);
  });

  test('NaN and infinities are counted and left out', () => {
    const observed = observe([1, NaN, -2], [Infinity, -Infinity, 0]);
    expect(observed).toMatchObject({ min: -2, max: 1, count: 3, nonFinite: 3 });
    expect(observed.histogram.reduce((sum, count) => sum + count, 0)).toBe(3);
  });

  test('samples in another order give the same', () => {
    const [first, second] = [randomValues(500, 1), randomValues(300, 2)];
    const [one, other] = [observe(first, second), observe(second, first)];
    expect(other.histogram).toEqual(one.histogram);
    expect([other.min, other.max]).toEqual([one.min, one.max]);
  });
});

describe('methods', () => {
  const observed = observe(outliers());
  const width = (range: ActivationScheme['range']): number => {
    const { low, high } = chooseRange(observed, { ...UINT8, range });
    return high - low;
  };

  test('entropy searches: outliers do not set the range', () => {
    expect(width('minmax')).toBe(58);
    expect(width('entropy')).toBeLessThan(58 / 4);
    expect(width('entropy')).toBeGreaterThan(0.5);
  });

  test('percentile cuts the share that it names, at both ends', () => {
    expect(width({ percentile: 100 })).toBe(58);
    expect(width({ percentile: 99 })).toBeLessThan(3);
  });

  test('a percentile ends where numpy and onnxruntime end it when a share lies exactly on a bin', () => {
    // 1000 values: 995 are 0.5 or less, so that 0.995 of them end in the bin of 0.5.
    const values = [...new Array<number>(990).fill(0.1), 0.5, 0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1, 1];
    const { high } = chooseRange(observe(values), { ...UINT8, range: { percentile: 99 } });
    expect(high).toBeLessThan(0.51);
  });

  test('mse is never worse than minmax on the values themselves', () => {
    for (const values of [outliers(), randomValues(5000, 3), randomValues(999, 4).map(Math.abs)]) {
      const seen = observe(values);
      const error = (range: ActivationScheme['range']): number => {
        const chosen = chooseRange(seen, { ...UINT8, range });
        const { scale, zeroPoint } = activationParameters(UINT8, chosen);
        return values.reduce((sum, value) => {
          const code = Math.min(255, Math.max(0, unclippedCode(value, scale, zeroPoint, 'even')));
          return sum + (value - restoredValue(code, scale, zeroPoint)) ** 2;
        }, 0);
      };
      expect(error('mse')).toBeLessThanOrEqual(error('minmax') * 1.001);
    }
    expect(width('mse')).toBeLessThan(58);
  });
});

describe('observed values', () => {
  const observed = (values: readonly number[], dims: readonly number[], axis: number) => {
    const observer = new ValueObserver('v', plainReductions, axis);
    observer.addRange(Float32Array.from(values), dims);
    return observer.result()!;
  };

  test('leave out NaN and infinities, also in the means and peaks of channels', () => {
    const values = [1, NaN, 3, Infinity, 5, -Infinity, 7, 9];
    const { min, max, mean, power, count, nonFinite, channels } = observed(values, [2, 2, 2], 1);
    expect({ min, max, mean, power, count, nonFinite }).toEqual({
      ...{ min: 1, max: 9, mean: 5, power: 33, count: 5, nonFinite: 3 },
    });
    expect(channels).toEqual({ means: [3, 19 / 3], peaks: [5, 9], shape: [2, 2, 2] });
  });

  test('have channels along the last axis where it is counted from the end', () => {
    expect(observed([1, 2, 3, 4, 5, 6], [2, 3], -1).channels!.means).toEqual([2.5, 3.5, 4.5]);
  });

  test('have no channels where samples differ in their number', () => {
    const observer = new ValueObserver('v', plainReductions, 1);
    observer.addRange(Float32Array.of(1, 2), [1, 2]);
    observer.addRange(Float32Array.of(1, 2, 3), [1, 3]);
    expect(observer.result()!.channels).toBe(undefined);
  });
});

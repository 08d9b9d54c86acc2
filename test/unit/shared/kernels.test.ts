import { describe, expect, test } from 'vitest';
import { whySlower, type Kernels } from '../../../shared/kernels.ts';

const NONE: Kernels = {
  integer: 0,
  float: 10,
  total: 12,
  unfused: 0,
  integerNodes: [],
  floatNodes: [],
  unfusedNodes: [],
};
const why = (kernels: Partial<Kernels>, msAfter = 15): string | null =>
  whySlower({ msBefore: 10, msAfter, kernels: { ...NONE, ...kernels } });
const group = (op: string, count: number) => ({ op, count, names: [] });

describe('why an export is slower', () => {
  test('says nothing of an export that is as fast, or of which nothing is known', () => {
    expect(why({}, 10.4)).toBeNull();
    expect(whySlower({ msBefore: 10, msAfter: 15, kernels: null })).toBeNull();
  });

  test('names the weights that are restored at each run', () => {
    const unfusedNodes = [{ ...group('Conv', 28), of: 'weights' as const }];
    expect(why({ unfused: 28, unfusedNodes })).toBe(
      "The export takes 1.50 times the original's time: 28 DequantizeLinear nodes restore weights to floats at each run, for Conv 28.",
    );
  });

  test('names pairs of activations that are not fused, and inputs that are quantized at each run', () => {
    const unfusedNodes = [{ ...group('HardSwish', 1), of: 'activations' as const }];
    const integerNodes = [group('QLinearConv', 2), group('ConvInteger', 3)];
    expect(why({ integer: 5, integerNodes, unfused: 1, unfusedNodes })).toBe(
      "The export takes 1.50 times the original's time: 1 Q/DQ pair of activations is not fused, before HardSwish 1; inputs are quantized at each run, for ConvInteger 3.",
    );
  });

  test('says how many nodes work on floats where nothing else is known', () => {
    expect(why({})).toMatch(/: no node works on integers\.$/);
    expect(why({ integer: 5 })).toMatch(/: 10 of 15 nodes work on floats/);
  });
});

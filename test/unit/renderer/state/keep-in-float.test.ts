import { expect, test } from 'vitest';
import { withFloat, withInt16 } from '../../../../renderer/state/keep-in-float.ts';
import { planWeights } from '../../../../shared/plan.ts';
import { findPreset } from '../../../../shared/presets.ts';
import { tensor } from '../tensors.ts';

test('kept weights are kept by the last rule, and operators without weights keep their activations', () => {
  const before = findPreset('static-int8')!;
  const kept = withFloat(before, { tensors: ['w(1)'], operators: ['relu'] });
  expect(kept.rules).toEqual([
    { match: { name: '^w\\(1\\)$' }, scheme: null },
    { match: { name: '^relu$' }, activations: null },
  ]);
  const big = { elements: 4096, bytes: 16_384, shape: [64, 64] };
  const tensors = [tensor(0, { name: 'w(1)', ...big }), tensor(1, { name: 'w2', ...big })];
  expect(planWeights(tensors, kept).map(({ scheme }) => scheme === null)).toEqual([true, false]);
  expect(withFloat(before, { tensors: [], operators: [] })).toBe(before);
});

test('weights in int16 are a rule of their names after the others, one scale per channel', () => {
  const before = withFloat(findPreset('int4-block32')!, { tensors: ['w'], operators: [] });
  const { rules } = withInt16(before, ['w', 'v']);
  expect(rules).toHaveLength(2);
  expect(rules[0]).toMatchObject({
    scheme: { dtype: 'int16', symmetric: true, granularity: 'channel' },
  });
});

import { expect, test } from 'vitest';
import { errorJumps, type LayerError } from '../../../shared/layer-errors.ts';

function layers(...figures: readonly (readonly [number | null, number | null])[]): LayerError[] {
  return figures.map(([localSqnrDb, accumulatedSqnrDb], operator) => ({
    ...{ name: `layer${operator}`, op: 'MatMul', operator, tensors: [operator] },
    ...{ localSqnrDb, accumulatedSqnrDb },
  }));
}

test('a jump is a layer below every layer before it by 6 dB or more, the largest first', () => {
  const found = layers([45, 45], [46, 38], [44, 60], [45, 38.5], [12, 12], [45, 14]);
  expect(errorJumps(found, 3)).toEqual([
    { at: 4, dropDb: 26 },
    { at: 1, dropDb: 7 },
  ]);
  expect(errorJumps(found, 1)).toEqual([{ at: 4, dropDb: 26 }]);
});

test('the first layer is held against the median of the local errors', () => {
  expect(errorJumps(layers([10, 10], [45, 10], [46, 9]), 3)).toEqual([{ at: 0, dropDb: 35 }]);
});

test('layers without errors, exact ones and no layers at all make no jump', () => {
  expect(errorJumps([], 3)).toEqual([]);
  expect(errorJumps(layers([null, null], [Infinity, Infinity]), 3)).toEqual([]);
});

import { expect, test } from 'vitest';
import {
  groupFigures,
  groupKey,
  groupName,
  groupRows,
  inEveryBlock,
} from '../../../../renderer/state/groups.ts';
import { schemeOf } from '../../../../shared/scheme.ts';
import { figures, tensor } from '../tensors.ts';

/** Three blocks of a weight and a bias each, a head, and a tensor without a block. */
const stack = ['0', '1', '2'].flatMap((number) =>
  ['weight', 'bias'].map((last) => ({
    name: `layers.${number}.fc.${last}`,
    layer: `layers.${number}.fc`,
    block: 'layers.0..2.fc',
  })),
);
const model = [...stack, { name: 'head.weight', layer: 'head', block: 'head' }, {}].map(
  (rest, id) => tensor(id, rest),
);
const keys = model.map(groupKey);

test('a layer is found in every block of its stack, under the same name, and nothing else is', () => {
  expect(inEveryBlock(model, 2)).toEqual([0, 2, 4]);
  expect(inEveryBlock(model, 1)).toEqual([1, 3, 5]);
  expect(inEveryBlock(model, 6)).toEqual([6]);
  expect(inEveryBlock(model, 7)).toEqual([7]);
  expect(inEveryBlock([], 0)).toEqual([0]);
});

test('one of another shape, op, role or dtype is not alike', () => {
  const first = model[0]!;
  for (const rest of [{ shape: [64, 32] }, { op: 'Gather' }, { role: 'bias' as const }])
    expect(groupKey(tensor(0, { ...first, ...rest }))).not.toBe(keys[0]);
  expect(groupKey(tensor(0, { ...first, dtype: 'float16' }))).not.toBe(keys[0]);
});

test('rows are folded where their first member stands, in the order given, and spread out there together', () => {
  const rows = groupRows([6, 4, 1, 0, 7], keys, () => false);
  expect(rows.map(({ members }) => members)).toEqual([[6], [4, 0], [1], [7]]);
  expect(rows.map(({ id }) => id)).toEqual([6, 4, 1, 7]);
  const spread = groupRows([6, 4, 1, 0, 3], keys, (group) => group === keys[0]);
  expect(spread.map(({ members }) => members)).toEqual([[6], [4], [0], [1, 3]]);
});

test('a folded row is named by its span of blocks and what follows the layer', () => {
  expect(groupName(model[2]!, 'layers.1.fc')).toBe('layers.0..2.fc');
  expect(groupName(model[3]!, 'layers.1.fc.bias')).toBe('layers.0..2.fc.bias');
});

test('a folded row adds up bytes and shows the worst SQNR of those quantized', () => {
  const kept = figures({ scheme: null, db: Infinity, bytes: 100, reason: 'too small' });
  const all = groupFigures([figures({ db: 40, bytes: 10 }), figures({ db: 35, bytes: 20 }), kept]);
  expect(all).toMatchObject({ scheme: schemeOf(), schemes: 2, bytes: 130, db: 35 });
  expect(all.reason).toBe('too small');
  expect(groupFigures([kept, kept])).toMatchObject({ scheme: null, schemes: 1, db: Infinity });
  expect(groupFigures([figures({ db: 40 }), figures({ db: undefined })]).db).toBeUndefined();
  expect(groupFigures([figures({ db: null }), figures({ db: 12 })]).db).toBe(12);
  expect(groupFigures([figures({ db: null })]).db).toBeNull();
  expect(groupFigures([figures({ byRule: true }), figures({ stale: true })])).toMatchObject({
    byRule: true,
    stale: true,
  });
});

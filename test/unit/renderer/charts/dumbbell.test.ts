import { describe, expect, test } from 'vitest';
import { decibelDomain, dumbbellRows } from '../../../../renderer/charts/dumbbell.ts';
import type { Figures } from '../../../../renderer/state/figures.ts';
import type { Role } from '../../../../shared/model.ts';
import type { TensorSummary } from '../../../../shared/protocol.ts';
import { schemeOf } from '../../../../shared/scheme.ts';

function tensor(id: number, role: Role = 'weight'): TensorSummary {
  return {
    id,
    name: `t${id}`,
    dtype: 'float32',
    shape: [4],
    elements: 4,
    bytes: 16,
    layer: '',
    op: 'Conv',
    role,
    axis: 0,
    storage: 'inline',
    graph: '',
    consumers: [],
    quantization: null,
  };
}

function figures(db: number | null | undefined, isKept = false): Figures {
  const scheme = isKept ? null : schemeOf();
  return { scheme, reason: null, byRule: false, bytes: 4, db, stale: false };
}

function rowsOf(pairs: readonly (readonly [Figures, Figures])[]) {
  return dumbbellRows(
    pairs.map((_, id) => tensor(id)),
    {
      figures: { a: (id) => pairs[id]![0], b: (id) => pairs[id]![1] },
      isOutlier: (id) => id === 1,
      name: (id) => `layer ${id}`,
    },
  );
}

const KEPT = figures(Infinity, true);

describe('dumbbellRows', () => {
  test('the worst comes first, by the lower of the two', () => {
    const rows = rowsOf([
      [figures(40), figures(30)],
      [figures(20), figures(50)],
      [figures(35), KEPT],
    ]);
    expect(rows.map(({ tensor }) => tensor)).toEqual([1, 0, 2]);
    expect(rows.map(({ note }) => note)).toEqual(['+30.0', '−10.0', 'B kept']);
    expect(rows.map(({ isOutlier }) => isOutlier)).toEqual([true, false, false]);
  });

  test('layers that neither recipe quantizes are left out, as are tensors that are no weights', () => {
    expect(rowsOf([[KEPT, KEPT]])).toEqual([]);
    const source = {
      figures: { a: () => figures(1), b: () => figures(1) },
      isOutlier: () => false,
      name: () => '',
    };
    expect(dumbbellRows([tensor(0, 'bias')], source)).toEqual([]);
  });

  test("figures that are not known or do not exist have no mark and come last, in the model's order", () => {
    const rows = rowsOf([
      [figures(undefined), figures(undefined)],
      [figures(null), figures(null)],
      [figures(Infinity), figures(60)],
    ]);
    expect(rows.map(({ tensor, a, b, note }) => [tensor, a, b, note])).toEqual([
      [2, Infinity, 60, 'A exact'],
      [0, null, null, ''],
      [1, null, null, ''],
    ]);
  });
});

test('where both are exact there is nothing to tell apart', () => {
  expect(rowsOf([[figures(Infinity), figures(Infinity)]])[0]?.note).toBe('exact');
});

test('x goes out to the next ten decibels on both sides', () => {
  expect(decibelDomain(rowsOf([[figures(24.6), figures(81.1)]]))).toEqual([20, 90]);
  expect(decibelDomain(rowsOf([[figures(Infinity), figures(Infinity)]]))).toEqual([10, 60]);
});

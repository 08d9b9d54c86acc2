/* eslint-disable svelte/prefer-svelte-reactivity -- the set is replaced as a whole, never changed */
import { untrack } from 'svelte';
import { deltaDb } from './figures.ts';
import {
  type ColumnChoice,
  type ColumnKey,
  filterRows,
  rowNames,
  sortRows,
  type RoleFilter,
  type RowFigures,
  type Sort,
} from './table.ts';
import type { Workbench } from './workbench.svelte.ts';

/** The rows that the table shows: filtered and sorted tensor ids. */
export class Rows {
  readonly #workbench: Workbench;
  readonly #figures: RowFigures;
  text = $state('');
  op = $state<string | null>(null);
  role = $state<RoleFilter>('weights');
  outliersOnly = $state(false);
  sort = $state.raw<Sort | null>(null);
  columns = $state.raw<ColumnChoice>({});
  /** The columns that the table has room for, as it tells. */
  shownColumns = $state.raw<ReadonlySet<ColumnKey>>(new Set());

  readonly #tensors = $derived.by(() => this.#workbench.model?.tensors ?? []);
  readonly names = $derived.by(() => rowNames(this.#tensors));

  readonly outliers = $derived.by(
    () => this.#tensors.filter((tensor) => this.isOutlier(tensor.id)).length,
  );

  /**
   * The ids shown. Filters and heads act at once on the figures of that moment; while figures stream in
   * rows stay where they are, and the order follows when they have settled.
   */
  readonly ids = $derived.by((): readonly number[] => {
    const tensors = this.#tensors;
    const { text, op, role, outliersOnly, sort } = this;
    const { compare, sides } = this.#workbench;
    void [compare, sides.a.settled, sides.b.settled];
    return untrack(() => {
      const kept = filterRows(tensors, { text, op, role, outliersOnly }, this.#figures);
      return sortRows(kept, tensors, sort, this.#figures);
    });
  });

  constructor(workbench: Workbench) {
    this.#workbench = workbench;
    const { a, b } = workbench.sides;
    this.#figures = {
      a: (id) => a.figures(id),
      b: (id) => b.figures(id),
      delta: (id) => deltaDb(a.figures(id), b.figures(id)),
      isOutlier: (id) => this.isOutlier(id),
      name: (tensor) => this.names[tensor.id] ?? tensor.name,
      spread: (id) => workbench.statistics(id)?.std ?? null,
    };
  }

  isOutlier(id: number): boolean {
    const { sides, compare } = this.#workbench;
    return sides.a.isOutlier(id) || (compare && sides.b.isOutlier(id));
  }

  /** Show every row of the role again. */
  clear(): void {
    this.text = '';
    this.op = null;
    this.outliersOnly = false;
  }

  /** Start over with another model, whose ops and roles are others. */
  reset(): void {
    this.clear();
    this.role = 'weights';
    this.sort = null;
  }
}

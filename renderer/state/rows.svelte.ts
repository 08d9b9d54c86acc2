/* eslint-disable svelte/prefer-svelte-reactivity -- the set is replaced as a whole, never changed */
import { untrack } from 'svelte';
import { deltaDb } from './figures.ts';
import { groupKey, groupRows, type TableRow } from './groups.ts';
import {
  type ColumnChoice,
  type ColumnKey,
  filterRows,
  sortRows,
  type RoleFilter,
  type RowFigures,
  type Sort,
} from './table.ts';
import type { Calibration } from './calibration.svelte.ts';
import type { Analyses } from './analyses.svelte.ts';
import type { Runs } from './runs.svelte.ts';
import type { StoreHost } from './store-host.ts';

/** What this store takes of the workbench. */
type Host = Pick<StoreHost, 'model' | 'compare' | 'nameOf'> & {
  readonly analyses: Analyses;
  readonly calibration: { readonly layers: Calibration['layers'] };
  readonly runs: Pick<Runs, 'layerErrors'>;
};

/** The rows that the table shows: filtered and sorted tensor ids. */
export class Rows {
  readonly #workbench: Host;
  readonly #figures: RowFigures;
  text = $state('');
  op = $state<string | null>(null);
  role = $state<RoleFilter>('weights');
  outliersOnly = $state(false);
  sort = $state.raw<Sort | null>(null);
  /** Whether layers that are alike in every block share a row. */
  areBlocksFolded = $state(true);
  /** The groups that are spread out nevertheless. */
  #spread = $state.raw<ReadonlySet<string>>(new Set());
  columns = $state.raw<ColumnChoice>({});
  /** A tensor that the table is to scroll to; null once it has. */
  revealed = $state<number | null>(null);
  /** The columns that the table has room for, as it tells. */
  shownColumns = $state.raw<ReadonlySet<ColumnKey>>(new Set());

  readonly #tensors = $derived.by(() => this.#workbench.model?.tensors ?? []);
  /** px that the person gave the layers' names; null for what the other columns leave. */
  layerWidth = $state<number | null>(null);

  readonly #groups = $derived.by(() => this.#tensors.map(groupKey));
  readonly hasBlocks = $derived(this.#groups.some((group) => group !== null));

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
    const { compare, analyses } = this.#workbench;
    const { sides } = analyses;
    void [compare, sides.a.settled, sides.b.settled];
    return untrack(() => {
      const kept = filterRows(tensors, { text, op, role, outliersOnly }, this.#figures);
      return sortRows(kept, tensors, sort, this.#figures);
    });
  });

  /** The rows that the table draws for them. */
  readonly shown = $derived.by((): readonly TableRow[] => {
    const spread = this.#spread;
    const groups = this.#groups;
    if (!this.areBlocksFolded)
      return this.ids.map((id) => ({ id, members: [id], group: groups[id] ?? null }));
    return groupRows(this.ids, groups, (group) => spread.has(group));
  });

  readonly #rowOf = $derived.by(
    () => new Map(this.shown.flatMap(({ members }, row) => members.map((id) => [id, row]))),
  );

  constructor(workbench: Host) {
    this.#workbench = workbench;
    const { a, b } = workbench.analyses.sides;
    this.#figures = {
      a: (id) => a.figures(id),
      b: (id) => b.figures(id),
      delta: (id) => deltaDb(a.figures(id), b.figures(id)),
      isOutlier: (id) => this.isOutlier(id),
      name: ({ id }) => workbench.nameOf(id),
      output: (side, id) => workbench.calibration.layers[side].get(id),
      layerError: (side, id) => workbench.runs.layerErrors[side].get(id),
      spread: (id) => workbench.analyses.statistics(id)?.std ?? null,
    };
  }

  isOutlier(id: number): boolean {
    const { analyses, compare } = this.#workbench;
    const { sides } = analyses;
    return sides.a.isOutlier(id) || (compare && sides.b.isOutlier(id));
  }

  /** The row that shows a tensor; -1 where none does. */
  rowOf(id: number | null): number {
    return id === null ? -1 : (this.#rowOf.get(id) ?? -1);
  }

  /** Whether a row can be spread out into its blocks (false) or folded again (true); null for others. */
  isSpread({ group, members }: TableRow): boolean | null {
    if (group === null || !this.areBlocksFolded) return null;
    if (members.length > 1) return false;
    return this.#spread.has(group) ? true : null;
  }

  /** Spread a row out into its blocks, or fold it again. */
  toggleSpread({ group }: TableRow): void {
    if (group === null) return;
    const spread = new Set(this.#spread);
    if (!spread.delete(group)) spread.add(group);
    this.#spread = spread;
  }

  /** Whether a filter leaves out weights. */
  get isFiltered(): boolean {
    const { text, op, outliersOnly, role } = this;
    return (
      text.trim() !== '' || op !== null || outliersOnly || (role !== 'weights' && role !== 'all')
    );
  }

  /** Scroll to a tensor; a filter that hides it is cleared. */
  reveal(tensor: number): void {
    if (this.rowOf(tensor) < 0) this.clear();
    this.revealed = tensor;
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
    this.#spread = new Set();
    this.sort = null;
  }
}

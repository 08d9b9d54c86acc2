import { deltaDb } from './figures.ts';
import {
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
  text = $state('');
  op = $state<string | null>(null);
  role = $state<RoleFilter>('weights');
  outliersOnly = $state(false);
  sort = $state.raw<Sort | null>(null);

  readonly names = $derived.by(() => rowNames(this.#workbench.model?.tensors ?? []));

  readonly #figures = $derived.by((): RowFigures => {
    const { a, b } = this.#workbench.sides;
    const { compare } = this.#workbench;
    return {
      a: (id) => a.figures(id),
      b: (id) => b.figures(id),
      delta: (id) => deltaDb(a.figures(id), b.figures(id)),
      isOutlier: (id) => a.isOutlier(id) || (compare && b.isOutlier(id)),
      name: (tensor) => this.names[tensor.id] ?? tensor.name,
      spread: (id) => {
        const statistics = this.#workbench.statistics(id);
        return statistics === undefined ? null : statistics.std;
      },
    };
  });

  readonly outliers = $derived.by(() => {
    const { isOutlier } = this.#figures;
    void this.#workbench.sides.a.version;
    return (this.#workbench.model?.tensors ?? []).filter((tensor) => isOutlier(tensor.id)).length;
  });

  readonly ids = $derived.by(() => {
    const tensors = this.#workbench.model?.tensors ?? [];
    const { text, op, role, outliersOnly } = this;
    const kept = filterRows(tensors, { text, op, role, outliersOnly }, this.#figures);
    return sortRows(kept, tensors, this.sort, this.#figures);
  });

  constructor(workbench: Workbench) {
    this.#workbench = workbench;
  }

  isOutlier(id: number): boolean {
    return this.#figures.isOutlier(id);
  }
}

/* eslint-disable svelte/prefer-svelte-reactivity -- each set is replaced as a whole, never changed */
/** The selected rows, by tensor id, and the one that the inspector shows. */
export class Selection {
  ids = $state.raw<ReadonlySet<number>>(new Set());
  current = $state<number | null>(null);
  /** Where a range begins that Shift extends. */
  #anchor: number | null = null;

  clear(): void {
    this.select(null);
  }

  /** Just this row. */
  select(id: number | null): void {
    this.ids = new Set(id === null ? [] : [id]);
    this.current = id;
    this.#anchor = id;
  }

  /** This row in or out of the selection. */
  toggle(id: number): void {
    const ids = new Set(this.ids);
    if (!ids.delete(id)) ids.add(id);
    this.ids = ids;
    this.current = id;
    this.#anchor = id;
  }

  /** Everything from the anchor to this row, in the order shown. */
  extend(id: number, order: readonly number[]): void {
    const from = order.indexOf(this.#anchor ?? id);
    const to = order.indexOf(id);
    if (from < 0 || to < 0) return this.select(id);
    this.ids = new Set(order.slice(Math.min(from, to), Math.max(from, to) + 1));
    this.current = id;
  }

  all(order: readonly number[]): void {
    this.ids = new Set(order);
    this.current ??= order[0] ?? null;
  }
}

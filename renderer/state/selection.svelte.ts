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

  /** Just this row, with all that it stands for. */
  select(id: number | null, members: readonly number[] = id === null ? [] : [id]): void {
    this.ids = new Set(members);
    this.current = id;
    this.#anchor = id;
  }

  /** This row in or out of the selection. */
  toggle(id: number, members: readonly number[] = [id]): void {
    const isIn = members.every((member) => this.ids.has(member));
    const others = [...this.ids].filter((each) => !members.includes(each));
    this.ids = new Set(isIn ? others : [...others, ...members]);
    this.current = id;
    this.#anchor = id;
  }

  /** Everything from the anchor to this row, in the order of the rows shown. */
  extend(id: number, rows: readonly { readonly members: readonly number[] }[]): void {
    const rowOf = (wanted: number) => rows.findIndex(({ members }) => members.includes(wanted));
    const from = rowOf(this.#anchor ?? id);
    const to = rowOf(id);
    if (from < 0 || to < 0) return this.select(id);
    const taken = rows.slice(Math.min(from, to), Math.max(from, to) + 1);
    this.ids = new Set(taken.flatMap(({ members }) => members));
    this.current = id;
  }

  all(order: readonly number[]): void {
    this.ids = new Set(order);
    this.current ??= order[0] ?? null;
  }
}

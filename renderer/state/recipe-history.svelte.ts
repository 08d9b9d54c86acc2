import type { Side } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Announcer } from './announcer.svelte.ts';
import { record, redo, redoable, startHistory, undo, undoable, type History } from './history.ts';
import { firstRecipes, sameRecipe, type RecipePair } from './recipes.ts';

/** Recipes A and B as they are now, and what was done to them. */
export class RecipeHistory {
  readonly #announcer: Announcer;
  readonly #onchange: (change: () => void) => void;
  #history = $state.raw(startHistory<RecipePair>(firstRecipes()));
  readonly present = $derived(this.#history.present);
  /** What undo takes back, and redo does again; null for nothing. */
  readonly undoable = $derived(undoable(this.#history));
  readonly redoable = $derived(redoable(this.#history));

  /** @param onchange is given each change, and makes it by calling it */
  constructor(announcer: Announcer, onchange: (change: () => void) => void) {
    this.#announcer = announcer;
    this.#onchange = onchange;
  }

  /** Begin anew with these recipes: nothing can be undone, and `onchange` is not called. */
  restart(pair: RecipePair): void {
    this.#history = startHistory(pair);
  }

  /** @param what was done, such as "dtype" */
  set(side: Side, recipe: Recipe, what: string): void {
    this.setBoth({ ...this.present, [side]: recipe }, `${what} of ${side.toUpperCase()}`);
  }

  setBoth(pair: RecipePair, what: string): void {
    if (sameRecipe(pair.a, this.present.a) && sameRecipe(pair.b, this.present.b)) return;
    this.#move(record(this.#history, pair, what));
  }

  undo(): void {
    if (this.undoable !== null) this.#announcer.say(`Undone: ${this.undoable}`);
    this.#move(undo(this.#history));
  }

  redo(): void {
    if (this.redoable !== null) this.#announcer.say(`Done again: ${this.redoable}`);
    this.#move(redo(this.#history));
  }

  #move(history: History<RecipePair>): void {
    this.#onchange(() => (this.#history = history));
  }
}

import { AppError } from '../../shared/errors.ts';
import type { RecipeFile, Result } from '../../shared/ipc.ts';
import type { Side } from '../../shared/protocol.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { MAX_RECIPE_BYTES, recipeFileStem, recipeFromText } from '../../shared/recipe-file.ts';
import { valueOf } from './call.ts';
import type { ModelRules } from './model-rules.ts';
import { plain } from './plain.ts';
import type { StoreHost } from './store-host.ts';

type Host = Pick<StoreHost, 'api' | 'announcer' | 'history' | 'recipes' | 'fail'>;

/** Recipes that come from files and go to files. What was set stays where a file is no recipe. */
export class RecipeFiles {
  readonly #workbench: Host;
  readonly #rules: ModelRules;
  readonly #onTaken: (name: string) => void;

  /** @param onTaken is told the file that a side's recipe came from */
  constructor(workbench: Host, rules: ModelRules, onTaken: (name: string) => void) {
    this.#workbench = workbench;
    this.#rules = rules;
    this.#onTaken = onTaken;
  }

  /** Ask for a recipe file and make it a side's recipe. */
  open(side: Side): Promise<void> {
    return this.#try(async () => {
      const file = await valueOf(this.#workbench.api.openRecipe());
      if (file !== null) this.#take(side, file);
    });
  }

  /** A recipe file that the system handed the app becomes A, as a dropped one does. */
  openHanded(recipe: Result<RecipeFile>): Promise<void> {
    return this.#try(async () => this.#take('a', await valueOf(Promise.resolve(recipe))));
  }

  openDropped(file: File): Promise<void> {
    return this.#try(async () => {
      if (file.size > MAX_RECIPE_BYTES)
        throw new AppError('BAD_RECIPE', 'cannot be a recipe', {
          file: file.name,
          found: `${file.size} bytes`,
          expected: `at most ${MAX_RECIPE_BYTES}`,
        });
      this.#take('a', { text: await file.text(), name: file.name });
    });
  }

  save(side: Side): Promise<void> {
    const { api, recipes, announcer } = this.#workbench;
    return this.#try(async () => {
      const name = await valueOf(api.saveRecipe(plain(recipes[side])));
      if (name !== null) announcer.say(`Recipe saved as ${name}`);
    });
  }

  #take(side: Side, { text, name }: RecipeFile): void {
    const { history, announcer } = this.#workbench;
    const recipe = recipeFromText(text, name);
    this.#rules.keep(recipe.rules);
    history.set(side, named(recipe, name), `recipe ${name}`);
    this.#onTaken(name);
    announcer.say(`${name} is recipe ${side.toUpperCase()}`);
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#workbench.fail(error);
    }
  }
}

/** A recipe with the name that it has, or else that of its file. */
function named(recipe: Recipe, file: string): Recipe {
  return recipe.name === '' ? { ...recipe, name: recipeFileStem(file) } : recipe;
}

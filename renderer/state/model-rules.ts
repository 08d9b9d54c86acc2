// Which rules were made for a model, and which came in a recipe file and hold for any.
import * as v from 'valibot';
import type { ModelSummary } from '../../shared/protocol.ts';
import type { Recipe, Rule } from '../../shared/recipe.ts';
import type { RecipePair } from './recipes.ts';

const schema = v.object({
  model: v.string(),
  /** The positions of those rules that came in a file. */
  a: v.array(v.number()),
  b: v.array(v.number()),
});
/** What settings keep, so that the model's rules are there when it is opened again. */
export type StoredRules = v.InferOutput<typeof schema>;

/**
 * Rules that overrides, plans and the rules' own dialog make name the layers of one model. Rules are
 * readonly and carried over from one recipe to the next, so that each is known by its identity.
 */
export class ModelRules {
  readonly #ofFiles = new WeakSet<Rule>();
  #model = '';

  /** These came in a file that was opened on purpose. */
  keep(rules: readonly Rule[]): void {
    for (const rule of rules) this.#ofFiles.add(rule);
  }

  /** Note the model that is open now. @returns whether the rules at hand were made for it */
  belongTo(label: string, { fileBytes, tensors }: ModelSummary): boolean {
    const model = [label, fileBytes, tensors.length].join();
    const belong = this.#model === model;
    this.#model = model;
    return belong;
  }

  isOfFile(rule: Rule): boolean {
    return this.#ofFiles.has(rule);
  }

  /** The recipe with the rules of files only. */
  without(recipe: Recipe): Recipe {
    return { ...recipe, rules: recipe.rules.filter((rule) => this.isOfFile(rule)) };
  }

  stored({ a, b }: RecipePair): StoredRules {
    const positions = ({ rules }: Recipe): number[] =>
      rules.flatMap((rule, index) => (this.isOfFile(rule) ? [index] : []));
    return { model: this.#model, a: positions(a), b: positions(b) };
  }

  /** What settings kept, of recipes that were just read anew. */
  restore({ a, b }: RecipePair, stored: unknown): void {
    const result = v.safeParse(schema, stored);
    if (!result.success) return;
    this.#model = result.output.model;
    this.keep(a.rules.filter((_, index) => result.output.a.includes(index)));
    this.keep(b.rules.filter((_, index) => result.output.b.includes(index)));
  }
}

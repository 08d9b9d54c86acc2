// Marks beside a budget's curve: the whole model in one scheme, and recipes A and B.
import { totalOfChoice, type Budget } from '../../shared/budget-plan.ts';
import type { Recipe } from '../../shared/recipe.ts';
import type { Side } from '../../shared/protocol.ts';
import type { Total } from '../../shared/report.ts';
import { describeScheme, type Scheme } from '../../shared/scheme.ts';
import { recipeTitle, sameScheme } from '../format/schemes.ts';
import type { StoreHost } from './store-host.ts';

/** A whole model in one scheme, as a mark beside the curve. */
export interface Reference {
  readonly label: string;
  readonly bytes: number;
  readonly sqnrDb: number | null;
}

/** Recipes A and B as they are now, in bytes of the file, as marks beside the curve. */
export function sidePoints(
  workbench: Pick<StoreHost, 'recipes' | 'compare'> & {
    readonly budgeting: {
      readonly budget: Budget | null;
      readonly sized: Readonly<Partial<Record<Side, { recipe: Recipe; bytes: number }>>>;
    };
    readonly sides: Readonly<Record<Side, { readonly total: Total | null }>>;
  },
): Readonly<Partial<Record<Side, Reference>>> {
  // What is known of A and B is the error of their weights.
  if (workbench.budgeting.budget?.by === 'outputs') return {};
  const point = (side: Side): Partial<Record<Side, Reference>> => {
    const sized = workbench.budgeting.sized[side];
    // The bytes of the recipe before would stand beside the error of this one.
    if (sized === undefined || sized.recipe !== workbench.recipes[side]) return {};
    const { bytes } = sized;
    const label = `${side.toUpperCase()}, ${recipeTitle(workbench.recipes[side])}`;
    return { [side]: { label, bytes, sqnrDb: workbench.sides[side].total?.sqnrDb ?? null } };
  };
  return { ...point('a'), ...(workbench.compare ? point('b') : {}) };
}

/**
 * The whole model in each scheme that most names can have, the others as they are: what a rule gives
 * a few layers is no way to store a model.
 */
export function referencesOf(budget: Budget): readonly Reference[] {
  const counts: { readonly scheme: Scheme; names: number }[] = [];
  for (const { options } of budget.names)
    for (const { scheme } of options) {
      if (scheme === null) continue;
      const known = counts.find((count) => sameScheme(count.scheme, scheme));
      if (known === undefined) counts.push({ scheme, names: 1 });
      else known.names++;
    }
  const schemes = counts
    .filter(({ names }) => names * 2 > budget.names.length)
    .map(({ scheme }) => scheme);
  return schemes.slice(0, MAX_REFERENCES).map((scheme) => {
    const chosen = budget.names.map(({ options }) =>
      Math.max(
        0,
        options.findIndex((option) => sameScheme(option.scheme, scheme)),
      ),
    );
    const { bytesAfter, sqnrDb } = totalOfChoice(budget, chosen);
    return { label: describeScheme(scheme), bytes: bytesAfter, sqnrDb };
  });
}

/** More marks than this would lie on each other. */
const MAX_REFERENCES = 8;

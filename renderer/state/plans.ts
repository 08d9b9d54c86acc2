import { planWeights, type PlannedTensor, type WeightPlans } from '../../shared/plan.ts';
import { SearchTime } from '../../shared/rule-matcher.ts';
import type { Recipe } from '../../shared/recipe.ts';

type Outcome = { readonly plan: WeightPlans } | { readonly error: unknown };

const outcomes = new WeakMap<readonly PlannedTensor[], WeakMap<Recipe, Outcome>>();

/** Milliseconds of the page's thread that regular expressions may take: the engine plans where they take longer. */
const PAGE_MS = 50;

/**
 * What a recipe asks of a model's tensors, found once for each of these very objects.
 * @throws AppError LIMIT when they take longer, at once when it is asked again
 */
export function plannedOnce(tensors: readonly PlannedTensor[], recipe: Recipe): WeightPlans {
  const ofModel = outcomes.get(tensors) ?? new WeakMap<Recipe, Outcome>();
  outcomes.set(tensors, ofModel);
  const outcome = ofModel.get(recipe) ?? outcomeOf(tensors, recipe);
  ofModel.set(recipe, outcome);
  if ('plan' in outcome) return outcome.plan;
  throw outcome.error;
}

function outcomeOf(tensors: readonly PlannedTensor[], recipe: Recipe): Outcome {
  try {
    return { plan: planWeights(tensors, recipe, 'smaller', new SearchTime(PAGE_MS)) };
  } catch (error) {
    return { error };
  }
}

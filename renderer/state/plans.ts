import { planWeights, type PlannedTensor, type WeightPlans } from '../../shared/plan.ts';
import type { Recipe } from '../../shared/recipe.ts';

type Outcome = { readonly plan: WeightPlans } | { readonly error: unknown };

const outcomes = new WeakMap<readonly PlannedTensor[], WeakMap<Recipe, Outcome>>();

/**
 * What a recipe asks of a model's tensors, found once for each of these very objects: regular expressions may
 * take two seconds of the page's thread.
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
    return { plan: planWeights(tensors, recipe) };
  } catch (error) {
    return { error };
  }
}

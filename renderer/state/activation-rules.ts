// Edits of what a recipe says of activations and of samples, as pure functions.
import type { ImageSettings } from '../../shared/calibration-settings.ts';
import { exactNames, patternsOf } from '../../shared/patterns.ts';
import {
  BASE_ACTIVATIONS,
  type ActivationScheme,
  type Recipe,
  type Rule,
} from '../../shared/recipe.ts';
import type { RangeMethod } from '../../shared/scheme.ts';
import { renamed } from './recipes.ts';

/** The scheme of activations that a recipe has or that stands in; null where it keeps them in float. */
export function activationsOf({ activations }: Recipe): ActivationScheme | null {
  return activations === undefined ? BASE_ACTIVATIONS : activations;
}

/** The recipe with another scheme of activations; fields left out stay. */
export function withActivations(recipe: Recipe, change: Partial<ActivationScheme>): Recipe {
  const before = activationsOf(recipe) ?? BASE_ACTIVATIONS;
  return renamed({ ...recipe, activations: { ...before, ...change } });
}

/** The recipe with another choice of whether weights are equalized. */
export function withEqualization(recipe: Recipe, equalize: Recipe['equalize']): Recipe {
  return renamed({ ...recipe, equalize });
}

/** The recipe with the range of one operator's output, as its last rule, in place of the one it had. */
export function withActivationRange(recipe: Recipe, operator: string, range: RangeMethod): Recipe {
  const isOwn = (rule: Rule): boolean =>
    rule.scheme === undefined &&
    rule.match.name !== undefined &&
    exactNames(rule.match.name)?.join() === operator;
  const own = recipe.rules.findLast(isOwn);
  const [name] = patternsOf([operator]);
  const rule: Rule = { match: { name: name! }, activations: { ...own?.activations, range } };
  return { ...recipe, rules: [...recipe.rules.filter((each) => !isOwn(each)), rule] };
}

/** The recipe with another way in which pictures become inputs; fields left out stay. */
export function withImages(recipe: Recipe, change: Partial<ImageSettings>): Recipe {
  const images = { ...recipe.calibration?.images, ...change };
  return { ...recipe, calibration: { ...recipe.calibration, images } };
}

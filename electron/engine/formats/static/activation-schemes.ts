import type { ModelGraph } from '../../../../shared/graph.ts';
import { BASE_ACTIVATIONS, type ActivationScheme, type Recipe } from '../../../../shared/recipe.ts';
import { compileRules } from '../../../../shared/rule-matcher.ts';

/**
 * The scheme of the activations of each operator, by its number: the recipe's, with the fields of the last rule
 * that matches the operator; null where that rule, or the recipe, keeps activations in float.
 */
export function activationSchemes(
  recipe: Recipe,
  { operators }: ModelGraph,
): (operator: number) => ActivationScheme | null {
  const base = recipe.activations === undefined ? BASE_ACTIVATIONS : recipe.activations;
  const lastMatch = compileRules(
    recipe.rules.filter(({ activations }) => activations !== undefined),
  );
  return (operator) => {
    if (base === null) return null;
    const { name, op } = operators[operator]!;
    const rule = lastMatch({ name, layer: name, op, role: 'weight' });
    if (rule === undefined) return base;
    return rule.activations === null ? null : { ...base, ...rule.activations };
  };
}

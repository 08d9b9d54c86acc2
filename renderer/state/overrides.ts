// Schemes set for single layers, as rules whose pattern matches their names and nothing else.
import { exactNames, patternsOf } from '../../shared/patterns.ts';
import type { Recipe, Rule } from '../../shared/recipe.ts';
import type { SchemeFields } from '../../shared/scheme.ts';

export function withRules(recipe: Recipe, rules: readonly Rule[]): Recipe {
  return { ...recipe, rules };
}

/** The names that a rule is the override of: those of `^name$` and `^(?:name|name)$`; null for any other rule. */
export function overriddenNames({ match, scheme }: Rule): readonly string[] | null {
  // A rule of activations names an operator.
  if (scheme === undefined) return null;
  if (match.op !== undefined || match.role !== undefined || match.layer !== undefined) return null;
  if (match.name === undefined) return null;
  return exactNames(match.name);
}

/**
 * The recipe with an override for each of these names, in place of those they had. Overrides come last,
 * as the last matching rule wins. A change of undefined takes the overrides away.
 */
export function withOverrides(
  recipe: Recipe,
  names: readonly string[],
  change: Partial<SchemeFields> | null | undefined,
): Recipe {
  const changed = new Set(names);
  const others = recipe.rules.flatMap((rule) => without(rule, changed));
  if (change === undefined) return withRules(recipe, others);
  const overrides = patternsOf([...changed]).map((name): Rule => ({
    match: { name },
    scheme: change,
  }));
  return withRules(recipe, [...others, ...overrides]);
}

/** What is left of a rule when it no longer overrides some names. */
function without(rule: Rule, names: ReadonlySet<string>): readonly Rule[] {
  const overridden = overriddenNames(rule);
  if (overridden === null) return [rule];
  const left = overridden.filter((name) => !names.has(name));
  if (left.length === overridden.length) return [rule];
  return patternsOf(left).map((name) => ({ ...rule, match: { name } }));
}

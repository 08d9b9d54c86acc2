import { valueKey, type ModelGraph } from '../../../../shared/graph.ts';
import type { OperatorPlan } from '../../../../shared/plan.ts';
import type { ActivationScheme } from '../../../../shared/recipe.ts';
import type { StaticFacts } from '../format.ts';

/** What keeps an operator in float: the first of some values that has no range; null where all have one. */
export function withoutRange(
  values: readonly number[],
  scheme: ActivationScheme,
  facts: Pick<StaticFacts, 'rangeOf'> & { readonly graph: ModelGraph },
): Pick<OperatorPlan, 'reason' | 'missing'> | null {
  for (const missing of values) {
    const range = facts.rangeOf(missing, scheme);
    if ('missing' in range)
      return { missing, reason: `${valueKey(facts.graph.values[missing]!)}: ${range.missing}` };
  }
  return null;
}

import { AppError } from '../../shared/errors.ts';
import { exactNames } from '../../shared/patterns.ts';
import { compileRules, SearchTime, type RuleTarget } from '../../shared/rule-matcher.ts';
import type { Rule } from '../../shared/recipe.ts';
import { shortName } from '../../shared/short-name.ts';

type Match = Rule['match'];

/** Milliseconds that all regular expressions may take while they are counted: other requests wait for it. */
const COUNTING_MS = 200;

/**
 * How many of these tensors each rule matches; null for those that are not counted because the regular
 * expressions before them took too long. Rules of names, operators and roles are looked up: there may be one for
 * each of 100,000 layers.
 * @throws SyntaxError for a pattern that parseRecipe refuses
 */
export function countMatches(
  matches: readonly Match[],
  tensors: readonly RuleTarget[],
  time = new SearchTime(COUNTING_MS),
): (number | null)[] {
  const byName = new Map<string, RuleTarget[]>();
  const byKind = new Map<string, number>();
  for (const tensor of tensors) {
    const name = shortName(tensor.name);
    const named = byName.get(name);
    if (named === undefined) byName.set(name, [tensor]);
    else named.push(tensor);
    for (const key of kindsOf(tensor)) byKind.set(key, (byKind.get(key) ?? 0) + 1);
  }
  return matches.map((match) => {
    const names = match.name === undefined ? null : exactNames(match.name);
    if (match.layer !== undefined || (match.name !== undefined && names === null))
      return searched(match, tensors, time);
    if (names === null) return byKind.get(kindOf(match)) ?? 0;
    const named = [...new Set(names.map(shortName))].flatMap((name) => byName.get(name) ?? []);
    const { op, role } = match;
    return named.filter(
      (tensor) =>
        (op === undefined || tensor.op === op) && (role === undefined || tensor.role === role),
    ).length;
  });
}

function searched(match: Match, tensors: readonly RuleTarget[], time: SearchTime): number | null {
  const matcher = compileRules([{ match, scheme: null }], time);
  try {
    return tensors.filter((tensor) => matcher(tensor) !== undefined).length;
  } catch (error) {
    if (error instanceof AppError && error.code === 'LIMIT') return null;
    throw error;
  }
}

function kindOf({ op, role }: Match): string {
  return JSON.stringify([op ?? null, role ?? null]);
}

/** The kinds of rule without a name that match a tensor. */
function kindsOf({ op, role }: RuleTarget): string[] {
  return [{}, { op }, { role }, { op, role }].map(kindOf);
}

import { AppError } from './errors.ts';
import type { TensorRef } from './model.ts';
import { compilePattern, exactNames, type NamePattern } from './patterns.ts';
import type { Rule } from './recipe.ts';
import { shortName } from './short-name.ts';

/** What rules look at. */
export type RuleTarget = Pick<TensorRef, 'name' | 'layer' | 'op' | 'role'>;

/** Finds the last rule that matches a tensor. */
type RuleMatcher = (tensor: RuleTarget) => Rule | undefined;

interface Listed {
  readonly index: number;
  readonly rule: Rule;
}
interface Searched extends Listed {
  readonly name: NamePattern | null;
  readonly layer: NamePattern | null;
}

/** The last rule for each name, operator and role; undefined where a rule says nothing of one. */
type Lookup = Map<string | undefined, Map<string | undefined, ByRole>>;
type ByRole = Map<string | undefined, Listed>;

/**
 * Time that the regular expressions of a recipe may take over all tensors of a model. RE2 matches in
 * linear time, but 200 patterns of counted repetition on 2,000 names still take over a minute.
 */
const MAX_SEARCH_MS = 2000;

/** Time that regular expressions have taken and may take; matchers that share one share its limit. */
export class SearchTime {
  private readonly limit: number;
  private spent = 0;

  /** @param limit milliseconds */
  constructor(limit = MAX_SEARCH_MS) {
    this.limit = limit;
  }

  /** Account for a search. @throws AppError LIMIT when all of them took longer than the limit */
  spend(milliseconds: number, patterns: number): void {
    this.spent += milliseconds;
    if (this.spent > this.limit) throw tooSlow(patterns, this.limit);
  }
}

/**
 * Compile rules. Those of exact names, by which budgets and overrides choose thousands of layers, and
 * those of an operator or role are looked up; only true regular expressions are tried one by one.
 * The matcher throws AppError LIMIT when the regular expressions have taken their time, two seconds by default.
 * @throws SyntaxError for a pattern that parseRecipe refuses
 */
export function compileRules(
  rules: readonly Rule[],
  time: SearchTime = new SearchTime(),
): RuleMatcher {
  const lookup: Lookup = new Map();
  const searched: Searched[] = [];
  for (const [index, rule] of rules.entries()) {
    const { name, layer } = rule.match;
    const names = name === undefined ? [undefined] : exactNames(name)?.map(shortName);
    if (names === undefined || layer !== undefined)
      searched.push({ index, rule, name: compiled(name), layer: compiled(layer) });
    else for (const each of names) list(lookup, each, { index, rule });
  }
  return (tensor) => {
    let best = lookup.size === 0 ? undefined : lastListed(lookup, tensor);
    if (searched.length === 0) return best?.rule;
    const started = Date.now();
    for (let at = searched.length - 1; at >= 0; at--) {
      const { index, rule, name, layer } = searched[at]!;
      if (best !== undefined && index < best.index) break;
      if (!isOfKind(rule, tensor)) continue;
      if (name?.test(tensor.name) === false || layer?.test(tensor.layer) === false) continue;
      best = { index, rule };
      break;
    }
    time.spend(Date.now() - started, searched.length);
    return best?.rule;
  };
}

function tooSlow(patterns: number, limit: number): AppError {
  return new AppError('LIMIT', "the recipe's rules take too long to match this model's names", {
    field: 'rules',
    found: `${patterns} rules with regular expressions, over ${limit} ms`,
    expected: 'fewer or simpler patterns, without counted repetition such as a{15}',
  });
}

function compiled(pattern: string | undefined): NamePattern | null {
  return pattern === undefined ? null : compilePattern(pattern);
}

function list(lookup: Lookup, name: string | undefined, listed: Listed): void {
  const { op, role } = listed.rule.match;
  const ofName = lookup.get(name) ?? new Map<string | undefined, ByRole>();
  const ofOp: ByRole = ofName.get(op) ?? new Map<string | undefined, Listed>();
  lookup.set(name, ofName.set(op, ofOp.set(role, listed)));
}

function lastListed(lookup: Lookup, { name, op, role }: RuleTarget): Listed | undefined {
  let best: Listed | undefined;
  for (const ofName of [lookup.get(shortName(name)), lookup.get(undefined)])
    for (const ofOp of [ofName?.get(op), ofName?.get(undefined)])
      for (const found of [ofOp?.get(role), ofOp?.get(undefined)])
        if (found !== undefined && found.index > (best?.index ?? -1)) best = found;
  return best;
}

function isOfKind({ match }: Rule, { op, role }: RuleTarget): boolean {
  return (
    (match.op === undefined || match.op === op) && (match.role === undefined || match.role === role)
  );
}

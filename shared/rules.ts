import type { Rule } from './recipe.ts';

/** What a rule looks for, in words. */
export function matchSentence(match: Rule['match']): string {
  const parts = [
    match.op === undefined ? undefined : `op ${match.op}`,
    match.role === undefined ? undefined : `role ${match.role}`,
    match.layer === undefined ? undefined : `layer ${match.layer}`,
    match.name === undefined ? undefined : `tensor ${match.name}`,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? 'every weight' : parts.join(', ');
}

/**
 * Whether a rule does nothing in a model of whose weights it matches `matches`; null where they are not counted. One
 * that keeps an operator needs no weight: mode float16 computes it in float32.
 */
export function isIdle({ match, scheme, activations }: Rule, matches: number | null): boolean {
  const keepsOperator = scheme === null && match.op !== undefined;
  // Rules of activations match operators, which are not counted here.
  return matches === 0 && !keepsOperator && activations === undefined;
}

// Patterns of rules that match names and nothing else.

/** The longest pattern that parseRecipe takes. */
const PATTERN_LIMIT = 4096;
/** Up to here each layer has a rule of its own, which is easier to read; beyond, rules hold many. */
const SINGLE_LIMIT = 20;

function escaped(name: string): string {
  return name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** A regular expression (flag u) that matches this name and no other. */
export function exactPattern(name: string): string {
  return `^${escaped(name)}$`;
}

/** The patterns that match these names and no others. */
export function patternsOf(names: readonly string[]): readonly string[] {
  if (names.length <= SINGLE_LIMIT) return names.map(exactPattern);
  const patterns: string[] = [];
  let group: string[] = [];
  let length = 0;
  const flush = (): void => {
    if (group.length === 1) patterns.push(`^${group[0]}$`);
    else if (group.length > 1) patterns.push(`^(?:${group.join('|')})$`);
    group = [];
    length = 0;
  };
  for (const name of names.map(escaped)) {
    if (length + name.length + 8 > PATTERN_LIMIT) flush();
    group.push(name);
    length += name.length + 1;
  }
  flush();
  return patterns;
}

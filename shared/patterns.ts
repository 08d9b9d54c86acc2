// Patterns of rules: lists of exact names, and regular expressions that match in linear time.
import { RE2JS } from 're2js';
import { shortName } from './short-name.ts';

/** The longest pattern of one rule. */
export const MAX_PATTERN_LENGTH = 4096;
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
    if (length + name.length + 8 > MAX_PATTERN_LENGTH) flush();
    group.push(name);
    length += name.length + 1;
  }
  flush();
  return patterns;
}

/** The names of a pattern that `patternsOf` makes, `^name$` or `^(?:name|name)$`; null for any other pattern. */
export function exactNames(pattern: string): readonly string[] | null {
  if (!pattern.startsWith('^') || !pattern.endsWith('$')) return null;
  const isGroup = pattern.startsWith('^(?:') && pattern.endsWith(')$');
  return literals(isGroup ? pattern.slice(4, -2) : pattern.slice(1, -1), isGroup);
}

/** The alternatives of a pattern of escaped literals; null where it has anything that is not one. */
function literals(pattern: string, isGroup: boolean): readonly string[] | null {
  const names = [''];
  for (let index = 0; index < pattern.length; index++) {
    let character = pattern[index] ?? '';
    if (character === '|' && isGroup) {
      names.push('');
      continue;
    }
    if (character === '\\') {
      character = pattern[++index] ?? '';
      if (!/[\\^$.*+?()[\]{}|/]/.test(character)) return null;
    } else if (/[\^$.*+?()[\]{}|]/.test(character)) return null;
    names[names.length - 1] += character;
  }
  return names;
}

/** A compiled regular expression that takes time linear in the name, whatever the pattern. */
export interface NamePattern {
  /** Instructions of its program: matching takes at most this many steps for each character. */
  readonly size: number;
  readonly test: (name: string) => boolean;
}

/** `\k<name>` outside of an escaped backslash. */
const NAMED_BACKREFERENCE = /(?:^|[^\\])(?:\\\\)*\\k/;

/**
 * Compile a JavaScript regular expression (flag u) for RE2's automata. Lookaround and backreferences
 * need a search that can take exponential time, so RE2 has none.
 * @throws SyntaxError or an error of RE2 that says what is not supported
 */
export function compilePattern(pattern: string): NamePattern {
  // What JavaScript does not accept, translateRegExp does not expect.
  new RegExp(pattern, 'u');
  if (NAMED_BACKREFERENCE.test(pattern)) throw new SyntaxError('backreferences are not supported');
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  return { size: compiled.programSize(), test: (name) => compiled.test(shortName(name)) };
}

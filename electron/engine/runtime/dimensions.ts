/**
 * Sizes of a model's free dimensions. Names that are expressions of other names, such as
 * "past_sequence_length + sequence_length" or "2*batch" (optimum and torch.export write them), are
 * computed from the sizes of those names, so that every input of one run agrees.
 */

/** What a runtime says of a value: each dimension a number, or a name ('' for none) where it is free. */
export type FreeShape = readonly (number | string)[];

export type Sizes = ReadonlyMap<string, number>;

/** Longer names are no expressions that anything computes with. */
const MAX_EXPRESSION_LENGTH = 256;

/** Computes a size; null where it is negative or not finite. */
export type Expression = (sizes: Sizes) => number;

interface Parsed {
  readonly compute: Expression;
  /** The names it is computed from. */
  readonly names: readonly string[];
}

// A minus between letters belongs to a name: "batch-size".
const TOKEN = /\s*(\/\/|\d+(?![\w.])|[A-Za-z_](?:[\w.:]|-(?=[A-Za-z_]))*|[-+*/(),])/y;

/** A dimension's name as an expression of other names; null for a plain name. */
export function parseDimension(text: string): Parsed | null {
  if (text.length > MAX_EXPRESSION_LENGTH || !/[-+*/(]/.test(text)) return null;
  const tokens = tokensOf(text);
  if (tokens === null) return null;
  const parser = new Parser(tokens);
  const compute = parser.sum();
  if (compute === null || !parser.isDone || tokens.length === 1) return null;
  return { compute, names: parser.names };
}

function tokensOf(text: string): string[] | null {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const trimmed = text.trimEnd();
  while (TOKEN.lastIndex < trimmed.length) {
    const found = TOKEN.exec(trimmed)?.[1];
    if (found === undefined) return null;
    tokens.push(found);
  }
  return tokens;
}

const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  ceiling: Math.ceil,
  max: Math.max,
  min: Math.min,
};

/** Recursive descent; a method returns null where the text is no expression. */
class Parser {
  readonly names: string[] = [];
  private readonly tokens: readonly string[];
  private at = 0;

  constructor(tokens: readonly string[]) {
    this.tokens = tokens;
  }

  get isDone(): boolean {
    return this.at === this.tokens.length;
  }

  sum(): Expression | null {
    return this.chain(['+', '-'], () => this.product());
  }

  private product(): Expression | null {
    return this.chain(['*', '/', '//'], () => this.factor());
  }

  private chain(operators: readonly string[], part: () => Expression | null): Expression | null {
    let left = part();
    while (left !== null && operators.includes(this.tokens[this.at] ?? '')) {
      const operator = this.tokens[this.at++]!;
      const [first, second] = [left, part()];
      if (second === null) return null;
      left = (sizes) => apply(operator, first(sizes), second(sizes));
    }
    return left;
  }

  private factor(): Expression | null {
    const token = this.tokens[this.at++];
    if (token === undefined) return null;
    if (/^\d/.test(token)) return () => Number(token);
    if (token === '(') return this.closed(this.sum());
    if (!/^[A-Za-z_]/.test(token)) return null;
    if (this.tokens[this.at] === '(') return this.call(token.toLowerCase());
    this.names.push(token);
    return (sizes) => sizes.get(token) ?? NaN;
  }

  private closed(inner: Expression | null): Expression | null {
    return this.tokens[this.at++] === ')' ? inner : null;
  }

  private call(name: string): Expression | null {
    if (!Object.hasOwn(FUNCTIONS, name)) return null;
    const values: Expression[] = [];
    do {
      this.at++;
      const value = this.sum();
      if (value === null) return null;
      values.push(value);
    } while (this.tokens[this.at] === ',');
    return this.closed((sizes) => FUNCTIONS[name]!(...values.map((value) => value(sizes))));
  }
}

function apply(operator: string, left: number, right: number): number {
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  return operator === '*' ? left * right : Math.floor(left / right);
}

/**
 * The sizes of all free dimensions by name.
 * @param plain the size of a plain name, given the input and axis where it first occurs; the input is
 *   null for a name that occurs in expressions only
 */
export function solveSizes<T extends { readonly shape: FreeShape }>(
  inputs: readonly T[],
  plain: (name: string, input: T | null, axis: number) => number,
): Sizes {
  const sizes = new Map<string, number>();
  const expressions = new Map<string, Parsed>();
  for (const input of inputs)
    input.shape.forEach((dim, axis) => {
      if (typeof dim === 'number' || dim === '' || sizes.has(dim)) return;
      const parsed = parseDimension(dim);
      if (parsed !== null) expressions.set(dim, parsed);
      else sizes.set(dim, plain(dim, input, axis));
    });
  for (const { names } of expressions.values())
    for (const name of names) if (!sizes.has(name)) sizes.set(name, plain(name, null, -1));
  for (const [dim, { compute }] of expressions) {
    const size = compute(sizes);
    sizes.set(dim, Number.isSafeInteger(size) && size >= 0 ? size : 1);
  }
  return sizes;
}

/** What a runtime says of one input: each dimension a number, or a name or nothing where it is free. */
export interface InputFacts {
  readonly name: string;
  readonly type: string;
  readonly shape: FreeShape;
  /** Its integers are codes of real numbers, with a scale. */
  readonly isCode?: boolean;
}

/** Whether values are magnitudes, which errors are measured of. Integers may be indices, and booleans are answers. */
export function isFloat({ type, isCode }: InputFacts): boolean {
  return isCode === true || /^b?float/.test(type);
}

/** An array or input with its type and shape: x (float32, 1 x seq x 64). */
export function described({ name, type, shape }: InputFacts): string {
  const dims = shape.map((dim) => (dim === '' ? '?' : dim)).join(' x ');
  return `${name} (${type}, ${dims === '' ? 'a scalar' : dims})`;
}

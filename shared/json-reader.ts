/** What is wrong with a JSON text, and where. */
export interface JsonProblem {
  readonly summary: string;
  /** The names of the members and the places in arrays that lead there. */
  readonly path: readonly string[];
  readonly at: number;
  readonly found: string;
  readonly expected: string;
}

/** Values may lie within each other this deep: what is read here needs 3, and a deeper text is made to exhaust the stack. */
const MAX_DEPTH = 64;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\n\r]*/y;
/** A string's characters up to its end, an escape, or what may not stand in it. */
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * Reads JSON (RFC 8259) from front to back by what is expected next. Unlike JSON.parse it refuses a
 * key that comes twice, text that is nested too deep, lone surrogates, and whole numbers that a
 * double cannot hold; and it builds nothing that is not asked for.
 */
export class JsonReader {
  readonly text: string;
  private at = 0;
  /** Where the last string or number began. */
  private token = 0;
  private readonly path: string[] = [];
  private readonly fail: (problem: JsonProblem) => never;

  constructor(text: string, fail: (problem: JsonProblem) => never) {
    this.text = text;
    this.fail = fail;
  }

  /** Visit an object's members in order; `visit` must read the value. */
  object(visit: (key: string) => void): void {
    const seen = new Set<string>();
    this.open('{', 'an object');
    while (!this.closes('}', seen.size)) {
      const at = this.at;
      const key = this.string('a key');
      if (seen.has(key)) this.problem('a key stands twice', key, 'each key once', at);
      seen.add(key);
      this.space();
      if (this.text[this.at] !== ':') this.expected("':'");
      this.at++;
      this.path.push(key);
      visit(key);
      this.path.pop();
    }
  }

  /** Visit an array's elements in order; `visit` must read the element. */
  array(visit: (index: number) => void): void {
    let count = 0;
    this.open('[', 'an array');
    while (!this.closes(']', count)) {
      this.path.push(String(count));
      visit(count++);
      this.path.pop();
    }
  }

  /** The first character of the value that stands here; '' at the end. */
  peek(): string {
    this.space();
    return this.text[this.at] ?? '';
  }

  string(what = 'a string'): string {
    this.space();
    if (this.text[this.at] !== '"') this.expected(what);
    const start = this.at++;
    this.token = start;
    let isEscaped = false;
    for (;;) {
      this.match(PLAIN);
      if (this.text[this.at] === '"') break;
      if (this.match(ESCAPE) === '') this.expected('the rest of a string');
      isEscaped = true;
    }
    this.at++;
    if (!isEscaped) return this.text.slice(start + 1, this.at - 1);
    const value = JSON.parse(this.text.slice(start, this.at)) as string;
    if (/\p{Surrogate}/u.test(value))
      this.problem('half of a surrogate pair', value, 'Unicode text', start);
    return value;
  }

  /** Whether null stands here, which is then passed over. */
  null(): boolean {
    this.space();
    const isNull = this.text.startsWith('null', this.at);
    if (isNull) this.at += 4;
    return isNull;
  }

  /** A whole number from 0 that a double holds exactly. */
  integer(): number {
    this.space();
    const at = this.at;
    this.token = at;
    const digits = this.match(NUMBER);
    if (digits === '') this.expected('a whole number');
    if (!/^\d+$/.test(digits) || !Number.isSafeInteger(Number(digits)))
      this.problem('is no size', digits, 'a whole number from 0, below 2^53', at);
    return Number(digits);
  }

  /** Pass over any value. @returns its text */
  skip(): string {
    this.space();
    const start = this.at;
    const first = this.text[start];
    if (first === '{') this.object(() => void this.skip());
    else if (first === '[') this.array(() => void this.skip());
    else if (first === '"') this.string();
    else if (this.match(NUMBER) === '' && !this.literal()) this.expected('a value');
    return this.text.slice(start, this.at);
  }

  /** Only white space may be left. */
  end(): void {
    this.space();
    if (this.at < this.text.length) this.expected('nothing more');
  }

  private open(bracket: string, what: string): void {
    this.space();
    if (this.text[this.at] !== bracket) this.expected(what);
    if (this.path.length >= MAX_DEPTH)
      this.problem('is nested too deep', `over ${MAX_DEPTH} levels`, `at most ${MAX_DEPTH}`);
    this.at++;
  }

  /** Whether an object or array ends here; else passes over the comma before the next member. */
  private closes(bracket: string, count: number): boolean {
    this.space();
    const next = this.text[this.at];
    if (next === bracket) this.at++;
    else if (count > 0 && next !== ',') this.expected(`',' or '${bracket}'`);
    else if (count > 0) this.at++;
    return next === bracket;
  }

  private literal(): boolean {
    const word = ['true', 'false', 'null'].find((each) => this.text.startsWith(each, this.at));
    this.at += word?.length ?? 0;
    return word !== undefined;
  }

  private space(): void {
    this.match(SPACE);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  private expected(what: string): never {
    const rest = this.text.slice(this.at, this.at + 12);
    return this.problem('is not the JSON that it should be', rest === '' ? 'the end' : rest, what);
  }

  /** Fail for the string or number read last. */
  refuse(summary: string, found: string, expected: string): never {
    return this.problem(summary, found, expected, this.token);
  }

  private problem(summary: string, found: string, expected: string, at = this.at): never {
    return this.fail({ summary, path: this.path, at, found, expected });
  }
}

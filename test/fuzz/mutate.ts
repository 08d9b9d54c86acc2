/** Seeded choices: the same seed makes the same file on every machine. */
export class Random {
  private state: number;

  constructor(seed: number, round: number) {
    this.state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(round + 1, 0x85ebca6b)) | 0;
  }

  /** mulberry32, in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 and below a bound; 0 for an empty range. */
  below(bound: number): number {
    return Math.floor(this.next() * bound);
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** Integers that readers stumble over; `rest` is how many bytes there are behind the place. */
export function extremes(rest: number): readonly bigint[] {
  const edges = [0n, 1n, 2n, 3n, 4n, 127n, 128n, 255n, 65535n, 65536n, 2n ** 31n - 1n, 2n ** 31n];
  const wide = [
    2n ** 32n - 4n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n + 1n,
    2n ** 63n,
    2n ** 64n - 1n,
  ];
  const near = [rest - 1, rest, rest + 1].map((value) => BigInt(Math.max(0, value)));
  return [...edges, ...wide, ...near];
}

/** Text that means something to a file system, to JavaScript, to a page or to a terminal. */
export const TEXTS: readonly string[] = [
  '',
  '.',
  '../x',
  'a/../../x',
  '/etc/passwd',
  'C:\\x',
  '\\\\host\\share',
  '\0',
  '__proto__',
  'constructor',
  'toString',
  '<img src=x onerror=alert(1)>',
  '\u202Egnp.exe',
  '\u2028',
  'x'.repeat(70_000),
];

/** Puts an integer of so many bytes, little-endian, as far as the file reaches. */
export function putInteger(bytes: Uint8Array, at: number, width: number, value: bigint): void {
  let rest = BigInt.asUintN(64, value);
  for (let index = at; index < Math.min(bytes.length, at + width); index++, rest >>= 8n)
    bytes[index] = Number(rest & 0xffn);
}

/** One to four blind changes: bits, bytes and words, parts moved, put in, taken out, cut, or taken from another file. */
export function mutateBytes(source: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let bytes = Uint8Array.from(source);
  for (let change = random.below(4); change >= 0; change--) bytes = changed(bytes, other, random);
  return bytes;
}

function changed(
  bytes: Uint8Array<ArrayBuffer>,
  other: Uint8Array,
  random: Random,
): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return bytes;
  // Structure mostly lies at the ends; without this a large file's weights would take every change.
  const near = random.oneIn(2) ? Math.min(bytes.length, 2048) : bytes.length;
  const at = random.oneIn(4) ? bytes.length - 1 - random.below(near) : random.below(near);
  const length = random.below(Math.min(256, bytes.length));
  switch (random.below(9)) {
    case 0:
      bytes[at]! ^= 1 << random.below(8);
      return bytes;
    case 1:
      bytes[at] = random.below(256);
      return bytes;
    case 2:
      putInteger(bytes, at & ~3, random.pick([2, 4, 8]), random.pick(extremes(bytes.length - at)));
      return bytes;
    case 3:
      bytes[at] = bytes[at]! + random.below(9) - 4;
      return bytes;
    case 4:
      return bytes.copyWithin(at & ~3, random.below(bytes.length) & ~3, bytes.length).slice();
    case 5:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 6: {
      const from = random.below(other.length);
      const part = other.subarray(from, from + length);
      return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
    }
    case 7:
      return bytes.fill(random.pick([0, 255]), at, Math.min(bytes.length, at + length));
    default:
      return random.oneIn(3) ? bytes.slice(0, at) : bytes;
  }
}

/** What stands in place of a token of JSON: brackets, integers at their edges, names that mean something elsewhere. */
const TOKENS: readonly string[] = [
  ...'{}[],:"0',
  '-1',
  '-0',
  '1e3',
  '1e999',
  '0.5',
  '2147483648',
  '4294967295',
  '9007199254740993',
  '18446744073709551615',
  'true',
  'null',
  '[1,2]',
  '{}',
  '"\\ud800"',
  ...TEXTS.map((text) => JSON.stringify(text)),
];

function kindOf(token: string): string {
  if (/^-?\d/.test(token)) return 'number';
  if (/^\w/.test(token)) return 'word';
  return token[0] === '"' && token.length === 1 ? 'quote' : token[0]!;
}

/** One to four tokens of JSON text replaced, by one of its own, of `words` or of what readers stumble over. */
export function mutateJson(source: string, words: readonly string[], random: Random): string {
  let text = source;
  for (let change = random.pick([0, 0, 1, 3]); change >= 0; change--) {
    const tokens = [...text.matchAll(/-?\d+(?:\.\d+)?|"(?:[^"\\]|\\.)*"|[[\]{}:,]|\w+/g)];
    if (tokens.length === 0) return text;
    const { index, 0: token } = random.pick(tokens);
    const all = random.pick([TOKENS, words, tokens.map(([each]) => each)]);
    // One of the same kind leaves JSON, and what is wrong then lies deeper.
    const alike = all.filter((each) => kindOf(each) === kindOf(token));
    const replacement = random.pick(random.oneIn(2) && alike.length > 0 ? alike : all);
    // Deeper than any stack, where any value may stand.
    const deep = '['.repeat(20_000);
    const put = random.oneIn(100)
      ? deep
      : random.oneIn(8)
        ? ''
        : random.oneIn(8)
          ? token + replacement
          : replacement;
    text = text.slice(0, index) + put + text.slice(index + token.length);
  }
  return random.oneIn(30) ? text.slice(0, random.below(text.length)) : text;
}

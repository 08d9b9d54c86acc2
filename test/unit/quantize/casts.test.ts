import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bfloat16Bits, bfloat16Value } from '../../../shared/bfloat16.ts';
import { decodeValues } from '../../../electron/engine/quantize/chunks.ts';
import { float16Bits, float16Value } from '../../../shared/float16.ts';
import { float32Of, float64Of, readGolden, uint16Of } from './goldens.ts';

interface Golden {
  readonly widenedSha256: string;
  readonly narrowedSha256: string;
  readonly tiesSha256: string;
  readonly scatteredSha256: string;
  readonly edges: string;
  readonly fromFloat64: string;
}

const golden = readGolden<{
  float16: Golden;
  bfloat16: Golden;
  edges: string;
  float64: string;
}>('casts.json');

const allPatterns = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

function sha256(words: Uint16Array | Uint32Array): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
}

/** Float32 patterns of values, with every NaN as the quiet one. */
function patternsOf(values: Float32Array): Uint32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length).slice();
  values.forEach((value, index) => {
    if (Number.isNaN(value)) bits[index] = 0x7fc00000;
  });
  return bits;
}

function valuesOf(patterns: Uint32Array): Float32Array {
  return new Float32Array(patterns.buffer, patterns.byteOffset, patterns.length);
}

/** As the reference script makes them: at, and one step beside, the tie above every value. */
function aroundTies(widened: Uint32Array, half: number): Uint32Array {
  const steps = [-1, 0, 1].flatMap((step) =>
    Array.from(widened, (bits) => (bits + half + step) >>> 0),
  );
  return Uint32Array.from(steps);
}

const scattered = Uint32Array.from({ length: 65536 }, (_, index) => (index * 65537) % 2 ** 32);

describe.each([
  { name: 'float16' as const, encode: float16Bits, decode: float16Value, half: 0x1000 },
  { name: 'bfloat16' as const, encode: bfloat16Bits, decode: bfloat16Value, half: 0x8000 },
])('$name', ({ name, encode, decode, half }) => {
  const expected = golden[name];
  const widened = patternsOf(Float32Array.from(allPatterns, decode));
  const narrow = (patterns: Uint32Array): Uint16Array =>
    Uint16Array.from(valuesOf(patterns), encode);

  test("all 65,536 patterns widen to torch's float32 patterns, and NaN stays NaN", () => {
    expect(sha256(widened)).toBe(expected.widenedSha256);
  });

  test('bytes of all patterns decode to the same values, at an odd byte offset too', () => {
    const bytes = new Uint8Array(65536 * 2 + 1);
    bytes.set(new Uint8Array(allPatterns.buffer), 1);
    const values = decodeValues(bytes.subarray(1), name);
    expect(values).toBeInstanceOf(Float32Array);
    expect(sha256(patternsOf(values as Float32Array))).toBe(expected.widenedSha256);
  });

  test('every value narrows back to the pattern that torch gives', () => {
    expect(sha256(narrow(widened))).toBe(expected.narrowedSha256);
  });

  test('ties above every value, and their neighbours, round as in torch', () => {
    expect(sha256(narrow(aroundTies(widened, half)))).toBe(expected.tiesSha256);
  });

  test('float32 patterns from all over the range narrow as in torch', () => {
    expect(sha256(narrow(scattered))).toBe(expected.scatteredSha256);
  });

  test('overflow, subnormals, zeros and infinities narrow as in torch', () => {
    const edges = float32Of(golden.edges);
    expect(Array.from(edges, encode)).toEqual(Array.from(uint16Of(expected.edges)));
  });

  test('float64 is rounded once, where a rounding to float32 first would change the result', () => {
    const values = float64Of(golden.float64);
    expect(Array.from(values, encode)).toEqual(Array.from(uint16Of(expected.fromFloat64)));
    const twice = Array.from(values, (value) => encode(Math.fround(value)));
    expect(twice).not.toEqual(Array.from(uint16Of(expected.fromFloat64)));
  });
});

test('bytes that are no whole number of values are refused', () => {
  expect(() => decodeValues(new Uint8Array(7), 'float32')).toThrow(RangeError);
});

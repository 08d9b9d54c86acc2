import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toJson, writeJson } from '../../../electron/cli/json.ts';

test('JSON is the text that JSON.stringify makes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(toJson(value)).toBe(JSON.stringify(value, null, 2));
    }),
  );
  const members = { a: undefined, b: [undefined, null], c: {}, d: [], __proto__: null };
  expect(toJson(members)).toBe(JSON.stringify(members, null, 2));
});

test('infinity is 1e999, NaN is null, and typed arrays are arrays', () => {
  const text = toJson({ a: [Infinity, -Infinity, NaN, -0], b: Float64Array.of(0.1, Infinity) });
  expect(text.replace(/\s/g, '')).toBe('{"a":[1e999,-1e999,null,0],"b":[0.1,1e999]}');
  expect(toJson(Int32Array.of(1, -2)).replace(/\s/g, '')).toBe('[1,-2]');
});

test('text longer than a string can be is written in pieces', () => {
  const long = new Float64Array(100_000).fill(1 / 3);
  let [characters, pieces] = [0, 0];
  writeJson(Array<Float64Array>(300).fill(long), (piece) => {
    characters += piece.length;
    pieces++;
  });
  expect(characters).toBeGreaterThan(2 ** 29);
  expect(pieces).toBeGreaterThan(1000);
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  alphabetFor,
  ctcCharacters,
  textDifference,
} from '../../../electron/engine/answers/kinds/text.ts';
import { topClasses } from '../../../electron/engine/answers/kinds/scores.ts';
import type { Answer } from '../../../shared/answers.ts';
import { root } from '../../helpers/root.ts';
import { read } from './reading.ts';

interface Golden {
  readonly top: readonly { readonly scores: string; readonly top: readonly number[] }[];
  readonly characters: readonly string[];
  readonly text: readonly {
    readonly dims: readonly number[];
    readonly before: string;
    readonly after: string;
    readonly texts: readonly [string, string];
    readonly distance: number;
  }[];
  readonly mask: {
    readonly dims: readonly number[];
    readonly before: string;
    readonly after: string;
    readonly wrong: number;
    readonly of: number;
    readonly shares: readonly (readonly number[])[];
  };
  readonly boxes: {
    readonly dims: readonly number[];
    readonly head: string;
    readonly size: number;
    readonly boxes: readonly (readonly number[])[];
  };
}

const golden = JSON.parse(
  fs.readFileSync(path.join(root, 'test/fixtures/goldens/answers.json'), 'utf8'),
) as Golden;

/** Made by test/reference/answers.py. */
function floats(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

test.each(golden.top)("the top classes are numpy's stable argsort, case %#", ({ scores, top }) => {
  const data = floats(scores);
  expect(topClasses(data, 0, data.length)).toEqual(top);
});

describe.each(golden.text)('text by CTC, case %#', ({ dims, before, after, texts, distance }) => {
  const { answer, agreement } = read('ctc', dims, floats(before), floats(after), {
    names: golden.characters,
  });

  test("equals the reference's on both sides, and the wrong characters its edit distance", () => {
    const { kind, ...sides } = answer as Answer & { kind: 'ctc' };
    expect(kind).toBe('ctc');
    expect(sides.before.map(({ text }) => text).join('')).toBe(texts[0]);
    expect(sides.after.map(({ text }) => text).join('')).toBe(texts[1]);
    expect(agreement).toEqual({ wrong: distance, of: texts[0].length, unit: 'characters' });
  });
});

test('a mask has the class of the greatest channel, and counts the pixels that differ', () => {
  const { dims, before, after, wrong, of, shares } = golden.mask;
  const { answer, agreement } = read('mask', dims, floats(before), floats(after));
  expect(agreement).toEqual({ wrong, of, unit: 'pixels outside class 0' });
  const { classes } = answer as Answer & { kind: 'mask' };
  for (const { index, before: was, after: is } of classes) {
    expect(was).toBeCloseTo(shares[0]![index]!, 12);
    expect(is).toBeCloseTo(shares[1]![index]!, 12);
  }
  expect(classes).toHaveLength(4);
});

test('boxes of a YOLO head are those that the reference keeps', () => {
  const { dims, head, size, boxes } = golden.boxes;
  const input = { width: size, height: size };
  const data = floats(head);
  const { answer, agreement } = read('boxes', dims, data, data, { input });
  const found = (answer as Answer & { kind: 'boxes' }).before;
  expect(found.map(({ label }) => Number(label))).toEqual(boxes.map((row) => row[4]));
  for (const [at, { x1, y1, x2, y2, score }] of found.entries())
    for (const [column, value] of [x1, y1, x2, y2, score!].entries())
      expect(value).toBeCloseTo(boxes[at]![column < 4 ? column : 5]!, 9);
  expect(agreement).toEqual({ wrong: 0, of: boxes.length, unit: 'boxes' });
});

test.each<[string, readonly string[], readonly number[], string]>([
  ['the blank at the start, a space at the end', ['a', 'b'], [1, 1, 0, 1, 2, 3], 'aab '],
  [
    'a dictionary with its own blank at the end',
    ['a', 'b', 'c', '<blank>'],
    [0, 3, 0, 1, 3],
    'aab',
  ],
  ['a blank that the model adds at the end', ['a', 'b', 'c'], [0, 3, 3, 0, 3, 1], 'aab'],
  ['a blank that the model adds at the start', ['a', 'b', 'c'], [1, 0, 0, 1, 0, 2], 'aab'],
])('CTC with %s', (_, names, best, text) => {
  expect(ctcCharacters(best, alphabetFor(names, 4, best)!).join('')).toBe(text);
});

test.each([
  ['kitten', 'sitting', 3, [0, 4], [0, 4, 6]],
  ['', 'ab', 2, [], [0, 1]],
  ['same', 'same', 0, [], []],
  ['abc', 'bc', 1, [0], []],
])('%s and %s differ by %i changes, marked where they are', (a, b, distance, was, is) => {
  const found = textDifference([...a], [...b]);
  const marked = (marks: readonly boolean[]): number[] =>
    [...marks.keys()].filter((at) => marks[at]);
  expect(found.distance).toBe(distance);
  expect([marked(found.before), marked(found.after)]).toEqual([was, is]);
});

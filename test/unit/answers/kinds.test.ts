import { describe, expect, test } from 'vitest';
import { guessKind } from '../../../electron/engine/answers/guess.ts';
import { areScores } from '../../../electron/engine/answers/kinds/scores.ts';
import { labelOf, type Reading } from '../../../electron/engine/answers/read.ts';
import { agreedShare, MOST_PIXELS, type Answer, type AnswerKind } from '../../../shared/answers.ts';
import { differenceInWords, verdict } from '../../../shared/judgement.ts';
import { randomValues } from '../../helpers/onnx-model.ts';
import { read, reading } from './reading.ts';

const some = (dims: readonly number[], change = (value: number): number => value) => ({
  dims,
  data: Float32Array.from(
    randomValues(
      dims.reduce((a, b) => a * b, 1),
      7,
    ),
    change,
  ),
});
/** Rows of probabilities. */
function softmax(dims: readonly number[]): ReturnType<typeof some> {
  const { data } = some(dims, (value) => Math.exp(3 * value));
  const width = dims.at(-1)!;
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width);
    const sum = row.reduce((a, b) => a + b, 0);
    for (let at = 0; at < width; at++) row[at]! /= sum;
  }
  return { dims, data };
}
const unit = (value: number): number => Math.abs(value);
const letters = { size: 1000, decode: (ids: readonly number[]) => ids.map(String) };
const picture = { width: 64, height: 48 };
const beside = (name: string, dims: readonly number[]): Partial<Reading> => {
  const value = { ...some(dims, unit), isText: false };
  return { input: picture, outputs: new Map([[name, { before: value, after: value }]]) };
};

test.each<[AnswerKind, string, ReturnType<typeof some>, Partial<Reading>]>([
  ['scores', 'y', softmax([1, 10]), {}],
  ['scores', 'logits', some([1, 1000]), {}],
  ['numbers', 'embedding', some([1, 512]), {}],
  ['numbers', 'y', some([1, 1]), {}],
  ['numbers', 'hidden_state', some([1, 128]), {}],
  ['numbers', 'y', some([2, 1, 128]), {}],
  ['ctc', 'y', softmax([1, 40, 12]), { names: [...'0123456789'] }],
  ['numbers', 'y', softmax([1, 40, 12]), {}],
  ['numbers', 'y', softmax([1, 40, 12]), { names: [...'01234567'] }],
  ['mask', 'y', some([1, 1, 32, 48], unit), {}],
  ['mask', 'y', some([1, 21, 32, 48]), {}],
  [
    'mask',
    'y',
    some([1, 32, 48], (value) => Math.round(Math.abs(value) * 20)),
    { input: { width: 48, height: 32 } },
  ],
  ['picture', 'depth', some([1, 32, 48]), { input: { width: 480, height: 320 } }],
  ['numbers', 'y', some([1, 32, 48]), {}],
  ['picture', 'y', some([1, 3, 32, 48]), {}],
  ['picture', 'y', some([1, 32, 48, 3]), { runtime: 'LiteRT' }],
  ['numbers', 'y', some([1, 512, 7, 7]), {}],
  ['numbers', 'y', some([1, 900, 32, 32]), {}],
  ['boxes', 'boxes', some([1, 50, 4]), beside('scores', [1, 50])],
  ['numbers', 'y', some([1, 50, 4]), {}],
  ['boxes', 'detections', some([1, 50, 6]), {}],
  ['points', 'keypoints', some([1, 17, 3]), {}],
  ['numbers', 'y', some([1, 17, 3]), {}],
  ['wave', 'y', some([1, 1, 4000]), {}],
  ['wave', 'y', some([4000]), {}],
  ['numbers', 'y', some([1, 896, 1]), {}],
  ['wave', 'audio', some([1, 4000]), {}],
  [
    'tokens',
    'ids',
    some([1, 12], (value) => Math.round(Math.abs(value) * 900)),
    { vocabulary: letters },
  ],
  ['tokens', 'y', some([1, 12, 1024]), { vocabulary: letters }],
  ['numbers', 'y', some([1, 0, 4]), {}],
  ['numbers', 'y', some([]), {}],
])('guesses %s for %s', (kind, name, value, with_) => {
  expect(guessKind(name, value, reading(with_))).toBe(kind);
});

test('top-1 agreement is of class scores only', () => {
  expect(areScores('y', some([4, 10]))).toBe(true);
  expect(areScores('y', softmax([4, 4]))).toBe(true);
  expect(areScores('y', some([4, 4]))).toBe(false);
  const { dims, data } = some([1, 16]);
  const norm = Math.hypot(...data);
  expect(areScores('y', { dims, data: data.map((value) => value / norm) })).toBe(false);
});

test('labels may lack the background, or have it although the model does not', () => {
  expect(labelOf(['cat', 'dog'], 1, 2)).toBe('dog');
  expect(labelOf(['cat', 'dog'], 1, 3)).toBe('cat');
  expect(labelOf(['cat', 'dog'], 0, 3)).toBe('background');
  expect(labelOf(['nothing', 'cat', 'dog'], 0, 2)).toBe('cat');
  expect(labelOf(['cat'], 5, 1000)).toBeNull();
});

describe('scores', () => {
  test('a row that is NaN on one side does not agree', () => {
    const { agreement } = read('scores', [2, 3], [NaN, NaN, NaN, 1, 5, 2], [3, 2, 1, 1, 5, 2]);
    expect(agreement).toMatchObject({ wrong: 1, of: 2 });
  });

  test('of logits have their softmax as bars', () => {
    const { answer } = read('scores', [1, 3], [0, Math.log(3), -Infinity], [5, 0, 0]);
    const { before, isSoftmax } = answer as Answer & { kind: 'scores' };
    expect(isSoftmax).toBe(true);
    expect(before.map(({ index, share }) => [index, share])).toEqual([
      [1, expect.closeTo(0.75, 12) as number],
      [0, expect.closeTo(0.25, 12) as number],
      [2, 0],
    ]);
  });

  test('put NaN last, and a bar of NaN has no length', () => {
    const { answer } = read('scores', [1, 3], [NaN, 2, 1], [0, 1, 2]);
    const { before } = answer as Answer & { kind: 'scores' };
    expect(before.map(({ index }) => index)).toEqual([1, 2, 0]);
    expect(before.every(({ share }) => share >= 0 && share <= 1)).toBe(true);
  });
});

describe('pictures', () => {
  test('have at most 65,536 pixels, in their proportions', () => {
    const { dims, data } = some([1, 3, 300, 900]);
    const { answer } = read('picture', dims, data, data);
    const { before } = answer as Answer & { kind: 'picture' };
    expect(before.width * before.height).toBeLessThanOrEqual(MOST_PIXELS);
    expect(before.width / before.height).toBeCloseTo(3, 1);
    expect(before.rgba).toHaveLength(before.width * before.height * 4);
  });

  test('are red, green and blue in both layouts, by the range of their values', () => {
    const pixels = 64;
    const planes = Float32Array.from(
      { length: 3 * pixels },
      (_, at) => [1, 0.5, 0][Math.floor(at / pixels)]!,
    );
    const rows = Float32Array.from({ length: 3 * pixels }, (_, at) => [1, 0.5, 0][at % 3]!);
    for (const [dims, data] of [
      [[1, 3, 8, 8], planes],
      [[1, 8, 8, 3], rows],
    ] as const) {
      const { answer } = read('picture', dims, data, data);
      const { before, range, mostDifference } = answer as Answer & { kind: 'picture' };
      expect([...before.rgba.subarray(0, 4)]).toEqual([255, 128, 0, 255]);
      expect([range, mostDifference]).toEqual([[0, 1], 0]);
    }
  });

  test('show a difference of one channel in white', () => {
    const before = new Float32Array(192).fill(100);
    const after = Float32Array.from(before);
    after[64 + 9] = 130;
    const { answer } = read('picture', [3, 8, 8], before, after);
    const { difference, mostDifference, range } = answer as Answer & { kind: 'picture' };
    expect([mostDifference, range]).toEqual([30, [0, 255]]);
    const bright = [...difference.rgba.keys()].filter(
      (at) => at % 4 === 0 && difference.rgba[at]! > 0,
    );
    expect(bright).toEqual([9 * 4]);
  });
});

test('a mask of one channel is over 0.5, or over 0 as logits', () => {
  const values = Float32Array.from({ length: 64 }, (_, at) => (at < 16 ? 0.6 : 0.4));
  expect(read('mask', [1, 1, 8, 8], values, new Float32Array(64)).agreement).toMatchObject({
    wrong: 16,
    of: 16,
  });
  const logits = values.map((value) => (value - 0.5) * 50);
  expect(
    read(
      'mask',
      [1, 1, 8, 8],
      logits,
      logits.map((value) => -value),
    ).agreement,
  ).toMatchObject({ wrong: 64 });
});

describe('boxes', () => {
  test('take their scores and classes from the outputs beside them, y first in LiteRT', () => {
    const value = (dims: readonly number[], data: number[]) => {
      const both = { dims, data: Float32Array.from(data), isText: false };
      return { before: both, after: both };
    };
    const outputs = new Map([
      ['y', value([1, 2, 4], [0.1, 0.2, 0.5, 0.6, 0, 0, 1, 1])],
      ['classes', value([1, 2], [1, 7])],
      ['scores', value([1, 2], [0.9, 0.1])],
    ]);
    const data = outputs.get('y')!.before.data;
    const { answer } = read('boxes', [1, 2, 4], data, data, {
      runtime: 'LiteRT',
      outputs,
      names: ['a', 'b'],
    });
    const { before, order } = answer as Answer & { kind: 'boxes' };
    expect(order).toBe('y1 x1 y2 x2');
    expect(before).toEqual([
      {
        x1: Math.fround(0.2),
        y1: Math.fround(0.1),
        x2: Math.fround(0.6),
        y2: 0.5,
        score: Math.fround(0.9),
        label: 'b',
      },
    ]);
  });

  test('that moved or are missing do not agree', () => {
    const rows = (moved: number) => [0, 0, 0.5, 0.5, 0.9, 0, moved, 0.5, 1, 1, 0.8, 1];
    expect(read('boxes', [2, 6], rows(0.5), rows(0.52)).agreement).toMatchObject({
      wrong: 0,
      of: 2,
    });
    expect(read('boxes', [2, 6], rows(0.5), rows(0.9)).agreement).toMatchObject({
      wrong: 2,
      of: 2,
    });
  });
});

test('keypoints agree within 2 % of the input', () => {
  const { answer, agreement } = read('points', [1, 2, 2], [32, 24, 64, 48], [32, 24.5, 64, 20], {
    input: picture,
  });
  expect((answer as Answer & { kind: 'points' }).before).toEqual([
    { x: 0.5, y: 0.5 },
    { x: 1, y: 1 },
  ]);
  expect(agreement).toEqual({ wrong: 1, of: 2, unit: 'points' });
});

test('a waveform keeps the lowest and highest value of each of 512 columns', () => {
  const values = Float32Array.from({ length: 5120 }, (_, at) => (at % 10) - 4);
  const { answer } = read(
    'wave',
    [1, 1, 5120],
    values,
    values.map((value) => value + 1),
  );
  const { before, difference, length } = answer as Answer & { kind: 'wave' };
  expect(length).toBe(5120);
  expect(before.low).toEqual(new Float32Array(512).fill(-4));
  expect(before.high).toEqual(new Float32Array(512).fill(5));
  expect(difference.high).toEqual(new Float32Array(512).fill(1));
});

test('numbers are of the finite values, their difference of all', () => {
  const { answer } = read('numbers', [4], [1, 2, 3, Infinity], [1, 2, 5, Infinity]);
  expect(answer).toMatchObject({
    before: { min: 1, max: 3, mean: 2 },
    after: { max: 5 },
    maxAbsError: 2,
    meanAbsError: 0.5,
  });
});

test('an agreement of nothing is none, and text that was added is wrong', () => {
  expect(agreedShare({ wrong: 0, of: 0, unit: '' })).toBeNull();
  expect(agreedShare({ wrong: 3, of: 0, unit: '' })).toBe(0);
  expect(agreedShare({ wrong: 5, of: 4, unit: '' })).toBe(0);
  expect(agreedShare({ wrong: 1, of: 4, unit: '' })).toBe(0.75);
});

test('an output under 10 dB differs strongly, one under 20 dB visibly', () => {
  expect(differenceInWords(9.9)).toContain('strongly');
  expect(differenceInWords(10)).toContain('visibly');
  expect([20, Infinity, null, NaN].map(differenceInWords)).toEqual([null, null, null, null]);
  const none = {
    ...{ inconclusive: false, equalShare: null },
    nonFinite: { newNaN: 0, newInfinity: 0, lost: 0 },
  };
  const whole = (equalShare: number) => verdict([{ ...none, sqnrDb: 3, equalShare }]);
  expect([0.9, 0.8].map(whole)).toEqual([
    null,
    'an output differs in a tenth of its values or more',
  ]);
  expect(
    verdict([
      { ...none, sqnrDb: 30 },
      { ...none, sqnrDb: -11 },
    ]),
  ).toBe("its outputs differ strongly from the original's");
  expect(verdict([{ ...none, sqnrDb: 3, inconclusive: true }])).toBeNull();
  expect(verdict([{ ...none, sqnrDb: 30, nonFinite: { ...none.nonFinite, newNaN: 1 } }])).toContain(
    'NaN',
  );
  expect(verdict([{ ...none, sqnrDb: null, nonFinite: { ...none.nonFinite, lost: 1 } }])).toBe(
    'the original has NaN or infinite values that its outputs do not have',
  );
});

import { describe, expect, test } from 'vitest';
import { parseDimension, solveSizes } from '../../../electron/engine/runtime/dimensions.ts';
import {
  makeInputs,
  NO_HINTS,
  sizeTries,
  type ArrayValue,
  type RunHints,
} from '../../../electron/engine/runtime/inputs.ts';
import type { InputFacts } from '../../../electron/engine/runtime/dimensions.ts';
import { carriedInputs } from '../../../electron/engine/runtime/states.ts';

const float = (name: string, shape: InputFacts['shape']): InputFacts => ({
  name,
  type: 'float32',
  shape,
});
const integer = (name: string, shape: InputFacts['shape']): InputFacts => ({
  name,
  type: 'int64',
  shape,
});

function make(
  inputs: readonly InputFacts[],
  {
    outputs = [],
    hints = {},
    attempt = 0,
  }: { outputs?: readonly InputFacts[]; hints?: Partial<RunHints>; attempt?: number } = {},
): Record<string, ArrayValue> {
  const sizes = sizeTries(inputs)[attempt]!;
  return makeInputs({ inputs, outputs, hints: { ...NO_HINTS, ...hints }, sizes }, 3);
}

const numbers = (value: ArrayValue | undefined): number[] =>
  Array.from(value!.data as ArrayLike<number>, Number);
const isZero = (value: ArrayValue | undefined): boolean =>
  numbers(value).every((number) => number === 0);

describe('values of random inputs', () => {
  test.each([
    'hidden_states',
    'encoder_hidden_states',
    'memory',
    'x',
    'cell_image',
    'past_weather',
  ])('an input that is only called %s is data, not a state', (name) => {
    const made = make([float(name, ['batch', 'seq', 8]), float('other', [1, 4])], {
      outputs: [float('y', ['batch', 'seq', 8])],
    });
    expect(isZero(made[name])).toBe(false);
  });

  test.each([
    ['past_key_values.0.key', 'present.0.key'],
    ['past_0', 'present_0'],
    ['state', 'stateN'],
    ['state', 'state_out'],
    ['h0', 'hn'],
    ['h_0', 'h_n'],
    ['h', 'hn'],
    ['cache_last_channel', 'cache_last_channel_next'],
    ['in_cache', 'out_cache'],
  ])('%s is a state that the output %s feeds, and zero', (name, output) => {
    const made = make([float(name, [2, 1, 8]), float('x', [1, 4])], {
      outputs: [float(output, [2, 1, 8])],
    });
    expect(isZero(made[name])).toBe(true);
    expect(isZero(made['x'])).toBe(false);
  });

  test('an output of another shape or type feeds no state', () => {
    const input = float('state', [2, 1, 8]);
    expect(carriedInputs([input], [float('stateN', [2, 1, 9])]).size).toBe(0);
    expect(carriedInputs([input], [integer('stateN', [2, 1, 8])]).size).toBe(0);
    expect(carriedInputs([input], [float('stateN', [2, 1, 8])])).toEqual(
      new Map([['state', 'stateN']]),
    );
    expect(
      carriedInputs([float('input_image', [1, 3])], [float('output_image', [1, 3])]).size,
    ).toBe(0);
  });

  test('an initial_h of a recurrent operator is zero, whatever its name', () => {
    const made = make([float('onnx::LSTM_3', [1, 1, 8]), float('x', [1, 4])], {
      hints: { states: ['onnx::LSTM_3'] },
    });
    expect(isZero(made['onnx::LSTM_3'])).toBe(true);
  });

  test('states are not zero where nothing else is data', () => {
    const inputs = [float('hidden_state', [1, 'seq', 8]), integer('attention_mask', [1, 'seq'])];
    const made = make(inputs, { outputs: [float('hidden_state_out', [1, 'seq', 8])] });
    expect(isZero(made['hidden_state'])).toBe(false);
  });

  test('masks are 1, token ids stay in their table, position ids count on from the past', () => {
    const made = make(
      [
        integer('input_ids', [1, 'seq']),
        integer('position_ids', [1, 'seq']),
        integer('attention_mask', [1, 'past + seq']),
        float('past.key', [1, 2, 'past', 4]),
        float('masked_image', [1, 8]),
      ],
      { hints: { limits: { input_ids: 5, position_ids: 18 } }, attempt: 1 },
    );
    expect(made['attention_mask']!.dims).toEqual([1, 20]);
    expect(new Set(numbers(made['attention_mask']))).toEqual(new Set([1]));
    expect(Math.max(...numbers(made['input_ids']))).toBeLessThan(5);
    expect(numbers(made['position_ids'])).toEqual([
      4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0, 1,
    ]);
    expect(new Set(numbers(made['masked_image'])).size).toBeGreaterThan(2);
  });

  test('pixels of 8 bits use their whole range', () => {
    const made = make([
      { name: 'image', type: 'uint8', shape: [1, 'h', 'w', 3] },
      { name: 'codes', type: 'int8', shape: [1, 4096] },
    ]);
    expect(Math.max(...numbers(made['image']))).toBe(255);
    expect(Math.min(...numbers(made['codes']))).toBe(-128);
    expect(Math.max(...numbers(made['codes']))).toBe(127);
  });

  test('text is words', () => {
    const made = make([{ name: 'text', type: 'string', shape: ['n', 3] }]);
    expect(made['text']!.data).toHaveLength(3);
    for (const word of made['text']!.data as readonly string[])
      expect(word).toMatch(/^[a-z]{1,8}$/);
  });

  test('a type that the Node interface cannot pass is named with its input', () => {
    expect(() => make([{ name: 'codes', type: 'int4', shape: [4] }])).toThrow(
      /codes: .*cannot pass the input.*found int4/,
    );
  });

  test.each(['constructor', '__proto__'])('an input may be called %s', (name) => {
    const made = make([{ name, type: 'int64', shape: [2] }]);
    expect(Object.entries(made)).toMatchObject([[name, { type: 'int64', dims: [2] }]]);
  });
});

describe('sizes of free dimensions', () => {
  test('batch 1, equal names equal sizes, images and sequences by the attempt, 0 stays 0', () => {
    const made = make([
      integer('ids', ['batch', 'seq']),
      integer('attention_mask', ['batch', 'seq']),
      float('pixels', ['batch', 3, 'h', 'w']),
      float('past.0.key', ['batch', 8, 'past_sequence_length', 64]),
      float('empty', [1, 0, 4]),
    ]);
    expect(made['ids']!.dims).toEqual([1, 16]);
    expect(made['attention_mask']!.dims).toEqual([1, 16]);
    expect(made['pixels']!.dims).toEqual([1, 3, 224, 224]);
    expect(made['past.0.key']!.dims).toEqual([1, 8, 0, 64]);
    expect(made['empty']!.dims).toEqual([1, 0, 4]);
  });

  test.each<[string, number]>([
    ['past_sequence_length + sequence_length', 20],
    ['2*batch', 6],
    ['batch * (past_sequence_length+1) - 1', 14],
    ['floor(sequence_length/3)', 5],
    ['sequence_length//3 + Max(1, batch)', 8],
  ])('%s is computed from its names', (text, expected) => {
    const sizes = new Map([
      ['batch', 3],
      ['past_sequence_length', 4],
      ['sequence_length', 16],
    ]);
    expect(parseDimension(text)!.compute(sizes)).toBe(expected);
  });

  test.each([
    'batch',
    'batch-size',
    'a b',
    '(',
    'a +',
    'f(x)',
    'unk__123',
    '?',
    '-',
    `${'('.repeat(300)}`,
  ])('%s is a plain name', (text) => expect(parseDimension(text)).toBeNull());

  test('names that occur in expressions only get a size too', () => {
    const sizes = solveSizes([{ shape: ['a + b', 'b'] }], (name) => (name === 'a' ? 2 : 5));
    expect([sizes.get('a + b'), sizes.get('b')]).toEqual([7, 5]);
  });

  test('a negative size becomes 1', () => {
    const sizes = solveSizes([{ shape: ['a - 9'] }], () => 2);
    expect(sizes.get('a - 9')).toBe(1);
  });

  test('a mask with a length of its own covers the past and the sequence', () => {
    const inputs = [
      integer('input_ids', ['batch', 'sequence_length']),
      integer('attention_mask', ['batch', 'total_sequence_length']),
      float('past_key_values.0.key', ['batch', 2, 'past_sequence_length', 4]),
    ];
    expect(make(inputs, { attempt: 1 })['attention_mask']!.dims).toEqual([1, 20]);
  });
});

import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import {
  planEqualization,
  strangerOf,
  writeEqualized,
} from '../../../electron/engine/equalize/equalize.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { equalizationLines, equalizationText } from '../../../shared/equalization.ts';
import { HISTOGRAM_BINS, type ObservedValue } from '../../../shared/ranges.ts';
import { floatTensor, model, node, value } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { float32Of, readGolden } from '../quantize/goldens.ts';

interface Golden {
  readonly peaks: Readonly<Record<string, readonly number[]>>;
  readonly exponents: Readonly<Record<string, readonly number[]>>;
  readonly tensors: readonly {
    readonly name: string;
    readonly dims: number[];
    readonly before: string;
    readonly after: string;
  }[];
}

const folder = temporaryFolder();
const never = new AbortController().signal;
const golden = readGolden<Golden>('equalize.json');

function goldenModel(changes: Readonly<Record<string, Float32Array>> = {}): Uint8Array {
  const group = { name: 'group', type: 2, i: 7 };
  return model(
    {
      node: [
        node('Conv', ['x', 'first', 'bias'], ['c']),
        node('Relu', ['c'], ['c+']),
        node('Conv', ['c+', 'deep', 'deep bias'], ['d'], { attribute: [group] }),
        node('Relu', ['d'], ['d+']),
        node('Conv', ['d+', 'last'], ['y']),
        node('LayerNormalization', ['z', 'scale', 'shift'], ['n']),
        node('MatMul', ['n', 'q'], ['q of z']),
        node('MatMul', ['n', 'k'], ['k of z']),
      ],
      initializer: golden.tensors.map(({ name, dims, before }) =>
        floatTensor(name, dims, [...(changes[name] ?? float32Of(before))]),
      ),
      input: [value('x', [1, 2, 5, 5]), value('z', [4, 7])],
      output: [value('y', ['n']), value('q of z', ['n']), value('k of z', ['n'])],
    },
    { opset: 17 },
  );
}

/** What calibration observes of a value. */
const observed = (name: string, peaks: readonly number[]): ObservedValue => ({
  ...{ name, min: -1, max: 1, mean: 0, power: 1, count: 28, nonFinite: 0 },
  histogram: new Array<number>(HISTOGRAM_BINS).fill(0),
  channels: { means: new Array<number>(7).fill(0), peaks, shape: [4, 7] },
});
const OBSERVED = Object.entries(golden.peaks).map((each) => observed(...each));

async function equalized(bytes: Uint8Array, values: readonly ObservedValue[] = OBSERVED) {
  const opened = openModel(writeFile(folder, bytes));
  try {
    const equalization = await planEqualization(opened, { values }, never);
    const out = fs.mkdtempSync(path.join(folder, 'copy-'));
    const copy = writeEqualized(opened, equalization, out, never);
    const { graph } = onnx.ModelProto.decode(fs.readFileSync(copy));
    const tensors = new Map(
      graph!.initializer!.map(({ name, rawData }) => [
        name!,
        new Float32Array(Uint8Array.from(rawData!).buffer),
      ]),
    );
    const exponents = Object.fromEntries(
      equalization.layers.map(({ result, exponents: own }) => [result, own]),
    );
    return { equalization, tensors, exponents };
  } finally {
    opened.close();
  }
}

describe('factors', () => {
  test('and the weights that they make equal the reference’s', async () => {
    const { equalization, tensors, exponents } = await equalized(goldenModel());
    expect(exponents).toEqual(golden.exponents);
    for (const { name, after } of golden.tensors)
      expect(tensors.get(name), name).toEqual(float32Of(after));
    expect(equalization.layers.map(({ takers }) => takers)).toEqual([
      ['Conv_d'],
      ['Conv_y'],
      ['MatMul_q of z', 'MatMul_k of z'],
    ]);
  });

  test('are none where channels are even', async () => {
    const even = Object.fromEntries(
      golden.tensors.map(({ name, before }) => [name, float32Of(before).fill(0.5)]),
    );
    const flat = Object.keys(golden.peaks).map((name) =>
      observed(name, new Array<number>(7).fill(3)),
    );
    const { equalization } = await equalized(goldenModel(even), flat);
    expect(equalization.layers).toEqual([]);
    expect(equalizationLines(equalization)[0]).toBe(
      'not equalized: no layer can take factors that even out its channels',
    );
  });

  test('leave channels that are 0 on a side as they are', async () => {
    const { before } = golden.tensors[0]!;
    const dead = float32Of(before);
    dead.fill(0, 4, 6);
    const none = golden.peaks['c+']!.map((peak, channel) => (channel === 2 ? 0 : peak));
    const values = [observed('c+', none), ...OBSERVED.slice(1)];
    const { exponents } = await equalized(goldenModel({ first: dead }), values);
    expect(exponents['c']![2]).toBe(0);
  });

  test('do not raise a channel that its bias alone makes large', async () => {
    const first = float32Of(golden.tensors[0]!.before);
    first.fill(1e-6, 4, 6);
    const peaks = [1, 1, 40, 1, 1, 1, 1];
    const { exponents } = await equalized(goldenModel({ first }), [
      ...[observed('c+', peaks), observed('d+', golden.peaks['d+']!)],
    ]);
    expect(exponents['c']![2]).toBeLessThan(2);
    const unobserved = await equalized(goldenModel({ first }), []);
    expect(unobserved.exponents['c']![2]).toBeGreaterThan(6);
  });

  test('are none of weights that hold NaN, and of channels that were not observed', async () => {
    const { before } = golden.tensors[0]!;
    const odd = float32Of(before);
    odd[3] = NaN;
    const { equalization } = await equalized(goldenModel({ first: odd }), []);
    expect(equalization.layers.map(({ result }) => result)).toEqual(['d']);
    expect(equalization.left).toEqual([
      ...['Conv_y', 'MatMul_q of z', 'MatMul_k of z'].map((name) => ({
        ...{ name, reason: 'its result is an output of the model' },
      })),
      { name: 'Conv_c', reason: 'its weight holds NaN or infinity' },
      {
        name: 'LayerNormalization_n',
        reason: 'the channels of its result were not observed',
      },
    ]);
    expect(equalizationLines(equalization)).toContain(
      'not equalized: 3 layers: its result is an output of the model',
    );
    const last = float32Of(golden.tensors.find(({ name }) => name === 'deep')!.before);
    last[0] = Infinity;
    const taken = await equalized(goldenModel({ deep: last }));
    expect(taken.equalization.left).toContainEqual({
      name: 'Conv_c',
      reason: 'a weight that takes its result holds NaN or infinity',
    });
  });
});

test('weights that are equalized already have no further factors, as a file notes them once', async () => {
  const opened = openModel(writeFile(folder, goldenModel()));
  const first = await planEqualization(opened, { values: OBSERVED }, never);
  expect(strangerOf(opened, first)).toBeUndefined();
  const out = fs.mkdtempSync(path.join(folder, 'copy-'));
  const copy = openModel(writeEqualized(opened, first, out, never));
  expect(first.layers.length).toBeGreaterThan(0);
  expect(await planEqualization(copy, { values: OBSERVED }, never)).toEqual({
    ...{ layers: [], left: [] },
    dropped: 'the model has equalized weights already',
  });
  expect(strangerOf(copy, first)).toEqual(first.layers[0]);
  for (const each of [opened, copy]) each.close();
});

test('the window tells of equalization in a paragraph', () => {
  const left = [{ name: 'a', reason: 'b' }];
  const layer = { name: 'c', result: 'd', takers: [], exponents: [-3, 0, 2] };
  expect(equalizationText({ layers: [layer], left, tried: { without: 3, with: null } })).toBe(
    'Equalized: the results of 1 layer, by factors of 2^-3 to 2^2; float results are the same. ' +
      'SQNR of the outputs on calibration samples: exact with equalized weights, 3.0 dB without. 1 layer cannot have factors.',
  );
  expect(equalizationText({ layers: [], left: [], dropped: 'of a reason' })).toBe(
    'Not equalized: of a reason.',
  );
});

import { type onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import type { VerifyResult } from '../../../shared/verification.ts';
import { OutputCheck } from '../../../electron/engine/runtime/output-check.ts';
import { runBeside } from '../../../electron/engine/runtime/run-models.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import {
  constant,
  floatTensor,
  model,
  node,
  randomValues,
  value,
  type ModelOptions,
} from '../../helpers/onnx-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;

async function verify(file: string, other = file, samples = 3): Promise<VerifyResult> {
  const session = Session.open(file, pool);
  const inputs = { samples, seed: 1, inputs: null };
  try {
    return await runBeside(session, sharedRuntime, other, inputs, { signal: never });
  } finally {
    session.close();
  }
}

const write = (graph: onnx.IGraphProto, options: ModelOptions = {}): string =>
  writeFile(folder, model(graph, options));
const x = value('x', [1, 8]);
const relu = node('Relu', ['x'], ['z']);
const z = value('z', [1, 8]);

describe('outputs that prove nothing', () => {
  test.each<[string, onnx.INodeProto[], RegExp]>([
    ['zero', [node('Sub', ['x', 'x'], ['y'])], /is zero in every sample.*inconclusive/],
    [
      'one number',
      [node('Sub', ['x', 'x'], ['a']), node('Exp', ['a'], ['y'])],
      /is 1 everywhere in every sample.*inconclusive/,
    ],
    [
      'a constant',
      [
        constant('c', floatTensor('c', [1, 8], randomValues(8, 3))),
        node('Sub', ['x', 'x'], ['a']),
        node('Add', ['a', 'c'], ['y']),
      ],
      /is the same in every sample.*inconclusive/,
    ],
  ])('%s is inconclusive, never exact', async (_, nodes, note) => {
    const file = write({ node: [...nodes, relu], input: [x], output: [value('y', [1, 8]), z] });
    const { outputs } = await verify(file);
    expect(outputs[0]).toMatchObject({
      name: 'y',
      sqnrDb: null,
      top1Agreement: null,
      inconclusive: true,
      note: expect.stringMatching(note) as string,
    });
    expect(outputs[1]).toMatchObject({ sqnrDb: Infinity, inconclusive: false, note: null });
  });

  test('a constant that differs keeps its figures', () => {
    const check = new OutputCheck('y');
    const value = (number: number) => ({ dims: [2], data: [number, number], isText: false });
    check.add(value(1), value(1.5));
    expect(check.result([])).toMatchObject({ maxAbsError: 0.5, inconclusive: true });
  });

  test.each(['RandomNormalLike', 'RandomUniformLike', 'Bernoulli'])(
    '%s is named, as its outputs differ from run to run',
    async (op) => {
      const draws = node(op, [op === 'Bernoulli' ? 'half' : 'x'], ['n'], { name: 'n1' });
      const file = write(
        {
          node: [
            // So many that two draws are not the same by chance, as 8 are once in 256 runs.
            constant('half', floatTensor('half', [16, 8], new Array<number>(128).fill(0.5))),
            draws,
            node('Add', ['x', 'n'], ['y']),
            relu,
          ],
          input: [x],
          output: [value('y', ['rows', 8]), z],
        },
        { opset: 15 },
      );
      const { outputs, warnings } = await verify(file);
      expect(warnings).toEqual([
        `the model draws random numbers (${op} "n1"), so its outputs differ from run to run`,
      ]);
      expect(outputs[0]).toMatchObject({ name: 'y', inconclusive: true });
      expect(outputs[1]).toMatchObject({ name: 'z', sqnrDb: Infinity, inconclusive: false });
    },
  );

  test('random numbers with a seed are the same in both models', async () => {
    const draws = node('RandomNormalLike', ['x'], ['n'], {
      attribute: [{ name: 'seed', type: 1, f: 3 }],
    });
    const file = write({
      node: [draws, node('Add', ['x', 'n'], ['y'])],
      input: [x],
      output: [value('y', [1, 8])],
    });
    const { outputs, warnings } = await verify(file);
    expect(warnings).toEqual([]);
    expect(outputs[0]).toMatchObject({ sqnrDb: Infinity, inconclusive: false });
  });
});

describe('outputs that cannot be compared', () => {
  test('one whose shape depends on the data is reported, and the rest is compared', async () => {
    const graph = (bias: number): onnx.IGraphProto => ({
      node: [
        constant('b', floatTensor('b', [1], [bias])),
        node('Add', ['x', 'b'], ['a']),
        node('Relu', ['a'], ['r']),
        node('NonZero', ['r'], ['found']),
        relu,
      ],
      input: [value('x', [1, 64])],
      output: [value('found', [2, 'n'], 7), value('z', [1, 64])],
    });
    const { outputs } = await verify(write(graph(0)), write(graph(0.5)));
    expect(outputs[0]).toMatchObject({
      name: 'found',
      sqnrDb: null,
      inconclusive: true,
      note: expect.stringMatching(/^shapes differ: 2 x \d+ and 2 x \d+; not compared$/) as string,
    });
    expect(outputs[1]).toMatchObject({ name: 'z', sqnrDb: Infinity });
  });

  test('samples whose shapes differ are counted, the others compared', () => {
    const check = new OutputCheck('boxes');
    const boxes = (rows: number) => ({
      dims: [rows, 4],
      data: randomValues(rows * 4, rows),
      isText: false,
    });
    check.add(boxes(12), boxes(11));
    check.add(boxes(5), boxes(5));
    expect(check.result([])).toMatchObject({
      sqnrDb: Infinity,
      inconclusive: false,
      note: 'shapes differ: 12 x 4 and 11 x 4 in 1 of 2 samples, which were not compared',
    });
  });

  test('a sequence output is named, and the tensors are compared', async () => {
    const sequence: onnx.IValueInfoProto = {
      name: 's',
      type: { sequenceType: { elemType: { tensorType: { elemType: 1 } } } },
    };
    const file = write({
      node: [node('SequenceConstruct', ['x', 'x'], ['s']), relu],
      input: [x],
      output: [sequence, z],
    });
    const { outputs } = await verify(file);
    expect(outputs.find(({ name }) => name === 's')).toMatchObject({
      inconclusive: true,
      note: expect.stringMatching(
        /sequence, map or optional.*cannot return; not compared/,
      ) as string,
    });
    expect(outputs.find(({ name }) => name === 'z')).toMatchObject({ sqnrDb: Infinity });
  });

  test('int4 outputs, which end the process in onnxruntime-node, are named and not fetched', async () => {
    const cast = node('Cast', ['x'], ['q'], { attribute: [{ name: 'to', type: 2, i: 22 }] });
    const file = write(
      { node: [cast, relu], input: [x], output: [value('q', [1, 8], 22), z] },
      { opset: 21, irVersion: 10 },
    );
    const { outputs } = await verify(file);
    expect(outputs.find(({ name }) => name === 'q')?.note).toMatch(/is int4, .*cannot return/);
  });

  test.each(['input', 'output'])('a bfloat16 %s is named in the error', async (kind) => {
    const cast = node('Cast', ['x'], ['y'], {
      attribute: [{ name: 'to', type: 2, i: kind === 'input' ? 1 : 16 }],
    });
    const [from, to] = kind === 'input' ? [16, 1] : [1, 16];
    const file = write({
      node: [cast],
      input: [value('x', [4], from)],
      output: [value('y', [4], to)],
    });
    await expect(verify(file)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      details: { file, field: kind === 'input' ? 'x' : 'y', found: 'bfloat16' },
    });
  });

  test('text is compared for equality', () => {
    const check = new OutputCheck('label');
    const text = (...data: string[]) => ({ dims: [data.length], data, isText: true });
    check.add(text('cat', 'dog'), text('cat', 'dot'));
    expect(check.result([])).toMatchObject({
      sqnrDb: null,
      top1Agreement: null,
      equalShare: 0.5,
      note: '1 of 2 strings are equal',
    });
  });
});

test('integers and booleans are compared by the share that is equal', async () => {
  const choosing = (name: string) =>
    write({
      node: [
        node(name, ['x'], ['ids'], { attribute: [{ name: 'axis', type: 2, i: 0 }] }),
        node('Greater', ['x', 'half'], ['above']),
        node('Relu', ['x'], ['z']),
      ],
      initializer: [floatTensor('half', [1], [0.5])],
      input: [value('x', [8, 2])],
      output: [value('ids', [1, 2], 7), value('above', [8, 2], 9), value('z', [8, 2])],
    });
  const [ids, above, floats] = (await verify(choosing('ArgMax'), choosing('ArgMin'))).outputs;
  // They have the shape of class scores, and are none.
  expect(ids).toMatchObject({ equalShare: 0, top1Agreement: null });
  expect(above).toMatchObject({ equalShare: 1, sqnrDb: Infinity, top1Agreement: null });
  expect(floats).toMatchObject({ equalShare: null, sqnrDb: Infinity });
});

describe('inputs of real graphs', () => {
  test('an integer input stays within the table that it indexes, behind a Cast too', async () => {
    const file = write({
      node: [
        node('Cast', ['ids'], ['wide'], { attribute: [{ name: 'to', type: 2, i: 7 }] }),
        node('Gather', ['table', 'wide'], ['y']),
      ],
      initializer: [floatTensor('table', [3, 64], randomValues(192, 4))],
      input: [value('ids', [1, 'seq'], 6)],
      output: [value('y', [1, 'seq', 64])],
    });
    const session = Session.open(file, pool);
    expect(session.opened.runHints?.limits).toEqual({ ids: 3 });
    session.close();
    expect((await verify(file)).outputs[0]!.sqnrDb).toBe(Infinity);
  });

  test('a decoder with past runs, its mask as long as past and sequence', async () => {
    const file = write({
      node: [
        node('Gather', ['table', 'ids'], ['e']),
        node('Concat', ['past_key_values.0.key', 'e'], ['present.0.key'], {
          attribute: [{ name: 'axis', type: 2, i: 1 }],
        }),
        node('Cast', ['attention_mask'], ['m'], { attribute: [{ name: 'to', type: 2, i: 1 }] }),
        node('Unsqueeze', ['m', 'axes'], ['m3']),
        node('Mul', ['present.0.key', 'm3'], ['y']),
      ],
      initializer: [
        floatTensor('table', [50, 8], randomValues(400, 4)),
        { name: 'axes', dims: [1], dataType: 7, int64Data: [2] },
      ],
      input: [
        value('ids', ['batch', 'sequence_length'], 7),
        value('attention_mask', ['batch', 'past_sequence_length + sequence_length'], 7),
        value('past_key_values.0.key', ['batch', 'past_sequence_length', 8]),
      ],
      output: [
        value('y', ['batch', 'past_sequence_length + sequence_length', 8]),
        value('present.0.key', ['batch', 'past_sequence_length + sequence_length', 8]),
      ],
    });
    const { outputs } = await verify(file);
    expect(outputs.map(({ sqnrDb }) => sqnrDb)).toEqual([Infinity, Infinity]);
  });

  test('inputs that no size fits are listed with how to give them', async () => {
    const file = write({
      node: [node('Concat', ['x', 'w'], ['y'], { attribute: [{ name: 'axis', type: 2, i: 0 }] })],
      initializer: [floatTensor('w', [1, 7919], randomValues(7919, 4))],
      input: [value('x', [1, 'odd'])],
      output: [value('y', [2, 7919])],
    });
    await expect(verify(file)).rejects.toThrow(
      /rejected every generated input; give real ones.*NAME\.npy: x \(float32, 1 x odd\)/,
    );
  });

  test('a dimension of size 0 stays', async () => {
    const file = write({
      node: [relu, node('Relu', ['e'], ['f'])],
      input: [x, value('e', [1, 0, 4])],
      output: [z, value('f', [1, 0, 4])],
    });
    const { outputs } = await verify(file);
    expect(outputs[1]!.note).toMatch(/is empty in every sample/);
  });
});

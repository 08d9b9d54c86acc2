import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { prepareCopy } from '../../../electron/engine/calibrate/prepare-copy.ts';
import type { WantedSamples } from '../../../electron/engine/calibrate/data/samples-for.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { NO_HINTS } from '../../../electron/engine/runtime/inputs.ts';
import type { PrepareRequest, WrittenModel } from '../../../electron/engine/runtime/prepare.ts';
import {
  endlessModel,
  floatTensor,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const never = new AbortController().signal;
const check: WantedSamples = { inputs: null, samples: 2, seed: 0, hints: NO_HINTS };
const prepare = (
  source: string,
  out: string,
  more: Pick<PrepareRequest, 'inlineBytes' | 'check'> = {},
): Promise<WrittenModel> =>
  runInRuntime(
    sharedRuntime,
    {
      kind: 'prepare',
      model: source,
      out,
      ...more,
    },
    never,
    () => undefined,
  );

/** x -> Conv -> BatchNormalization -> Add -> y, the Conv's weight a Concat of two initializers. */
function foldableModel(): Uint8Array {
  const positive = (seed: number): number[] => randomValues(8, seed).map((x) => Math.abs(x) + 0.5);
  const bytes = model({
    node: [
      node('Concat', ['w0', 'w1'], ['w'], { attribute: [{ name: 'axis', type: 2, i: 0 }] }),
      node('Conv', ['x', 'w'], ['c']),
      node('BatchNormalization', ['c', 'scale', 'shift', 'mean', 'var'], ['n']),
      node('Add', ['n', 'a'], ['y']),
    ],
    initializer: [
      floatTensor('w0', [4, 3, 4, 4], randomValues(192, 1)),
      floatTensor('w1', [4, 3, 4, 4], randomValues(192, 2)),
      floatTensor('scale', [8], positive(3)),
      floatTensor('shift', [8], randomValues(8, 4)),
      floatTensor('mean', [8], randomValues(8, 5)),
      floatTensor('var', [8], positive(6)),
      floatTensor('a', [8, 1, 1], randomValues(8, 7)),
    ],
    input: [value('x', [1, 3, 8, 8])],
    output: [value('y', [1, 8, 5, 5])],
  });
  const metadataProps = [{ key: 'author', value: 'someone' }];
  return onnx.ModelProto.encode({ ...onnx.ModelProto.decode(bytes), metadataProps }).finish();
}

describe('preparing a model in the runtime process', () => {
  const source = writeFile(folder, foldableModel());
  const feeds = { x: { shape: [1, 3, 8, 8], dtype: 'float32' } } as const;

  test.each([
    ['weights in the model', undefined],
    ['weights in a side file', 0],
  ])('folds constants and fuses BatchNormalization and Add into Conv, %s', async (_, inline) => {
    const out = path.join(folder, `prepared-${inline ?? 'inline'}.onnx`);
    expect(await prepare(source, out, inline === undefined ? {} : { inlineBytes: inline })).toEqual(
      {
        out,
      },
    );
    const { graph, metadataProps } = onnx.ModelProto.decode(fs.readFileSync(out));
    expect(graph!.node!.map(({ opType }) => opType)).toEqual(['Conv']);
    expect(metadataProps).toMatchObject([{ key: 'author', value: 'someone' }]);
    const opened = openModel(out);
    opened.close();
    expect(opened.files.map(({ path: file }) => path.basename(file))).toEqual(
      inline === 0 ? [path.basename(out), `${path.basename(out)}.data`] : [path.basename(out)],
    );
    const [before, after] = [await runOnnx(source, feeds), await runOnnx(out, feeds)];
    expect(outputSqnr(before['y']!, after['y']!)).toBeGreaterThan(120);
  });

  test('writes a model whose input the Node interface cannot pass', async () => {
    const bfloat16 = 16;
    const file = writeFile(
      folder,
      model({
        node: [
          node('Cast', ['x'], ['f'], { attribute: [{ name: 'to', type: 2, i: 1 }] }),
          node('Identity', ['f'], ['g']),
          node('Relu', ['g'], ['y']),
        ],
        input: [value('x', [2], bfloat16)],
        output: [value('y', [2])],
      }),
    );
    const out = path.join(folder, 'unpassable.onnx');
    await prepare(file, out);
    const { graph } = onnx.ModelProto.decode(fs.readFileSync(out));
    expect(graph!.node!.map(({ opType }) => opType)).toEqual(['Cast', 'Relu']);
  });

  test('says what onnxruntime rejects', async () => {
    const file = writeFile(
      folder,
      model({
        node: [node('NoSuchOperator', ['x'], ['y'])],
        input: [value('x', [2])],
        output: [value('y', [2])],
      }),
    );
    await expect(prepare(file, path.join(folder, 'rejected.onnx'))).rejects.toMatchObject({
      code: 'RUNTIME',
      message: expect.stringMatching(/NoSuchOperator/) as string,
    });
    expect(fs.existsSync(path.join(folder, 'rejected.onnx'))).toBe(false);
  });
});

describe('a prepared copy beside its source', () => {
  const out = path.join(folder, 'checked.onnx');

  test('is run on the same samples, and may differ by float rounding', async () => {
    const source = writeFile(folder, foldableModel());
    const { check: found } = await prepare(source, out, { check });
    expect(found).toMatchObject({ samples: 2, unchecked: null });
    expect(found!.sqnrDb).toBeGreaterThan(120);
  });

  test('is refused where it computes something else', async () => {
    // The bias swallows what the Conv adds to it, before BatchNormalization takes the same off again; fused it does not.
    const large = floatTensor('bias', [4], [3e7, 3e7, 3e7, 3e7]);
    const source = writeFile(
      folder,
      model({
        node: [
          node('Conv', ['x', 'w', 'bias'], ['c']),
          node('BatchNormalization', ['c', 'one', 'zero', 'mean', 'one'], ['y']),
        ],
        initializer: [
          floatTensor('w', [4, 3, 1, 1], randomValues(12, 1)),
          ...[large, { ...large, name: 'mean' }],
          ...[floatTensor('one', [4], [1, 1, 1, 1]), floatTensor('zero', [4], [0, 0, 0, 0])],
        ],
        input: [value('x', [1, 3, 8, 8])],
        output: [value('y', [1, 4, 8, 8])],
      }),
    );
    await expect(prepare(source, out, { check })).rejects.toMatchObject({
      code: 'RUNTIME',
      message: expect.stringMatching(
        /output y: is not prepared, because its prepared copy differs by more than float rounding explains; export it without preparing it, in a mode other than static \(found an SQNR of [\d.]+ dB, expected at least 80 dB\)/,
      ) as string,
    });
  });

  test('may differ by as much as the source amplifies rounding of its inputs', async () => {
    // A phase of 10^5 turns one rounding of a value into an error of 0.01.
    const positive = (seed: number): number[] => randomValues(4, seed).map((x) => Math.abs(x) + 1);
    const source = writeFile(
      folder,
      model({
        node: [
          node('Conv', ['x', 'w'], ['c']),
          node('BatchNormalization', ['c', 'scale', 'shift', 'mean', 'var'], ['n']),
          node('Mul', ['n', 'many'], ['phase']),
          node('Sin', ['phase'], ['y']),
        ],
        initializer: [
          floatTensor('w', [4, 3, 1, 1], randomValues(12, 1)),
          ...['scale', 'shift', 'mean', 'var'].map((name, at) =>
            floatTensor(name, [4], positive(at + 2)),
          ),
          floatTensor('many', [1], [1e5]),
        ],
        input: [value('x', [1, 3, 8, 8])],
        output: [value('y', [1, 4, 8, 8])],
      }),
    );
    const { check: found } = await prepare(source, out, { check });
    expect(found!.sqnrDb).toBeLessThan(80);
  });

  test('is not judged where the source draws random numbers, or runs on no generated input', async () => {
    const source = writeFile(folder, foldableModel());
    const random = [{ operator: 'RandomNormal "n"', isSeeded: false }];
    const drawn = await prepare(source, out, {
      check: { ...check, hints: { ...NO_HINTS, random } },
    });
    expect(drawn.check).toMatchObject({
      ...{ samples: 0, sqnrDb: null },
      unchecked: 'RandomNormal "n" draws other numbers in each run',
    });
    const picky = writeFile(
      folder,
      model({
        node: [node('Gather', ['table', 'x'], ['g']), node('Relu', ['g'], ['y'])],
        initializer: [floatTensor('table', [2, 4], randomValues(8, 1))],
        input: [value('x', [5], 7)],
        output: [value('y', [5, 4])],
      }),
    );
    const limits = { x: 1000 };
    const rejected = await prepare(picky, out, {
      check: { ...check, hints: { ...NO_HINTS, limits } },
    });
    expect(rejected.check!.unchecked).toMatch(/rejected every generated input/);
  });

  test('stays unchecked where one sample takes too long', async () => {
    const wanted = { model: writeFile(folder, endlessModel()), out, check };
    const found = await prepareCopy(sharedRuntime, wanted, { signal: never }, 1000);
    expect(found).toMatchObject({ samples: 0, sqnrDb: null });
    expect(found.unchecked).toMatch(/onnxruntime was stopped: it takes too long/);
    expect(fs.existsSync(out)).toBe(true);
  });
});

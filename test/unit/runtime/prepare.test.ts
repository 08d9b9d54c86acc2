import * as fs from 'node:fs';
import * as path from 'node:path';
import { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { outputSqnr, runOnnx } from '../../helpers/run-onnx.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const never = new AbortController().signal;
const prepare = (source: string, out: string, inlineBytes?: number): Promise<{ out: string }> =>
  runInRuntime(
    sharedRuntime,
    {
      kind: 'prepare',
      model: source,
      out,
      ...(inlineBytes === undefined ? {} : { inlineBytes }),
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
    expect(await prepare(source, out, inline)).toEqual({ out });
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

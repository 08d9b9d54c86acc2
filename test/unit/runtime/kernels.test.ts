import * as path from 'node:path';
import type { onnx } from 'onnx-proto';
import { describe, expect, test } from 'vitest';
import { runInRuntime } from '../../../electron/engine/runtime/host.ts';
import { kernelLines, ROUNDS_INPUTS, type Kernels } from '../../../shared/kernels.ts';
import type { VerifyResult } from '../../../shared/verification.ts';
import { runCommand as run } from '../../helpers/command-line.ts';
import {
  floatTensor,
  matMulModel,
  model,
  node,
  randomValues,
  value,
} from '../../helpers/onnx-model.ts';
import { pair, storedWeight, type Pieces } from '../../helpers/quantized-model.ts';
import { sharedRuntime } from '../../helpers/shared-runtime.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
let count = 0;

function kernelsOf(file: string): Promise<Kernels> {
  const out = path.join(folder, `optimized-${count++}.onnx`);
  const request = { kind: 'optimize', model: file, out } as const;
  return runInRuntime(sharedRuntime, request, new AbortController().signal, () => undefined);
}

function graphOf(pieces: readonly Pieces[], rest: onnx.IGraphProto): onnx.IGraphProto {
  return {
    ...rest,
    node: pieces.flatMap(({ nodes }) => nodes),
    initializer: [
      ...pieces.flatMap(({ initializers }) => initializers),
      ...(rest.initializer ?? []),
    ],
  };
}

const one = (nodes: onnx.INodeProto): Pieces => ({ nodes: [nodes], initializers: [] });

/** x -> Conv -> HardSigmoid -> MaxPool -> y, everything between Q and DQ. HardSigmoid has no integer kernel. */
function staticConv(): Uint8Array {
  const pool = { attribute: [{ name: 'kernel_shape', type: 7, ints: [2, 2] }] };
  return model(
    graphOf(
      [
        pair('x'),
        storedWeight('w', [4, 3, 3, 3]),
        one(node('Conv', ['x_dq', 'w_dq'], ['c'])),
        pair('c'),
        one(node('HardSigmoid', ['c_dq'], ['h'])),
        pair('h'),
        one(node('MaxPool', ['h_dq'], ['m'], pool)),
        pair('m'),
        one(node('Reshape', ['m_dq', 'shape'], ['r'])),
        pair('r'),
        one(node('Identity', ['r_dq'], ['y'])),
      ],
      {
        initializer: [{ name: 'shape', dims: [2], dataType: 7, int64Data: [1, -1] }],
        input: [value('x', [1, 3, 8, 8])],
        output: [value('y', [1, 100])],
      },
    ),
  );
}

const counted = (groups: Kernels['integerNodes']): Record<string, number> =>
  Object.fromEntries(groups.map(({ op, count: nodes }) => [op, nodes]));

describe('kernels', () => {
  test('Conv, MaxPool and Reshape between Q and DQ run on integers, and HardSigmoid on floats', async () => {
    const kernels = await kernelsOf(writeFile(folder, staticConv()));
    expect(counted(kernels.integerNodes)).toMatchObject({ QLinearConv: 1, Reshape: 1 });
    expect(kernels.floatNodes).toMatchObject([
      { op: 'HardSigmoid', count: 1, reason: 'no integer kernel takes its quantized input' },
    ]);
    expect(kernels).toMatchObject({ float: 1, unfused: 0 });
    expect(kernels.integer).toBe(3);
  });

  test('a Q/DQ pair before an operator without an integer kernel is not fused', async () => {
    const file = writeFile(
      folder,
      model(
        graphOf(
          [
            pair('x'),
            one(node('HardSwish', ['x_dq'], ['h'])),
            pair('h'),
            one(node('Identity', ['h_dq'], ['y'])),
          ],
          {
            input: [value('x', [2, 8])],
            output: [value('y', [2, 8])],
          },
        ),
        { opset: 14 },
      ),
    );
    const kernels = await kernelsOf(file);
    expect(kernels).toMatchObject({ integer: 0, unfused: 2 });
    expect(kernels.unfusedNodes.every((group) => group.of === 'activations')).toBe(true);
  });

  test('a stored weight of a Conv is restored to floats, in the branch of an If too', async () => {
    const inner = graphOf(
      [storedWeight('v', [4, 3, 3, 3]), one(node('Conv', ['x', 'v_dq'], ['t']))],
      { name: 'then', output: [value('t', [1, 4, 6, 6])] },
    );
    const other: onnx.IGraphProto = {
      name: 'else',
      node: [node('Conv', ['x', 'f'], ['e'])],
      initializer: [floatTensor('f', [4, 3, 3, 3], randomValues(108, 5))],
      output: [value('e', [1, 4, 6, 6])],
    };
    const branch = (name: string, g: onnx.IGraphProto): onnx.IAttributeProto => ({
      name,
      type: 5,
      g,
    });
    const file = writeFile(
      folder,
      model({
        node: [
          node('If', ['b'], ['y'], {
            attribute: [branch('then_branch', inner), branch('else_branch', other)],
          }),
        ],
        input: [value('x', [1, 3, 8, 8]), value('b', [], 9)],
        output: [value('y', [1, 4, 6, 6])],
      }),
    );
    const kernels = await kernelsOf(file);
    expect(kernels).toMatchObject({ integer: 0, float: 2, unfused: 1 });
    expect(kernels.unfusedNodes).toMatchObject([{ op: 'Conv', count: 1, of: 'weights' }]);
    expect(kernels.floatNodes.map(({ reason }) => reason).sort()).toEqual([
      'is not quantized',
      'only its weights are quantized',
    ]);
  });

  test('weights alone are compared too where onnxruntime quantizes the inputs of MatMul on its own', async () => {
    const file = writeFile(folder, matMulModel(256, 64));
    const cli = async (...flags: string[]): Promise<string> => (await run(...flags)).stdout;
    const verifyAs = async (mode: string): Promise<VerifyResult> => {
      const out = path.join(folder, `${mode}.onnx`);
      await cli('export', file, '--recipe', 'int8', '--mode', mode, '--out', out);
      return JSON.parse(await cli('verify', file, out, '--json')) as VerifyResult;
    };
    const weights = await verifyAs('qdq');
    expect(counted(weights.kernels!.integerNodes)).toEqual({ MatMulNBits: 1 });
    expect(weights.weightsOnly![0]!.sqnrDb).toBeGreaterThan(weights.outputs[0]!.sqnrDb! + 1);
    expect((await verifyAs('dynamic')).weightsOnly).toBeUndefined();
    expect(await cli('verify', file, path.join(folder, 'qdq.onnx'))).toContain(ROUNDS_INPUTS);
  }, 60_000);

  test('verify reports them, in JSON and in words', async () => {
    const file = writeFile(folder, staticConv());
    const verified = async (...flags: string[]): Promise<string> =>
      (await run('verify', file, file, ...flags)).stdout;
    const { kernels } = JSON.parse(await verified('--json')) as VerifyResult;
    expect(kernels).toMatchObject({ integer: 3, float: 1, unfused: 0 });
    const words = await verified();
    for (const line of kernelLines(kernels!)) expect(words).toContain(line);
    expect(kernelLines(kernels!)[1]).toBe(
      'On floats, as no integer kernel takes their quantized inputs: HardSigmoid 1.',
    );
  }, 60_000);
});

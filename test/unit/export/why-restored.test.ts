import { describe, expect, test } from 'vitest';
import { BASE_SCHEME, type SchemeFields } from '../../../shared/scheme.ts';
import type { ExportMode } from '../../../shared/exports.ts';
import { Session } from '../../../electron/engine/session.ts';
import { testPool } from '../../helpers/engine.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { REAL_MODELS } from '../../helpers/real-models.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';

const folder = temporaryFolder();
const pool = testPool();
const never = new AbortController().signal;

function modelOf(op: string, opset: number): string {
  const weight = op === 'Conv' ? [32, 64, 1, 1] : [64, 64];
  const input = op === 'Conv' ? [1, 64, 4, 4] : op === 'Gather' ? [3] : [3, 64];
  const inputs = op === 'Gather' ? ['w', 'x'] : ['x', 'w'];
  return writeFile(
    folder,
    model(
      {
        node: [node(op, inputs, ['y'])],
        initializer: [
          floatTensor(
            'w',
            weight,
            randomValues(
              weight.reduce((a, b) => a * b),
              1,
            ),
          ),
        ],
        input: [value('x', input, op === 'Gather' ? 7 : 1)],
        output: [value('y', ['a', 'b', 'c', 'd'].slice(0, op === 'Conv' ? 4 : 2))],
      },
      { opset },
    ),
  );
}

const block32: SchemeFields = { ...BASE_SCHEME, dtype: 'int4', granularity: { block: 32 } };

describe('a weight that is restored to float in a mode that runs operators on codes has the reason', () => {
  test.each<[string, ExportMode, number, SchemeFields, string | null]>([
    ['MatMul', 'dynamic', 13, BASE_SCHEME, null],
    ['Conv', 'dynamic', 13, BASE_SCHEME, null],
    ['Gather', 'dynamic', 13, BASE_SCHEME, 'restored to float: Gather has no integer operator'],
    [
      'MatMul',
      'dynamic',
      13,
      { ...BASE_SCHEME, dtype: 'int16' },
      'restored to float: integer operators take int8 and uint8, not int16',
    ],
    [
      'MatMul',
      'dynamic',
      21,
      block32,
      'restored to float: integer operators take int8 and uint8, not int4',
    ],
    ['MatMul', 'nbits', 13, block32, null],
    [
      'MatMul',
      'nbits',
      13,
      BASE_SCHEME,
      'restored to float: MatMulNBits takes blocks of 16, 32, 64 ... along the inputs',
    ],
    [
      'Gather',
      'nbits',
      21,
      block32,
      'restored to float: MatMulNBits takes the place of MatMul and Gemm, not of Gather',
    ],
  ])('%s in mode %s at opset %i', async (op, mode, opset, scheme, reason) => {
    const session = Session.open(modelOf(op, opset), pool);
    const recipe = { version: 1, name: 'r', default: scheme, minElements: 0, rules: [] } as const;
    const { reports } = await session.analyze(recipe, { signal: never, mode });
    session.close();
    expect(reports[0]).toMatchObject({ quantized: true, reason });
  });

  test('the opset and the operators that hold it are named', async () => {
    const session = Session.open(REAL_MODELS[2]!.file, pool);
    const recipe = { version: 1, name: 'r', default: BASE_SCHEME, minElements: 1024, rules: [] };
    const { reports } = await session.analyze(recipe as never, { signal: never, mode: 'dynamic' });
    session.close();
    expect(reports.find(({ quantized }) => quantized)!.reason).toBe(
      'restored to float: integer operators need opset 11, and the file is at opset 9: Clip and Slice change on the way to opset 11',
    );
  });
});

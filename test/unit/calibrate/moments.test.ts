import { describe, expect, test } from 'vitest';
import { MomentsObserver } from '../../../electron/engine/calibrate/moments-observer.ts';
import { Session } from '../../../electron/engine/session.ts';
import { squaredOutput } from '../../../electron/engine/quantize/algorithms/nearest.ts';
import { readNumbers } from '../../../electron/engine/tensor-bytes.ts';
import { testPool } from '../../helpers/engine.ts';
import { momentsOf } from '../../helpers/moments.ts';
import { floatTensor, model, node, randomValues, value } from '../../helpers/onnx-model.ts';
import { runOnnx } from '../../helpers/run-onnx.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { buildKernels } from '../kernels/kernels.ts';

const kernels = buildKernels();
const folder = temporaryFolder();
const rowsOf = (columns: number) => ({ columns, groups: 1, patches: null });
const pool = testPool();

test('the moments of rows are the means of their products', () => {
  const observer = new MomentsObserver(kernels, rowsOf(2));
  observer.add([1, 2, 3, 4], [2, 2]);
  observer.add([5, 6], [1, 1, 2]);
  const [a, b, c] = [(1 + 9 + 25) / 3, (2 + 12 + 30) / 3, (4 + 16 + 36) / 3];
  expect(Array.from(momentsOf(observer))).toEqual([a, b, b, c].map(Math.fround));
});

test('rows with NaN or infinity are left out, and values of another length give no moments', () => {
  const observer = new MomentsObserver(kernels, rowsOf(2));
  observer.add([1, 2, NaN, 4, 5, Infinity], [3, 2]);
  expect(Array.from(momentsOf(observer))).toEqual([1, 2, 2, 4]);
  observer.add([1, 2, 3], [1, 3]);
  expect(observer.result()).toEqual({
    reason: 'its input was not observed as float rows of one length',
  });
  expect(new MomentsObserver(kernels, rowsOf(2)).result()).toEqual({
    reason: 'no sample ran it on finite inputs',
  });
});

test('of many positions of a sample some are taken, evenly', () => {
  const observer = new MomentsObserver(kernels, rowsOf(4096));
  const rows = 64;
  const values = Float32Array.from({ length: rows * 4096 }, (_, at) => Math.floor(at / 4096));
  observer.add(values, [rows, 4096]);
  // 2^28 products of 4096 x 4096 are those of 16 rows: 0, 4, 8, ... 60.
  const mean = Array.from({ length: 16 }, (_, at) => (4 * at) ** 2).reduce((a, b) => a + b) / 16;
  expect(momentsOf(observer)[0]).toBe(mean);
});

const list = (name: string, ints: number[]) => ({ name, type: 7, ints });
const group = (i: number) => ({ name: 'group', type: 2, i });
const text = (name: string, s: string) => ({ name, type: 3, s: Buffer.from(s) });

describe('the moments of a weight tell the mean square of what its operator makes', () => {
  const [wide, high] = [7, 9];
  test.each([
    ['MatMul', [], [5, 6], [2, 3, 5]],
    ['Gemm', [], [5, 6], [4, 5]],
    ['Gemm', [{ name: 'transB', type: 2, i: 1 }], [6, 5], [4, 5]],
    ['Conv', [], [4, 3, 3, 2], [2, 3, wide, high]],
    [
      'Conv',
      [list('pads', [1, 0, 2, 1]), list('strides', [2, 1])],
      [4, 3, 3, 2],
      [1, 3, wide, high],
    ],
    [
      'Conv',
      [list('dilations', [2, 3]), list('pads', [2, 2, 0, 0])],
      [2, 3, 3, 2],
      [1, 3, wide, high],
    ],
    [
      'Conv',
      [text('auto_pad', 'SAME_UPPER'), list('strides', [2, 2])],
      [2, 3, 3, 2],
      [1, 3, wide, high],
    ],
    ['Conv', [text('auto_pad', 'SAME_LOWER')], [2, 3, 2, 4], [1, 3, wide, high]],
    ['Conv', [text('auto_pad', 'VALID')], [2, 3, 2], [1, 3, wide]],
    ['Conv', [group(2), list('pads', [1, 1, 1, 1])], [4, 3, 3, 2], [2, 6, wide, high]],
    ['Conv', [group(3)], [6, 1, 3, 2], [2, 3, wide, high]],
  ] as const)('%s %j', async (op, attribute, shape, dims) => {
    const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
    const weights = randomValues(product(shape), 1);
    const file = writeFile(
      folder,
      model({
        node: [node(op, ['x', 'w'], ['y'], { attribute: [...attribute] })],
        input: [value('x', [...dims])],
        output: [
          value(
            'y',
            dims.map(() => 'n'),
          ),
        ],
        initializer: [floatTensor('w', [...shape], weights)],
      }),
    );
    const session = Session.open(file, pool);
    const input = session.opened.weightInputs!().get(0)!;
    const x = Float32Array.from(randomValues(product(dims), 2));
    const observer = new MomentsObserver(kernels, input);
    observer.add(x, dims);
    const stored = readNumbers(session.opened.files, session.tensors[0]!);
    const rows = Array.from({ length: input.rows }, (_, row) =>
      Float64Array.from({ length: input.columns }, (__, column) =>
        input.isColumns
          ? stored[column * input.rows + row]!
          : stored[row * input.columns + column]!,
      ),
    );
    const moments = momentsOf(observer);
    const ownMoments = (row: number): Float32Array => {
      const own = Math.floor(row / (input.rows / input.groups)) * input.columns ** 2;
      return moments.subarray(own, own + input.columns ** 2);
    };
    const wanted = rows.reduce((sum, row, at) => sum + squaredOutput(row, ownMoments(at)), 0);
    const { y } = await runOnnx(file, { x: { shape: dims, dtype: 'float32' } }, 2);
    const squares = y!.reduce((sum, each) => sum + each * each, 0);
    expect(squares / (y!.length / input.rows) / wanted).toBeCloseTo(1, 4);
    session.close();
  });
});

import { describe, expect, test } from 'vitest';
import { MomentsObserver } from '../../../electron/engine/calibrate/moments-observer.ts';
import { openModel } from '../../../electron/engine/formats/registry.ts';
import { squaredOutput } from '../../../electron/engine/quantize/algorithms/nearest.ts';
import { i32, i8, table } from '../../helpers/flatbuffer.ts';
import { litertModel } from '../../helpers/litert-model.ts';
import { momentsOf } from '../../helpers/moments.ts';
import { randomValues } from '../../helpers/onnx-model.ts';
import { temporaryFolder, writeFile } from '../../helpers/temporary.ts';
import { buildKernels } from '../kernels/kernels.ts';

const kernels = buildKernels();
const folder = temporaryFolder();
const [HEIGHT, WIDTH, CHANNELS] = [7, 6, 4];

interface Conv {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly isSame: boolean;
}

/** What comes before along an axis, and how many steps there are, as LiteRT's padding.h says. */
function steps(size: number, kernel: number, stride: number, dilation: number, isSame: boolean) {
  const extent = (kernel - 1) * dilation + 1;
  const count = isSame ? Math.ceil(size / stride) : Math.ceil((size - extent + 1) / stride);
  const padding = Math.max(0, (count - 1) * stride + extent - size);
  return { count, before: Math.floor(padding / 2) };
}

/** A filter's element of a row, a column and a channel of its group, in the flat tensor. */
type Place = (filter: number, row: number, column: number, channel: number) => number;

/** The sum of the squares of what a convolution makes, and how many positions it makes it at. */
function convolved(
  x: Float32Array,
  w: Float32Array,
  { kernel, stride, dilation, isSame }: Conv,
  { filters, groups, place }: { filters: number; groups: number; place: Place },
) {
  const [rows, columns] = [HEIGHT, WIDTH].map((size, axis) =>
    steps(size, kernel[axis]!, stride[axis]!, dilation[axis]!, isSame),
  ) as [ReturnType<typeof steps>, ReturnType<typeof steps>];
  const at = (i: number, j: number, c: number): number =>
    i < 0 || j < 0 || i >= HEIGHT || j >= WIDTH ? 0 : x[(i * WIDTH + j) * CHANNELS + c]!;
  const own = CHANNELS / groups;
  let squares = 0;
  for (let f = 0; f < filters; f++)
    for (let i = 0; i < rows.count; i++)
      for (let j = 0; j < columns.count; j++) {
        const first = Math.floor(f / (filters / groups)) * own;
        let sum = 0;
        for (let u = 0; u < kernel[0]; u++)
          for (let v = 0; v < kernel[1]; v++)
            for (let c = 0; c < own; c++) {
              const row = i * stride[0] + u * dilation[0] - rows.before;
              const column = j * stride[1] + v * dilation[1] - columns.before;
              sum += w[place(f, u, v, c)]! * at(row, column, first + c);
            }
        squares += sum * sum;
      }
  return { squares, positions: rows.count * columns.count };
}

/** What an operator's weight is multiplied with, of a model of that operator alone; its weights as stored in float16 too. */
function inputOf(
  op: 'CONV_2D' | 'DEPTHWISE_CONV_2D' | 'FULLY_CONNECTED',
  [input, weight]: readonly [readonly number[], readonly number[]],
  options: readonly [number, ReturnType<typeof table>],
) {
  const elements = weight.reduce((product, size) => product * size, 1);
  const file = litertModel({
    graphs: [
      {
        tensors: [
          { name: 'x', shape: input },
          { name: 'half', shape: weight, type: 'FLOAT16', buffer: 1 },
          { name: 'w', shape: weight },
          { name: 'y', shape: [1, 1] },
        ],
        operators: [
          { op: 'DEQUANTIZE', inputs: [1], outputs: [2] },
          { op, inputs: [0, 2], outputs: [3], options },
        ],
        inputs: [0],
        outputs: [3],
      },
    ],
    buffers: [new Uint8Array(2 * elements)],
  });
  const opened = openModel(writeFile(folder, file.bytes, 'moments.tflite'));
  const found = opened.weightInputs!();
  opened.close();
  return found;
}

/** The moments that an operator's weight has of random inputs, against the sum of squares that it makes of them. */
function expectMoments(
  op: 'CONV_2D' | 'DEPTHWISE_CONV_2D',
  conv: Conv,
  filters: number,
  groups: number,
): void {
  const { kernel, stride, dilation, isSame } = conv;
  const isDepthwise = op === 'DEPTHWISE_CONV_2D';
  const dilations = isDepthwise ? [5, 6] : [4, 5];
  const options = table({
    ...{ 0: i8(isSame ? 0 : 1), 1: i32(stride[1]), 2: i32(stride[0]) },
    ...{ [dilations[0]!]: i32(dilation[1]), [dilations[1]!]: i32(dilation[0]) },
    ...(isDepthwise ? { 3: i32(filters / CHANNELS) } : {}),
  });
  const own = CHANNELS / groups;
  const dims = [1, HEIGHT, WIDTH, CHANNELS];
  const shape = isDepthwise ? [1, ...kernel, filters] : [filters, ...kernel, own];
  const input = inputOf(op, [dims, shape], [isDepthwise ? 2 : 1, options]).get(0)!;
  const { columns } = input;
  expect(input).toMatchObject({ value: 'x', rows: filters, groups, isColumns: isDepthwise });
  const x = Float32Array.from(randomValues(HEIGHT * WIDTH * CHANNELS, 2));
  const w = Float32Array.from(randomValues(filters * columns, 1));
  const observer = new MomentsObserver(kernels, input);
  observer.add(x, dims);
  const moments = momentsOf(observer);
  let wanted = 0;
  for (let row = 0; row < filters; row++) {
    const weights = Float64Array.from({ length: columns }, (_, column) =>
      isDepthwise ? w[column * filters + row]! : w[row * columns + column]!,
    );
    const from = Math.floor(row / (filters / groups)) * columns ** 2;
    wanted += squaredOutput(weights, moments.subarray(from, from + columns ** 2));
  }
  const place: Place = isDepthwise
    ? (f, u, v) => (u * kernel[1] + v) * filters + f
    : (f, u, v, c) => ((f * kernel[0] + u) * kernel[1] + v) * own + c;
  const { squares, positions } = convolved(x, w, conv, { filters, groups, place });
  expect(squares / positions / wanted).toBeCloseTo(1, 5);
}

describe('the moments of a LiteRT weight tell the mean square of what its operator makes', () => {
  const strided: Conv = { kernel: [3, 3], stride: [2, 2], dilation: [1, 1], isSame: true };
  test.each<Conv>([
    { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], isSame: true },
    { kernel: [3, 2], stride: [1, 1], dilation: [1, 1], isSame: true },
    strided,
    { kernel: [3, 2], stride: [2, 1], dilation: [1, 1], isSame: false },
    { kernel: [3, 2], stride: [1, 1], dilation: [2, 3], isSame: true },
  ])('CONV_2D %j', (conv) => expectMoments('CONV_2D', conv, 2, 1));

  test('CONV_2D of two groups', () => expectMoments('CONV_2D', strided, 6, 2));

  test.each([4, 8])('DEPTHWISE_CONV_2D of %i outputs', (filters) => {
    expectMoments('DEPTHWISE_CONV_2D', { ...strided, dilation: [1, 2] }, filters, CHANNELS);
  });

  test('FULLY_CONNECTED takes rows of several axes', () => {
    const input = inputOf(
      'FULLY_CONNECTED',
      [
        [2, 2, 3],
        [5, 6],
      ],
      [8, table({})],
    ).get(0)!;
    expect(input).toMatchObject({ rows: 5, columns: 6, patches: null });
    const observer = new MomentsObserver(kernels, { columns: 6, groups: 1, patches: null });
    observer.add([1, 2, 3, 4, 5, 6, 1, 0, 0, 0, 0, 0], [2, 2, 3]);
    expect(Array.from(momentsOf(observer).subarray(0, 6))).toEqual([1, 1, 1.5, 2, 2.5, 3]);
  });

  test('filters that do not fit the channels of the input have none', () => {
    const shapes = [
      [1, 7, 6, 4],
      [2, 3, 3, 3],
    ] as const;
    expect(inputOf('CONV_2D', shapes, [1, table({})]).size).toBe(0);
    expect(inputOf('DEPTHWISE_CONV_2D', shapes, [2, table({})]).size).toBe(0);
  });
});

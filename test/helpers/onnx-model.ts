import { onnx } from 'onnx-proto';
import { float16Bits } from '../../shared/float16.ts';

/** Small ONNX models made with the schema library, which the product's own reader knows nothing of. */

export function floats(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** Seeded values in [-1, 1): mulberry32. */
export function randomValues(count: number, seed: number): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.fround(((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1);
  });
}

export function floatTensor(
  name: string,
  dims: readonly number[],
  values: readonly number[],
): onnx.ITensorProto {
  return { name, dims: [...dims], dataType: 1, rawData: floats(values) };
}

export function node(
  opType: string,
  input: string[],
  output: string[],
  rest: Partial<onnx.INodeProto> = {},
): onnx.INodeProto {
  return { opType, input, output, name: `${opType}_${output[0] ?? ''}`, ...rest };
}

export function value(
  name: string,
  dims: readonly (number | string)[],
  elemType = 1,
): onnx.IValueInfoProto {
  const dim = dims.map((size) =>
    typeof size === 'number' ? { dimValue: size } : { dimParam: size },
  );
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

export function constant(output: string, tensor: onnx.ITensorProto): onnx.INodeProto {
  return node('Constant', [], [output], { attribute: [{ name: 'value', type: 4, t: tensor }] });
}

export interface ModelOptions {
  readonly opset?: number;
  readonly irVersion?: number;
  readonly functions?: onnx.IFunctionProto[];
  readonly imports?: onnx.IOperatorSetIdProto[];
}

export function model(graph: onnx.IGraphProto, options: ModelOptions = {}): Uint8Array {
  const { opset = 13, irVersion = 8, functions = [], imports = [] } = options;
  return onnx.ModelProto.encode({
    irVersion,
    producerName: 'test',
    opsetImport: [{ domain: '', version: opset }, ...imports],
    graph: { name: 'graph', ...graph },
    functions,
  }).finish();
}

/** x [batch, inputs] -> MatMul with w -> y, with w as an initializer. */
export function matMulModel(
  inputs: number,
  outputs: number,
  options: ModelOptions & { seed?: number; weight?: string } = {},
): Uint8Array {
  const weight = options.weight ?? 'w';
  return model(
    {
      node: [node('MatMul', ['x', weight], ['y'])],
      initializer: [
        floatTensor(weight, [inputs, outputs], randomValues(inputs * outputs, options.seed ?? 1)),
      ],
      input: [value('x', ['batch', inputs])],
      output: [value('y', ['batch', outputs])],
    },
    options,
  );
}

/** A tensor of 16-bit floats from their bit patterns, float16 where no other type is named. */
export function halfTensor(
  name: string,
  dims: readonly number[],
  values: readonly number[],
  { dataType = 10, bits = float16Bits } = {},
): onnx.ITensorProto {
  const rawData = new Uint8Array(Uint16Array.from(values, bits).buffer);
  return { name, dims: [...dims], dataType, rawData };
}

/** x float32 -> Cast -> MatMul in the type of w -> Cast -> y float32, so that any runtime can feed and read it. */
export function castMatMulModel(w: onnx.ITensorProto, options: ModelOptions = {}): Uint8Array {
  const [inputs, outputs] = w.dims!.map(Number);
  const to = (dataType: number): Partial<onnx.INodeProto> => ({
    attribute: [{ name: 'to', type: 2, i: dataType }],
  });
  return model(
    {
      node: [
        node('Cast', ['x'], ['x16'], to(w.dataType!)),
        node('MatMul', ['x16', w.name!], ['y16']),
        node('Cast', ['y16'], ['y'], to(1)),
      ],
      initializer: [w],
      input: [value('x', ['batch', inputs!])],
      output: [value('y', ['batch', outputs!])],
    },
    options,
  );
}

/** A Loop that adds to its value 10^15 times: an inference that does not end. */
export function endlessModel(): Uint8Array {
  return loopModel([node('Identity', ['go'], ['on']), node('Add', ['a', 'a'], ['b'])], [1, 4]);
}

/** A Loop whose value doubles each time: an inference that takes all the memory. */
export function growingModel(): Uint8Array {
  return loopModel(
    [
      node('Identity', ['go'], ['on']),
      node('Concat', ['a', 'a'], ['b'], { attribute: [{ name: 'axis', type: 2, i: 0 }] }),
    ],
    [1, 1024],
  );
}

function loopModel(body: onnx.INodeProto[], shape: readonly number[]): Uint8Array {
  const graph = {
    name: 'body',
    node: body,
    input: [value('i', [], 7), value('go', [], 9), value('a', ['n', 'm'])],
    output: [value('on', [], 9), value('b', ['k', 'm'])],
  };
  return model({
    node: [
      node('Loop', ['times', '', 'x'], ['y'], { attribute: [{ name: 'body', type: 5, g: graph }] }),
    ],
    initializer: [
      {
        name: 'times',
        dims: [],
        dataType: 7,
        rawData: new Uint8Array(BigInt64Array.of(10n ** 15n).buffer),
      },
    ],
    input: [value('x', shape)],
    output: [value('y', ['r', 'm'])],
  });
}

/**
 * x [batch, width] -> MatMul -> Relu, three times, and a last MatMul -> y. The second MatMul has an outlier channel: a
 * row of large weights for an input that is always zero, so that it changes no output, only the scales of its layer.
 */
export function plantedModel(width = 48): Uint8Array {
  const matrix = (seed: number): number[] =>
    randomValues(width * width, seed).map((value) => value / Math.sqrt(width / 3));
  const first = matrix(1).map((value, at) => (at % width === 5 ? 0 : value));
  const planted = matrix(2).map((value, at) => (Math.floor(at / width) === 5 ? 60 : value));
  const weights = [first, planted, matrix(3), matrix(4)];
  const nodes = weights.flatMap((_, at) => {
    const [input, last] = [at === 0 ? 'x' : `r${at - 1}`, at === weights.length - 1];
    const product = node('MatMul', [input, `w${at}`], [last ? 'y' : `m${at}`], {
      name: at === 1 ? 'planted' : `layer${at}`,
    });
    return last ? [product] : [product, node('Relu', [`m${at}`], [`r${at}`])];
  });
  return model({
    node: nodes,
    initializer: weights.map((values, at) => floatTensor(`w${at}`, [width, width], values)),
    input: [value('x', ['batch', width])],
    output: [value('y', ['batch', width])],
  });
}

/** A Conv, a Gemm and a MatMul: x [1, 16, 6, 6] -> y [1, 24]. */
export function layersModel(): Uint8Array {
  const weight = (name: string, dims: readonly number[], seed: number) =>
    floatTensor(
      ...([
        name,
        dims,
        randomValues(
          dims.reduce((a, b) => a * b, 1),
          seed,
        ),
      ] as const),
    );
  return model({
    node: [
      node('Conv', ['x', 'w1'], ['a'], {
        attribute: [{ name: 'pads', type: 7, ints: [1, 1, 1, 1] }],
      }),
      node('Relu', ['a'], ['b']),
      node('Flatten', ['b'], ['c']),
      node('Gemm', ['c', 'w2'], ['d'], { attribute: [{ name: 'transB', type: 2, i: 1 }] }),
      node('Relu', ['d'], ['e']),
      node('MatMul', ['e', 'w3'], ['y']),
    ],
    input: [value('x', [1, 16, 6, 6])],
    output: [value('y', [1, 24])],
    initializer: [
      weight('w1', [16, 16, 3, 3], 1),
      weight('w2', [64, 576], 2),
      weight('w3', [64, 24], 3),
    ],
  });
}

/**
 * Reads lines of text: x [1, 3, 8, width], a picture of any width -> a class of each column by its 24 values ->
 * y [1, width, classes], probabilities. Class 0 is CTC's blank.
 */
export function lineReaderModel(classes: number): Uint8Array {
  const weights = randomValues(24 * classes, 11).map((each) => each * 4);
  const shape = new Uint8Array(BigInt64Array.from([1n, -1n, 24n]).buffer);
  return model({
    node: [
      node('Transpose', ['x'], ['columns'], {
        attribute: [{ name: 'perm', type: 7, ints: [0, 3, 1, 2] }],
      }),
      node('Reshape', ['columns', 'shape'], ['rows']),
      node('MatMul', ['rows', 'w'], ['scores']),
      node('Softmax', ['scores'], ['y'], { attribute: [{ name: 'axis', type: 2, i: 2 }] }),
    ],
    initializer: [
      floatTensor('w', [24, classes], weights),
      { name: 'shape', dims: [3], dataType: 7, rawData: shape },
    ],
    input: [value('x', [1, 3, 8, 'width'])],
    output: [value('y', [1, 'width', classes])],
  });
}

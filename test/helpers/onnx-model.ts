import { onnx } from 'onnx-proto';

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

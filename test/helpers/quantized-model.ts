import { type onnx } from 'onnx-proto';
import { floatTensor, node, randomValues } from './onnx-model.ts';

/** Pieces of QDQ models, as onnxruntime's quantize_static writes them: uint8 activations, int8 weights. */
export interface Pieces {
  readonly nodes: onnx.INodeProto[];
  readonly initializers: onnx.ITensorProto[];
}

/** Initializers of a scale and a zero point. */
function parameters(
  name: string,
  scale: number,
  zeroPoint: number,
  type: number,
): onnx.ITensorProto[] {
  return [
    floatTensor(`${name}_scale`, [], [scale]),
    { name: `${name}_zero`, dims: [], dataType: type, rawData: Uint8Array.of(zeroPoint) },
  ];
}

const UINT8 = 2;
const INT8 = 3;

/** name -> QuantizeLinear -> DequantizeLinear -> name_dq. */
export function pair(name: string, scale = 1 / 64): Pieces {
  const operands = [`${name}_scale`, `${name}_zero`];
  return {
    nodes: [
      node('QuantizeLinear', [name, ...operands], [`${name}_q`]),
      node('DequantizeLinear', [`${name}_q`, ...operands], [`${name}_dq`]),
    ],
    initializers: parameters(name, scale, 128, UINT8),
  };
}

/** Codes of a weight -> DequantizeLinear -> name_dq. */
export function storedWeight(name: string, dims: readonly number[]): Pieces {
  const count = dims.reduce((a, b) => a * b, 1);
  const codes = Int8Array.from(randomValues(count, 3), (value) => Math.round(value * 127));
  return {
    nodes: [
      node('DequantizeLinear', [`${name}_q`, `${name}_scale`, `${name}_zero`], [`${name}_dq`]),
    ],
    initializers: [
      { name: `${name}_q`, dims: [...dims], dataType: INT8, rawData: new Uint8Array(codes.buffer) },
      ...parameters(name, 1 / 127, 0, INT8),
    ],
  };
}

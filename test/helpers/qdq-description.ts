import * as crypto from 'node:crypto';
import type { onnx } from 'onnx-proto';

/** Parameters of codes that a node takes or gives, as test/reference/static.py describes them. */
export interface Described {
  readonly type: string;
  readonly scale: readonly number[];
  /** Each zero point once. */
  readonly zeroPoint: readonly number[];
  /** Of stored codes only. */
  readonly axis?: number | null;
  readonly codes?: string;
}

export interface DescribedNode {
  readonly inputs: readonly (Described | null)[];
  readonly outputs: readonly (Described | null)[];
}

export interface Description {
  readonly nodes: Readonly<Record<string, DescribedNode>>;
  readonly outputs: Readonly<Record<string, Described | null>>;
}

const TYPES = ['', 'float32', 'uint8', 'int8', 'uint16', 'int16', 'int32'] as const;
const ARRAYS = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array };

/** What each node of a quantized model takes and gives; a node that `isGone` says was removed is passed over. */
export function describeQdq(
  { graph }: onnx.ModelProto,
  isGone: (name: string) => boolean = () => false,
): Description {
  const stored = new Map(graph!.initializer!.map((tensor) => [tensor.name!, tensor]));
  const restored = new Map<string, onnx.INodeProto>();
  const taken = new Map<string, onnx.INodeProto>();
  const nodes: onnx.INodeProto[] = [];
  const removed = new Map<string, string>();
  for (const node of graph!.node!)
    if (node.opType === 'DequantizeLinear') restored.set(node.output![0]!, node);
    else if (node.opType === 'QuantizeLinear') taken.set(node.input![0]!, node);
    else if (isGone(node.name!)) removed.set(node.input![0]!, node.output![0]!);
    else if (node.opType !== 'Constant') nodes.push(node);
  const parameters = (node: onnx.INodeProto | undefined): Described | null =>
    node === undefined ? null : parametersOf(node, stored);
  const output = (name: string): Described | null => {
    let at = name;
    while (!taken.has(at) && removed.has(at)) at = removed.get(at)!;
    return parameters(taken.get(at));
  };
  return {
    nodes: Object.fromEntries(
      nodes.map((node) => [
        node.name!,
        {
          inputs: node.input!.map((name) => parameters(restored.get(name))),
          outputs: node.output!.map(output),
        },
      ]),
    ),
    outputs: Object.fromEntries(
      graph!.output!.map(({ name }) => [name!, parameters(restored.get(name!))]),
    ),
  };
}

function parametersOf(
  node: onnx.INodeProto,
  stored: ReadonlyMap<string, onnx.ITensorProto>,
): Described {
  const scale = stored.get(node.input![1]!)!;
  const codes = stored.get(node.input![0]!);
  // Without one the zero point is 0, of the type of the codes.
  const zero = stored.get(node.input![2] ?? '');
  const scales = Array.from(new Float32Array(bytesOf(scale).buffer));
  const type = TYPES[(zero ?? codes)!.dataType!]!;
  const zeroPoints = new Set(zero === undefined ? [0] : integersOf(zero));
  const axis = node.attribute?.find(({ name }) => name === 'axis');
  return {
    ...{ type, scale: scales, zeroPoint: [...zeroPoints].sort((a, b) => a - b) },
    ...(codes === undefined
      ? {}
      : { axis: scales.length > 1 ? Number(axis?.i ?? 1) : null, codes: digest(bytesOf(codes)) }),
  };
}

export function digest(bytes: Uint8Array | string): string {
  return crypto.createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

function bytesOf({ rawData }: onnx.ITensorProto): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(rawData!);
}

function integersOf(tensor: onnx.ITensorProto): number[] {
  const type = TYPES[tensor.dataType!]!;
  const { buffer } = bytesOf(tensor);
  return Array.from(
    new (type === 'int32' ? Int32Array : ARRAYS[type as keyof typeof ARRAYS])(buffer),
  );
}

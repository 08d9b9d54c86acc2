import { onnx } from 'onnx-proto';
import type { ModelOptions } from './onnx-model.ts';
import { concat, message, text } from './protobuf.ts';

/** Models with local functions, whose newer fields the schema library does not know. */

export interface TestFunction {
  readonly name: string;
  readonly domain?: string;
  readonly overload?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly (onnx.INodeProto | Uint8Array)[];
  readonly attributes?: readonly string[];
  /** attribute_proto: attributes with defaults. */
  readonly defaults?: readonly onnx.IAttributeProto[];
  readonly imports?: readonly onnx.IOperatorSetIdProto[];
  /** Fields as bytes, such as value_info and metadata_props. */
  readonly extra?: Uint8Array;
}

/** The domain of functions that give none. */
export const LOCAL = 'local';

/** A FunctionProto's payload (onnx.proto). Its opset imports come first, as onnx's own encoder orders by field number. */
export function functionBytes(body: TestFunction): Uint8Array {
  return concat(
    text(1, body.name),
    ...body.inputs.map((name) => text(4, name)),
    ...body.outputs.map((name) => text(5, name)),
    ...(body.attributes ?? []).map((name) => text(6, name)),
    ...body.nodes.map((node) => message(7, nodeBytes(node))),
    ...(body.imports ?? [{ domain: '', version: 13 }]).map((entry) =>
      message(9, onnx.OperatorSetIdProto.encode(entry).finish()),
    ),
    text(10, body.domain ?? LOCAL),
    ...(body.defaults ?? []).map((entry) =>
      message(11, onnx.AttributeProto.encode(entry).finish()),
    ),
    body.extra ?? [],
    ...(body.overload === undefined ? [] : [text(13, body.overload)]),
  );
}

/** A graph whose nodes may be bytes. */
export type FunctionGraph = Omit<onnx.IGraphProto, 'node'> & {
  readonly node: readonly (onnx.INodeProto | Uint8Array)[];
};

function nodeBytes(node: onnx.INodeProto | Uint8Array): Uint8Array {
  return node instanceof Uint8Array ? node : onnx.NodeProto.encode(node).finish();
}

/**
 * A model with functions at its end, as onnx's own encoder writes them; `isReversed` puts functions
 * first, then the graph, then the opset imports.
 */
export function functionModel(
  graph: FunctionGraph,
  functions: readonly TestFunction[],
  options: Omit<ModelOptions, 'functions'> & { readonly isReversed?: boolean } = {},
): Uint8Array {
  const { opset = 13, irVersion = 8, imports = [], isReversed = false } = options;
  const domains = new Set(functions.map((body) => body.domain ?? LOCAL));
  const { node, ...rest } = graph;
  const all = [
    { domain: '', version: opset },
    ...[...domains].map((domain) => ({ domain, version: 1 })),
    ...imports,
  ];
  const parts = [
    concat(...all.map((entry) => message(8, onnx.OperatorSetIdProto.encode(entry).finish()))),
    message(
      7,
      ...node.map((entry) => message(1, nodeBytes(entry))),
      onnx.GraphProto.encode({ name: 'graph', ...rest }).finish(),
    ),
    concat(...functions.map((body) => message(25, functionBytes(body)))),
  ];
  return concat(
    onnx.ModelProto.encode({ irVersion, producerName: 'test' }).finish(),
    ...(isReversed ? parts.reverse() : parts),
  );
}

/** A node that calls a local function. */
export function call(
  name: string,
  input: string[],
  output: string[],
  rest: Partial<onnx.INodeProto> & { overload?: string } = {},
): Uint8Array {
  const { overload, ...fields } = rest;
  const node = {
    opType: name,
    input,
    output,
    name: `call_${output[0]!}`,
    domain: LOCAL,
    ...fields,
  };
  const bytes = onnx.NodeProto.encode(node).finish();
  return overload === undefined ? bytes : concat(bytes, text(8, overload));
}

/** An attribute of a node in a function whose value the call gives. */
export function referring(
  node: onnx.INodeProto,
  attribute: string,
  type: number,
  parameter = attribute,
): Uint8Array {
  const head = onnx.AttributeProto.encode({ name: attribute, type }).finish();
  return concat(onnx.NodeProto.encode(node).finish(), message(5, head, text(21, parameter)));
}

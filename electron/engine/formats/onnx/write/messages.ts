import { onnx } from 'onnx-proto';
import type { DtypeName } from '../../../../../shared/dtypes.ts';
import { onnxDataType } from '../read/tensor-types.ts';
import { encodeText } from '../read/text.ts';
import { encodeVarint } from '../read/wire.ts';
import { piecesLength, type Piece } from '../../../export/layout.ts';

/** Where a tensor lies in the side file, as the entries of external_data say it. */
export interface SidePlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/** AttributeProto.AttributeType */
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_TENSOR = 4;
const ATTRIBUTE_INTS = 7;
/** TensorProto.raw_data */
const RAW_DATA = 9;

/** A length-delimited field around pieces. */
export function field(number: number, pieces: readonly Piece[]): Piece[] {
  const head = Buffer.concat([encodeVarint(number * 8 + 2), encodeVarint(piecesLength(pieces))]);
  return [{ kind: 'bytes', bytes: head }, ...pieces];
}

/** A string field. The schema library writes UTF-8 only, which names need not be. */
function textField(number: number, text: string): Buffer {
  const bytes = encodeText(text);
  return Buffer.concat([encodeVarint(number * 8 + 2), encodeVarint(bytes.length), bytes]);
}

/** A NodeProto's inputs (1), outputs (2) and name (3). */
function nodeNames(inputs: readonly string[], outputs: readonly string[], name: string): Buffer {
  return Buffer.concat([
    ...inputs.map((input) => textField(1, input)),
    ...outputs.map((output) => textField(2, output)),
    textField(3, name),
  ]);
}

/** A TensorProto's dims (1), data_type (2) and name (8). */
function tensorHead(name: string, dtype: DtypeName, dims: readonly number[]): Buffer {
  const fields = onnx.TensorProto.encode({ dims: [...dims], dataType: onnxDataType(dtype) });
  return Buffer.concat([fields.finish(), textField(8, name)]);
}

export function bytesPiece(bytes: Uint8Array): Piece {
  return { kind: 'bytes', bytes };
}

/** A TensorProto whose raw_data is streamed in when the file is written. */
export function tensorMessage(
  name: string,
  dtype: DtypeName,
  dims: readonly number[],
  data: Extract<Piece, { kind: 'tensor' }>,
): Piece[] {
  return [bytesPiece(tensorHead(name, dtype, dims)), ...field(RAW_DATA, [data])];
}

/** A TensorProto whose values are in a side file. */
export function externalMessage(
  name: string,
  dtype: DtypeName,
  dims: readonly number[],
  place: SidePlace,
): Piece[] {
  const outside = onnx.TensorProto.encode({
    externalData: Object.entries(place).map(([key, value]) => ({ key, value: String(value) })),
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
  }).finish();
  return [bytesPiece(tensorHead(name, dtype, dims)), bytesPiece(outside)];
}

/** A node that an export adds. Attributes of the node that it replaces may be copied through as they are. */
export interface NewNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly integers: Readonly<Record<string, number | readonly number[]>>;
}

/** A NodeProto with integer attributes. */
export function nodeMessage(node: NewNode): Piece {
  const rest = onnx.NodeProto.encode({
    opType: node.opType,
    ...(node.domain === '' ? {} : { domain: node.domain }),
    attribute: Object.entries(node.integers).map(([name, value]) =>
      typeof value === 'number'
        ? { name, type: ATTRIBUTE_INT, i: value }
        : { name, type: ATTRIBUTE_INTS, ints: [...value] },
    ),
  }).finish();
  return bytesPiece(Buffer.concat([nodeNames(node.inputs, node.outputs, node.name), rest]));
}

/** A TensorProto of a few values under a name. */
export function initializerMessage(name: string, tensor: onnx.ITensorProto): Piece {
  return bytesPiece(Buffer.concat([onnx.TensorProto.encode(tensor).finish(), textField(8, name)]));
}

/** A field of a node that holds a name. */
export function nameField(number: number, name: string): Piece {
  return bytesPiece(textField(number, name));
}

/** A whole Constant node around a few values. */
export function smallConstant(output: string, t: onnx.ITensorProto): Piece {
  const attribute = [{ name: 'value', type: ATTRIBUTE_TENSOR, t }];
  const rest = onnx.NodeProto.encode({ opType: 'Constant', attribute }).finish();
  return bytesPiece(Buffer.concat([nodeNames([], [output], output), rest]));
}

/** A Constant node around a tensor message. */
export function constantMessage(output: string, tensor: readonly Piece[]): Piece[] {
  const type = onnx.NodeProto.encode({ opType: 'Constant' }).finish();
  const attribute = [
    bytesPiece(onnx.AttributeProto.encode({ name: 'value', type: ATTRIBUTE_TENSOR }).finish()),
    ...field(5, tensor),
  ];
  return [bytesPiece(nodeNames([], [output], output)), bytesPiece(type), ...field(5, attribute)];
}

/** A ValueInfoProto of a tensor of fixed shape. */
export function valueMessage(name: string, dtype: DtypeName, dims: readonly number[]): Piece {
  const type = onnx.ValueInfoProto.encode({
    type: {
      tensorType: {
        elemType: onnxDataType(dtype),
        shape: { dim: dims.map((dimValue) => ({ dimValue })) },
      },
    },
  }).finish();
  return bytesPiece(Buffer.concat([textField(1, name), type]));
}

/** A ValueInfoProto of a tensor of any shape. */
export function typedValueMessage(name: string, dtype: DtypeName): Piece {
  const type = onnx.ValueInfoProto.encode({
    type: { tensorType: { elemType: onnxDataType(dtype) } },
  }).finish();
  return bytesPiece(Buffer.concat([textField(1, name), type]));
}

/** A metadata_props entry. */
export function entryMessage(key: string, value: string): Piece {
  return bytesPiece(onnx.StringStringEntryProto.encode({ key, value }).finish());
}

/** An opset_import entry. */
export function opsetMessage(domain: string, version: number): Piece {
  return bytesPiece(onnx.OperatorSetIdProto.encode({ domain, version }).finish());
}

import { onnx } from 'onnx-proto';
import type { DtypeName } from '../../../../shared/dtypes.ts';
import { onnxDataType } from '../../formats/onnx/tensor-types.ts';
import { encodeVarint } from '../../formats/onnx/wire.ts';
import { piecesLength, type Piece } from '../layout.ts';
import type { SidePlace } from './side-file.ts';

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
  const head = onnx.TensorProto.encode({
    dims: [...dims],
    dataType: onnxDataType(dtype),
    name,
  }).finish();
  return [bytesPiece(head), ...field(RAW_DATA, [data])];
}

/** A TensorProto whose values are in a side file. */
export function externalMessage(
  name: string,
  dtype: DtypeName,
  dims: readonly number[],
  place: SidePlace,
): Piece[] {
  const head = onnx.TensorProto.encode({
    dims: [...dims],
    dataType: onnxDataType(dtype),
    name,
    externalData: Object.entries(place).map(([key, value]) => ({ key, value: String(value) })),
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
  }).finish();
  return [bytesPiece(head)];
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
  const bytes = onnx.NodeProto.encode({
    input: [...node.inputs],
    output: [...node.outputs],
    name: node.name,
    opType: node.opType,
    ...(node.domain === '' ? {} : { domain: node.domain }),
    attribute: Object.entries(node.integers).map(([name, value]) =>
      typeof value === 'number'
        ? { name, type: ATTRIBUTE_INT, i: value }
        : { name, type: ATTRIBUTE_INTS, ints: [...value] },
    ),
  }).finish();
  return bytesPiece(bytes);
}

/** A whole Constant node around a few values. */
export function smallConstant(output: string, t: onnx.ITensorProto): Piece {
  const attribute = [{ name: 'value', type: ATTRIBUTE_TENSOR, t }];
  return bytesPiece(
    onnx.NodeProto.encode({
      output: [output],
      name: output,
      opType: 'Constant',
      attribute,
    }).finish(),
  );
}

/** A Constant node around a tensor message. */
export function constantMessage(output: string, tensor: readonly Piece[]): Piece[] {
  const head = onnx.NodeProto.encode({
    output: [output],
    name: output,
    opType: 'Constant',
  }).finish();
  const attribute = [
    bytesPiece(onnx.AttributeProto.encode({ name: 'value', type: ATTRIBUTE_TENSOR }).finish()),
    ...field(5, tensor),
  ];
  return [bytesPiece(head), ...field(5, attribute)];
}

/** A ValueInfoProto of a tensor of fixed shape. */
export function valueMessage(name: string, dtype: DtypeName, dims: readonly number[]): Piece {
  const bytes = onnx.ValueInfoProto.encode({
    name,
    type: {
      tensorType: {
        elemType: onnxDataType(dtype),
        shape: { dim: dims.map((dimValue) => ({ dimValue })) },
      },
    },
  }).finish();
  return bytesPiece(bytes);
}

/** A metadata_props entry. */
export function entryMessage(key: string, value: string): Piece {
  return bytesPiece(onnx.StringStringEntryProto.encode({ key, value }).finish());
}

/** An opset_import entry. */
export function opsetMessage(domain: string, version: number): Piece {
  return bytesPiece(onnx.OperatorSetIdProto.encode({ domain, version }).finish());
}

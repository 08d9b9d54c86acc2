import type { Piece } from '../../../export/layout.ts';
import type { TableNode } from './nodes.ts';
import type { UnknownField } from './read-flatbuffer.ts';

/** Where a buffer's bytes are: in the FlatBuffer, or behind it by Buffer.offset and size. */
export interface StoredBuffer {
  readonly offset: number;
  readonly length: number;
  readonly isOutside: boolean;
}

export interface TensorRecord {
  readonly node: TableNode;
  readonly name: string;
  /** TensorType's number. */
  readonly type: number;
  readonly shape: readonly number[];
  readonly buffer: number;
  readonly isSparse: boolean;
  /** Scales of a quantized type; none for float types. */
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number;
  /** Elements that share a scale along the axis, where another tensor holds the scales of blocks. */
  readonly blockSize: number | null;
}

export interface OperatorRecord {
  readonly node: TableNode;
  readonly opcode: number;
  /** BuiltinOperator's name, or the custom code of an operator that LiteRT does not define. */
  readonly op: string;
  readonly isCustom: boolean;
  readonly version: number;
  /** Tensor indices of the graph; -1 for an optional input that is left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: TableNode | null;
}

export interface GraphRecord {
  readonly node: TableNode;
  readonly index: number;
  /** '' for the first subgraph, which runs. */
  readonly path: string;
  readonly tensors: readonly TensorRecord[];
  readonly operators: readonly OperatorRecord[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface MetadataRecord {
  readonly name: string;
  readonly buffer: number;
}

/** A .tflite file's structure, verified. */
export interface LitertIndex {
  readonly root: TableNode;
  readonly unknown: readonly UnknownField[];
  /** By buffer number; null where it holds nothing, as buffer 0 does by convention. */
  readonly buffers: readonly (StoredBuffer | null)[];
  readonly graphs: readonly GraphRecord[];
  readonly metadata: readonly MetadataRecord[];
  readonly description: string;
  /** What follows the FlatBuffer and belongs to none of its buffers, such as a zip of associated files. */
  readonly trailing: Extract<Piece, { kind: 'copy' }> | null;
}

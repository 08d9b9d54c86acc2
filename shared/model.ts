import type { DtypeName } from './dtypes.ts';

/** What a stored tensor is for; only weights and embeddings are quantized by a recipe. */
export type Role = 'weight' | 'bias' | 'embedding' | 'norm' | 'constant' | 'other';

/** A contiguous run of bytes in one of the model's files (0 is the file that was opened). */
export interface ByteRange {
  readonly file: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Where a tensor's values are and how they are written down.
 * `raw`: little-endian values, back to back over the ranges.
 * `varint`: protobuf varints, one per element, over the ranges (ONNX int32_data and int64_data).
 */
export interface TensorData {
  readonly encoding: 'raw' | 'varint';
  readonly ranges: readonly ByteRange[];
}

/** Parameters that an already-quantized tensor carries. */
export interface StoredQuantization {
  readonly scale: readonly number[];
  readonly zeroPoint: readonly number[];
  readonly axis: number | null;
  readonly blockSize: number | null;
  /** How many scales there are, where they are too many to be read when the model is opened: then the lists are empty. */
  readonly unread?: number;
  /**
   * The type of the codes that the model itself makes of the tensor's float values before it uses them
   * (a QuantizeLinear with these parameters); absent where the values are codes already.
   */
  readonly pending?: PendingDtype;
}

/** Types of codes that an export stores in place of the float values from which the model makes them. */
export const PENDING_DTYPES = ['int8', 'uint8', 'int4', 'uint4', 'int16', 'uint16'] as const;
export type PendingDtype = (typeof PENDING_DTYPES)[number];

/** One operator input that a tensor feeds. */
export interface Consumer {
  /** The operator's name, or its first output where it has none. */
  readonly node: string;
  readonly op: string;
  readonly input: number;
}

/** One stored tensor. Its values stay in the file. */
export interface TensorRef {
  /** Position in Model.tensors; the tensor's identity, as names need not be unique across graphs. */
  readonly id: number;
  readonly name: string;
  readonly dtype: DtypeName;
  readonly shape: readonly number[];
  readonly elements: number;
  /** Bytes of the values at their dtype's width (what the footprint counts). */
  readonly bytes: number;
  readonly layer: string;
  /** The layer with the numbers of blocks that repeat as a span, such as `encoder.layers.0..11`, where names tell. */
  readonly block?: string;
  readonly op: string;
  readonly role: Role;
  /** The channel axis for per-channel schemes; null where the operator defines none. */
  readonly axis: number | null;
  readonly storage: 'inline' | 'constant' | 'external';
  /** The graph it sits in: '' for the main graph, else a path such as 'If_12.then_branch'. */
  readonly graph: string;
  readonly consumers: readonly Consumer[];
  readonly quantization: StoredQuantization | null;
  /** How many weights the codes of a quantized tensor stand for, where `elements` does not tell: several may lie in one. */
  readonly parameters?: number;
  /** Why the tensor is left as it is whatever a recipe says; absent where nothing but its role and type decide. */
  readonly fixed?: string;
  readonly data: TensorData;
}

export interface ModelFile {
  readonly path: string;
  readonly bytes: number;
}

export interface Opset {
  readonly domain: string;
  readonly version: number;
}

/** Bytes of the model if each of its float weights were stored in that dtype. */
export type Footprint = Readonly<
  Record<'float32' | 'float16' | 'bfloat16' | 'int8' | 'int4', number>
>;

/** A model as every part of the program sees it, whatever its format. */
export interface Model {
  /** FormatFacts.format. */
  readonly format: string;
  /** The opened file first, then external data or shards. */
  readonly files: readonly ModelFile[];
  readonly producer: string;
  readonly opsets: readonly Opset[];
  /** Elements of all weights, biases, embeddings and norms, quantized ones too; of a checkpoint, of all but buffers. */
  readonly parameters: number;
  readonly tensorBytes: number;
  readonly footprint: Footprint;
  readonly tensors: readonly TensorRef[];
}

/** Whether a recipe may change the tensor at all: a float weight or embedding with values, not quantized yet. */
export function isQuantizable(
  tensor: Pick<TensorRef, 'role' | 'dtype' | 'elements' | 'quantization' | 'fixed'>,
): boolean {
  return (
    (tensor.quantization === null || tensor.quantization.pending !== undefined) &&
    tensor.fixed === undefined &&
    (tensor.role === 'weight' || tensor.role === 'embedding') &&
    (tensor.dtype === 'float32' ||
      tensor.dtype === 'float16' ||
      tensor.dtype === 'bfloat16' ||
      tensor.dtype === 'float64') &&
    tensor.elements > 0
  );
}

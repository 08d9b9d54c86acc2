import type { Consumer, Role, TensorRef } from '../../../../../shared/model.ts';
import type {
  AttributeRecord,
  GraphRecord,
  NodeRecord,
  SparseRecord,
  TensorRecord,
} from './records.ts';
import type { Codes } from './stored-codes.ts';

/** A stored tensor found in the structure, before it is made a TensorRef. */
export interface Stored {
  readonly name: string;
  readonly graph: GraphRecord;
  readonly storage: 'initializer' | 'sparse' | 'constant';
  readonly dims: readonly number[];
  /** The whole sparse tensor, of which `tensor` holds the values. */
  readonly sparse?: SparseRecord;
  /** The TensorProto; null for value_float(s), value_int(s) and value_string(s). */
  readonly tensor: TensorRecord | null;
  /** The Constant node and its value attribute. */
  readonly node: NodeRecord | null;
  readonly attribute: AttributeRecord | null;
  readonly uses: Use[];
  /** Whether a node takes it by its name only to hand it on; whoever gets it is among the uses, if anybody is. */
  isHandedOn: boolean;
  /** Whether another stored tensor of the graph has its name: nodes take the last one (`Scope.declare`). */
  hasDouble?: boolean;
}

/** One operator input that a stored tensor reaches, directly or through nodes that only hand it on. */
export interface Use extends Consumer {
  readonly record: NodeRecord;
  /**
   * The names of the node's inputs in the scope. Of a node in a function, which is reached through a
   * call, they are those that the call gives; '' where an input is the function's own.
   */
  readonly inputs: readonly string[];
  /** The node, or the outermost call that it is reached through. */
  readonly reachedBy: NodeRecord;
  /** The graph that the node is in. */
  readonly graph: GraphRecord;
  /** Whether the node takes the stored tensor itself, not something handed on from it. */
  readonly isDirect: boolean;
  /** What names stand for where the node is. */
  readonly scope: { stored(name: string): Stored | undefined };
  readonly role: Role;
  readonly axis: number | null;
  readonly isSensitive: boolean;
  /** Where the node says how to read the tensor as codes. */
  readonly codes: Codes | null;
}

/** A TensorRef with the record it came from, which the exporter edits. */
export interface OnnxTensor {
  readonly ref: TensorRef;
  readonly stored: Stored;
}

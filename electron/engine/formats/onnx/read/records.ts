import type { TypedField } from './tensor-types.ts';
import type { Frame } from './wire.ts';

/** A range of the model file: [start, end). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where a TensorProto keeps its values. */
export interface TensorPayload {
  readonly field: 'raw_data' | TypedField;
  /** Payload spans in file order: one for raw_data, one per packed run or unpacked value otherwise. */
  readonly spans: readonly Span[];
}

/** One entry of external_data, and the whole field that holds it. */
export interface ExternalEntry {
  readonly key: string;
  readonly value: string;
  readonly span: Span;
}

/** A TensorProto without its values. */
export interface TensorRecord {
  readonly frame: Frame;
  readonly name: string;
  readonly dataType: number;
  readonly dims: readonly number[];
  readonly payload: TensorPayload | null;
  /** external_data entries in file order, when data_location is EXTERNAL. */
  readonly external: readonly ExternalEntry[] | null;
}

export interface AttributeRecord {
  readonly name: string;
  readonly type: number;
  /** In a function: the attribute of the call that gives the value (ref_attr_name); '' elsewhere. */
  readonly reference: string;
  readonly span: Span;
  /** AttributeProto.f, where it is set. */
  readonly real: number | null;
  /** AttributeProto.i, where it is set. */
  readonly integer: number | null;
  /** AttributeProto.s, where it is set and short: the words that attributes choose from. */
  readonly text: string | null;
  /** AttributeProto.ints up to a limit (permutations and axes; longer lists stay unread). */
  readonly integers: readonly number[];
  readonly tensor: TensorRecord | null;
  readonly sparse: SparseRecord | null;
  /** AttributeProto.f or floats, as spans of 4 or more bytes. */
  readonly floats: readonly Span[];
  /** Elements of value_ints or value_strings. */
  readonly listLength: number;
  readonly graphs: readonly GraphRecord[];
}

export interface NodeRecord {
  readonly frame: Frame;
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** Which of several functions of one name is called (IR 10). */
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The fields that hold the names of the inputs and outputs. */
  readonly inputSpans: readonly Span[];
  readonly outputSpans: readonly Span[];
  readonly attributes: readonly AttributeRecord[];
}

export interface ValueRecord {
  readonly name: string;
  readonly span: Span;
}

/** An input or output of a graph. `dataType` is TensorProto's, 0 where none is declared or it is no tensor. */
export interface TypedValueRecord extends ValueRecord {
  readonly dataType: number;
}

export interface SparseRecord {
  readonly values: TensorRecord;
  readonly indices: TensorRecord;
  readonly dims: readonly number[];
}

/** The body of a function, which is a graph, and what calls of it may leave out. */
export interface FunctionRecord extends GraphRecord {
  /** Values of attributes that a call does not give (attribute_proto). */
  readonly defaults: readonly AttributeRecord[];
}

/** A graph, a subgraph, or the body of a function. */
export interface GraphRecord {
  readonly frame: Frame;
  /** '' for the main graph, 'If_3.then_branch' below it, functionPath() for functions. */
  readonly path: string;
  readonly kind: 'graph' | 'function';
  /** In the order of execution, which need not be that of the file. */
  readonly nodes: readonly NodeRecord[];
  readonly initializers: readonly TensorRecord[];
  readonly sparseInitializers: readonly SparseRecord[];
  readonly inputs: readonly TypedValueRecord[];
  readonly outputs: readonly TypedValueRecord[];
  /** Imports of a function body; the model's own are in OnnxIndex. */
  readonly opsets: readonly OpsetRecord[];
}

export interface OpsetRecord {
  readonly domain: string;
  readonly version: number;
  readonly span: Span;
}

/** The structure of an ONNX file: everything but the values of its tensors. */
export interface OnnxIndex {
  readonly irVersion: number;
  /** The ir_version field, where there is one. */
  readonly irVersionSpan: Span | null;
  readonly producer: string;
  readonly opsets: readonly OpsetRecord[];
  /** metadata_props by key, with the span of each entry. */
  readonly metadata: readonly ValueRecord[];
  readonly graph: GraphRecord;
  readonly functions: readonly FunctionRecord[];
}

import { AppError } from '../../../../../shared/errors.ts';
import { shortName } from '../../../../../shared/short-name.ts';
import { functionPath } from './functions.ts';
import type {
  AttributeRecord,
  FunctionRecord,
  GraphRecord,
  NodeRecord,
  OnnxIndex,
  OpsetRecord,
  SparseRecord,
  Span,
  TensorRecord,
  TypedValueRecord,
  ValueRecord,
} from './records.ts';
import { orderNodes } from './node-order.ts';
import { readSparse, readTensor } from './read-tensor.ts';
import { tensorType } from './tensor-types.ts';
import { WireType, type Frame, type WireField, type WireReader } from './wire.ts';

/** Permutations and axes are short; a longer ints attribute is data that nothing here needs. */
const MAX_INTEGERS = 256;

/** Words such as "reflect" are short; longer texts are data that nothing here needs. */
const MAX_WORD_BYTES = 64;

/**
 * A record of a node takes about 300 bytes, and a node of a file may take two: 30 MB of these took 4.2 GB.
 * Models of a hundred thousand layers have fewer than a million nodes.
 */
const MAX_NODES = 2_000_000;

/** Index an ONNX file at the wire level. @throws AppError for anything that is not a model. */
export function readIndex(wire: WireReader): OnnxIndex {
  let irVersion = 0;
  let irVersionSpan: Span | null = null;
  let producerName = '';
  let producerVersion = '';
  let graphField: WireField | undefined;
  const opsets: OpsetRecord[] = [];
  const metadata: ValueRecord[] = [];
  const functionFields: WireField[] = [];
  wire.forEachField(0, wire.source.size, 0, (field) => {
    switch (field.number) {
      case 1:
        irVersion = wire.int64(field, 'ir_version');
        irVersionSpan = { start: field.start, end: field.end };
        break;
      case 2:
        producerName = wire.text(field, 'producer_name');
        break;
      case 3:
        producerVersion = wire.text(field, 'producer_version');
        break;
      case 7:
        if (graphField !== undefined)
          throw wire.malformed('a second graph', field.start, '2 graphs', 'one');
        graphField = field;
        break;
      case 8:
        opsets.push(readOpset(wire, field, 1));
        break;
      case 14:
        metadata.push({ name: readKey(wire, field), span: { start: field.start, end: field.end } });
        break;
      case 25:
        functionFields.push(field);
        break;
    }
  });
  if (graphField === undefined)
    throw new AppError('MALFORMED', 'an ONNX model without a graph', {
      file: wire.source.path,
      field: 'graph',
      found: 'none',
      expected: 'one graph',
    });
  return {
    irVersion,
    irVersionSpan,
    producer: [producerName, producerVersion].filter((part) => part !== '').join(' '),
    opsets,
    metadata,
    graph: readGraph(wire, wire.frame(graphField, null, 'graph'), '', 1),
    functions: functionFields.map((field) => readFunction(wire, field)),
  };
}

function readOpset(wire: WireReader, field: WireField, depth: number): OpsetRecord {
  wire.expectType(field, WireType.Bytes, 'opset_import');
  let domain = '';
  let version = 0;
  wire.forEachField(field.payload, field.end, depth, (part) => {
    if (part.number === 1) domain = wire.text(part, 'an opset domain');
    else if (part.number === 2) version = wire.int64(part, 'an opset version');
  });
  return {
    domain: domain === 'ai.onnx' ? '' : domain,
    version,
    span: { start: field.start, end: field.end },
  };
}

function readKey(wire: WireReader, field: WireField): string {
  wire.expectType(field, WireType.Bytes, 'metadata_props');
  let key = '';
  wire.forEachField(field.payload, field.end, 1, (part) => {
    if (part.number === 1) key = wire.text(part, 'a metadata key');
  });
  return key;
}

function readGraph(wire: WireReader, frame: Frame, path: string, depth: number): GraphRecord {
  const nodes: NodeRecord[] = [];
  const initializers: TensorRecord[] = [];
  const sparseInitializers: SparseRecord[] = [];
  const inputs: TypedValueRecord[] = [];
  const outputs: TypedValueRecord[] = [];
  wire.forEachField(frame.payload, frame.end, depth, (field) => {
    switch (field.number) {
      case 1:
        nodes.push(readNode(wire, field, frame, path, depth + 1));
        break;
      case 5:
        initializers.push(readTensor(wire, field, frame, depth + 1));
        break;
      case 11:
        inputs.push(readValue(wire, field, depth + 1));
        break;
      case 12:
        outputs.push(readValue(wire, field, depth + 1));
        break;
      case 15:
        sparseInitializers.push(readSparse(wire, field, frame, depth + 1));
        break;
    }
  });
  checkInitializerNames(wire, initializers, sparseInitializers);
  const stored = [...initializers, ...sparseInitializers.map(({ values }) => values)];
  const given = [...inputs, ...stored].map(({ name }) => name);
  return {
    frame,
    path,
    kind: 'graph',
    nodes: orderNodes(wire.source.path, nodes, given),
    initializers,
    sparseInitializers,
    inputs,
    outputs,
    opsets: [],
  };
}

/**
 * Hold initializers of one name to onnxruntime's rules (graph.cc, Graph::Graph): the last one counts,
 * all are of one type and shape, and at most one is sparse. One without a name is used by nothing.
 */
function checkInitializerNames(
  wire: WireReader,
  initializers: readonly TensorRecord[],
  sparse: readonly SparseRecord[],
): void {
  const forms = new Map<string, string>();
  const problem = (tensor: TensorRecord, summary: string, found?: string, expected?: string) =>
    new AppError('MALFORMED', summary, {
      file: wire.source.path,
      field: tensor.name,
      offset: tensor.frame.start,
      found,
      expected,
    });
  const check = (tensor: TensorRecord, dims: readonly number[]): void => {
    const form = `${tensorType(tensor.dataType)!.dtype} [${dims.join(', ')}]`;
    const known = forms.get(tensor.name) ?? form;
    if (known !== form)
      throw problem(tensor, 'two initializers of one name differ in type or shape', form, known);
    forms.set(tensor.name, form);
  };
  for (const tensor of initializers) check(tensor, tensor.dims);
  const seen = new Set<string>();
  for (const { values, dims } of sparse) {
    if (seen.has(values.name)) throw problem(values, 'two sparse initializers of one name');
    seen.add(values.name);
    check(values, dims);
  }
}

function readFunction(wire: WireReader, field: WireField): FunctionRecord {
  const frame = wire.frame(field, null, 'a function');
  let [name, domain, overload] = ['', '', ''];
  const defaultFields: WireField[] = [];
  const opsets: OpsetRecord[] = [];
  const nodeFields: WireField[] = [];
  const inputs: TypedValueRecord[] = [];
  const outputs: TypedValueRecord[] = [];
  wire.forEachField(frame.payload, frame.end, 1, (part) => {
    const span = { start: part.start, end: part.end };
    if (part.number === 1) name = wire.text(part, 'a function name');
    else if (part.number === 4)
      inputs.push({ name: wire.text(part, 'a function input'), dataType: 0, span });
    else if (part.number === 5)
      outputs.push({ name: wire.text(part, 'a function output'), dataType: 0, span });
    else if (part.number === 7) nodeFields.push(part);
    else if (part.number === 9) opsets.push(readOpset(wire, part, 2));
    else if (part.number === 10) domain = wire.text(part, 'a function domain');
    else if (part.number === 11) defaultFields.push(part);
    else if (part.number === 13) overload = wire.text(part, 'a function overload');
  });
  const path = functionPath(domain, name, overload);
  const nodes = nodeFields.map((node) => readNode(wire, node, frame, path, 2));
  const given = inputs.map((input) => input.name);
  const defaults = defaultFields.map((part) => readAttribute(wire, part, frame, path, 2));
  return {
    frame,
    path,
    kind: 'function',
    nodes: orderNodes(wire.source.path, nodes, given),
    initializers: [],
    sparseInitializers: [],
    inputs,
    outputs,
    opsets,
    defaults,
  };
}

function readValue(wire: WireReader, field: WireField, depth: number): TypedValueRecord {
  wire.expectType(field, WireType.Bytes, 'a graph input or output');
  let [name, dataType] = ['', 0];
  wire.forEachField(field.payload, field.end, depth, (part) => {
    if (part.number === 1) name = wire.text(part, 'a value name');
    else if (part.number === 2) dataType = readElementType(wire, part, depth + 1);
  });
  return { name, dataType, span: { start: field.start, end: field.end } };
}

/** TypeProto.tensor_type.elem_type, or 0 where the type is no tensor. */
function readElementType(wire: WireReader, field: WireField, depth: number): number {
  wire.expectType(field, WireType.Bytes, 'a type');
  let dataType = 0;
  wire.forEachField(field.payload, field.end, depth, (kind) => {
    if (kind.number !== 1) return;
    wire.expectType(kind, WireType.Bytes, 'a tensor type');
    wire.forEachField(kind.payload, kind.end, depth + 1, (part) => {
      if (part.number === 1) dataType = wire.int64(part, 'an element type');
    });
  });
  return dataType;
}

function readNode(
  wire: WireReader,
  field: WireField,
  parent: Frame,
  path: string,
  depth: number,
): NodeRecord {
  wire.nodes += 1;
  if (wire.nodes > MAX_NODES)
    throw new AppError('LIMIT', 'the model has too many nodes', {
      file: wire.source.path,
      offset: field.start,
      found: `over ${MAX_NODES}`,
      expected: `at most ${MAX_NODES}`,
    });
  const frame = wire.frame(field, parent, 'a node');
  let [name, opType, domain, overload] = ['', '', '', ''];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const inputSpans: Span[] = [];
  const outputSpans: Span[] = [];
  const attributeFields: WireField[] = [];
  wire.forEachField(frame.payload, frame.end, depth, (part) => {
    const span = { start: part.start, end: part.end };
    if (part.number === 1) {
      inputs.push(wire.text(part, 'a node input'));
      inputSpans.push(span);
    } else if (part.number === 2) {
      outputs.push(wire.text(part, 'a node output'));
      outputSpans.push(span);
    } else if (part.number === 3) name = wire.text(part, 'a node name');
    else if (part.number === 4) opType = wire.text(part, 'an operator type');
    else if (part.number === 5) attributeFields.push(part);
    else if (part.number === 7) domain = wire.text(part, 'a node domain');
    else if (part.number === 8) overload = wire.text(part, 'a node overload');
  });
  if (domain === 'ai.onnx') domain = '';
  const label = name !== '' ? name : (outputs[0] ?? opType);
  const scope = path === '' ? shortName(label) : shortName(`${path}/${shortName(label)}`);
  const attributes = attributeFields.map((part) =>
    readAttribute(wire, part, frame, scope, depth + 1),
  );
  return {
    frame,
    name,
    opType,
    domain,
    overload,
    inputs,
    outputs,
    inputSpans,
    outputSpans,
    attributes,
  };
}

function readAttribute(
  wire: WireReader,
  field: WireField,
  parent: Frame,
  scope: string,
  depth: number,
): AttributeRecord {
  const frame = wire.frame(field, parent, 'an attribute');
  let [name, reference, type, listLength] = ['', '', 0, 0];
  let integer: number | null = null;
  let real: number | null = null;
  let text: string | null = null;
  let tensor: TensorRecord | null = null;
  let sparse: SparseRecord | null = null;
  const integers: number[] = [];
  const floats: Span[] = [];
  const graphFields: WireField[] = [];
  wire.forEachField(frame.payload, frame.end, depth, (part) => {
    if (part.number === 1) name = wire.text(part, 'an attribute name');
    else if (part.number === 21) reference = wire.text(part, 'an attribute reference');
    else if (part.number === 20) type = wire.int64(part, 'an attribute type');
    else if (part.number === 2 || part.number === 7) {
      floats.push(floatSpan(wire, part));
      if (part.number === 2) real = readFloat(wire, part);
    } else if (part.number === 3) integer = Number(BigInt.asIntN(64, BigInt(part.value)));
    else if (part.number === 4 && part.end - part.payload <= MAX_WORD_BYTES)
      text = wire.text(part, 'a word of an attribute');
    else if (part.number === 5) tensor = readTensor(wire, part, frame, depth + 1);
    else if (part.number === 6 || part.number === 11) graphFields.push(part);
    else if (part.number === 8) listLength += readIntegers(wire, part, integers);
    else if (part.number === 9) listLength += 1;
    else if (part.number === 22) sparse = readSparse(wire, part, frame, depth + 1);
  });
  const graphs = graphFields.map((part, index) => {
    const path = graphFields.length > 1 ? `${scope}.${name}[${index}]` : `${scope}.${name}`;
    return readGraph(wire, wire.frame(part, frame, 'a subgraph'), path, depth + 1);
  });
  const span = { start: field.start, end: field.end };
  return {
    name,
    type,
    reference,
    span,
    real,
    integer,
    text,
    integers,
    tensor,
    sparse,
    floats,
    listLength,
    graphs,
  };
}

function floatSpan(wire: WireReader, field: WireField): Span {
  if (field.type !== WireType.Fixed32) wire.expectType(field, WireType.Bytes, 'floats');
  if ((field.end - field.payload) % 4 !== 0)
    throw wire.malformed('packed floats are cut inside a value', field.start);
  return { start: field.payload, end: field.end };
}

function readFloat(wire: WireReader, field: WireField): number {
  wire.expectType(field, WireType.Fixed32, 'a float attribute');
  const bytes = wire.bytes(field.payload, 4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}

/** Collect up to MAX_INTEGERS of an ints attribute. Returns how many elements the field has. */
function readIntegers(wire: WireReader, field: WireField, into: number[]): number {
  if (field.type === WireType.Varint) {
    if (into.length < MAX_INTEGERS) into.push(Number(BigInt.asIntN(64, BigInt(field.value))));
    return 1;
  }
  wire.expectType(field, WireType.Bytes, 'ints');
  let count = 0;
  for (let at = field.payload; at < field.end; count++) {
    const { value, next } = wire.varint(at, field.end);
    if (into.length < MAX_INTEGERS) into.push(Number(BigInt.asIntN(64, BigInt(value))));
    at = next;
  }
  return count;
}

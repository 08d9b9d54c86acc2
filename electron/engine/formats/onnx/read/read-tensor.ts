import { AppError } from '../../../../../shared/errors.ts';
import { packedBytes } from '../../../../../shared/dtypes.ts';
import type { ExternalEntry, SparseRecord, Span, TensorPayload, TensorRecord } from './records.ts';
import { tensorType, type TypedField } from './tensor-types.ts';
import { WireType, type Frame, type WireField, type WireReader } from './wire.ts';

/** No operator defined by ONNX takes more axes than a handful; numpy stops at 64. */
const MAX_RANK = 64;
/** A typed field may come as one record per value; more than this asks for memory out of proportion. */
const MAX_SPANS = 1 << 20;
/** external_data has five keys of its own; more than a few unknown ones is no real file. */
const MAX_EXTERNAL_ENTRIES = 16;

const DATA_FIELDS: Readonly<Record<number, TensorPayload['field']>> = {
  4: 'float_data',
  5: 'int32_data',
  6: 'string_data',
  7: 'int64_data',
  9: 'raw_data',
  10: 'double_data',
  11: 'uint64_data',
};

/** Bytes of one value of a typed field on the wire; 0 for varints and strings. */
const FIXED_WIDTH: Readonly<Record<TypedField | 'raw_data', number>> = {
  raw_data: 1,
  float_data: 4,
  double_data: 8,
  int32_data: 0,
  int64_data: 0,
  uint64_data: 0,
  string_data: 0,
};

/** Read a TensorProto's header and where its values are; the values themselves stay unread. */
export function readTensor(
  wire: WireReader,
  field: WireField,
  parent: Frame | null,
  depth: number,
): TensorRecord {
  const frame = wire.frame(field, parent, 'a tensor');
  let name = '';
  let dataType = 0;
  let isExternal = false;
  const dims: number[] = [];
  const external: ExternalEntry[] = [];
  const payloads = new Map<TensorPayload['field'], Span[]>();
  wire.forEachField(frame.payload, frame.end, depth, (part) => {
    const data = DATA_FIELDS[part.number];
    if (data !== undefined) addPayload(wire, part, data, payloads);
    else if (part.number === 1) wire.int64s(part, 'a dimension', dims, MAX_RANK);
    else if (part.number === 2) dataType = wire.int64(part, 'data_type');
    else if (part.number === 8) name = wire.text(part, 'a tensor name');
    else if (part.number === 13) external.push(readEntry(wire, part, depth + 1));
    else if (part.number === 14) isExternal = wire.int64(part, 'data_location') === 1;
    if (external.length > MAX_EXTERNAL_ENTRIES)
      throw new AppError('LIMIT', 'a tensor with too many external_data entries', {
        file: wire.source.path,
        field: name,
        offset: field.start,
        found: `${external.length} entries`,
        expected: `at most ${MAX_EXTERNAL_ENTRIES}`,
      });
  });
  const record: TensorRecord = {
    frame,
    name,
    dataType,
    dims,
    payload: onlyPayload(wire, payloads, name, field.start),
    external: isExternal ? external : null,
  };
  checkTensor(wire, record);
  return record;
}

function addPayload(
  wire: WireReader,
  part: WireField,
  field: TensorPayload['field'],
  payloads: Map<TensorPayload['field'], Span[]>,
): void {
  const width = FIXED_WIDTH[field];
  const unpacked =
    width === 4 ? WireType.Fixed32 : width === 8 ? WireType.Fixed64 : WireType.Varint;
  const mayBeUnpacked = field !== 'raw_data' && field !== 'string_data';
  if (!(mayBeUnpacked && part.type === unpacked)) wire.expectType(part, WireType.Bytes, field);
  if (width > 1 && part.type === WireType.Bytes && (part.end - part.payload) % width !== 0)
    throw wire.malformed(
      `packed ${field} is cut inside a value`,
      part.start,
      `${part.end - part.payload} bytes`,
      `a multiple of ${width}`,
    );
  // raw_data is a single field: the last one on the wire wins, as in every protobuf parser.
  const spans = field === 'raw_data' ? [] : (payloads.get(field) ?? []);
  const last = spans.at(-1);
  if (last !== undefined && last.end === part.payload)
    spans[spans.length - 1] = { start: last.start, end: part.end };
  else if (part.end > part.payload || field === 'raw_data' || field === 'string_data')
    spans.push({ start: part.payload, end: part.end });
  if (spans.length > MAX_SPANS)
    throw new AppError('LIMIT', `${field} comes in too many pieces`, {
      file: wire.source.path,
      offset: part.start,
      found: `over ${MAX_SPANS}`,
      expected: 'packed values or raw_data',
    });
  payloads.set(field, spans);
}

function onlyPayload(
  wire: WireReader,
  payloads: ReadonlyMap<TensorPayload['field'], readonly Span[]>,
  name: string,
  offset: number,
): TensorPayload | null {
  const filled = [...payloads].filter(([, spans]) => spans.some((span) => span.end > span.start));
  if (filled.length > 1)
    throw new AppError('MALFORMED', 'a tensor with values in two fields', {
      file: wire.source.path,
      field: name,
      offset,
      found: filled.map(([field]) => field).join(' and '),
      expected: 'one of them',
    });
  const chosen = filled[0] ?? [...payloads][0];
  return chosen === undefined ? null : { field: chosen[0], spans: chosen[1] };
}

function readEntry(wire: WireReader, field: WireField, depth: number): ExternalEntry {
  wire.expectType(field, WireType.Bytes, 'an entry');
  let key = '';
  let value = '';
  wire.forEachField(field.payload, field.end, depth, (part) => {
    if (part.number === 1) key = wire.text(part, 'a key');
    else if (part.number === 2) value = wire.text(part, 'a value');
  });
  return { key, value, span: { start: field.start, end: field.end } };
}

/** Elements of a shape. @throws AppError on a negative dimension or a product over 2^53. */
export function elementCount(
  wire: WireReader,
  dims: readonly number[],
  name: string,
  offset: number,
): number {
  let elements = 1;
  for (const dim of dims) {
    if (dim < 0)
      throw new AppError('MALFORMED', 'a negative dimension', {
        file: wire.source.path,
        field: name,
        offset,
        found: `[${dims.join(', ')}]`,
        expected: 'dimensions from 0',
      });
    elements *= dim;
  }
  // A zero anywhere makes an empty tensor, however large its other dimensions are.
  if (dims.includes(0)) return 0;
  if (!Number.isSafeInteger(elements))
    throw new AppError('MALFORMED', 'the product of the dimensions overflows', {
      file: wire.source.path,
      field: name,
      offset,
      found: `[${dims.join(', ')}]`,
      expected: 'at most 2^53 elements',
    });
  return elements;
}

/** Hold the declared type and shape against the bytes that are there. Varint fields are counted when they are read. */
function checkTensor(wire: WireReader, tensor: TensorRecord): void {
  const { name, payload } = tensor;
  const offset = tensor.frame.start;
  const type = tensorType(tensor.dataType);
  const problem = (summary: string, found: string, expected: string): AppError =>
    new AppError('MALFORMED', summary, {
      file: wire.source.path,
      field: name,
      offset,
      found,
      expected,
    });
  if (type === undefined)
    throw problem('a tensor of an undefined data type', `data_type ${tensor.dataType}`, '1 to 26');
  const elements = elementCount(wire, tensor.dims, name, offset);
  if (tensor.external !== null) {
    if (payload !== null && payload.spans.some((span) => span.end > span.start))
      throw problem(
        'a tensor with both external and inline values',
        payload.field,
        'external_data alone',
      );
    return;
  }
  const stored = payload?.spans.reduce((sum, span) => sum + span.end - span.start, 0) ?? 0;
  if (payload === null || (stored === 0 && payload.field !== 'string_data')) {
    if (elements > 0 && type.dtype !== 'string')
      throw problem('a tensor without values', '0 bytes', `${elements} elements`);
    return;
  }
  if (payload.field === 'raw_data') {
    if (type.dtype === 'string') throw problem('strings in raw_data', 'raw_data', 'string_data');
    const expected = packedBytes(type.dtype, elements);
    if (stored !== expected)
      throw problem(
        'the size of raw_data is not that of its shape',
        `${stored} bytes`,
        `${expected} bytes`,
      );
    return;
  }
  if (payload.field !== type.typedField)
    throw problem(`${type.dtype} values in the wrong field`, payload.field, type.typedField);
  const width = FIXED_WIDTH[payload.field];
  const perElement = type.dtype === 'complex64' || type.dtype === 'complex128' ? 2 : 1;
  if (width > 0 && stored !== elements * width * perElement)
    throw problem(
      `the number of values in ${payload.field} does not fit the shape`,
      `${stored / width}`,
      `${elements * perElement}`,
    );
  if (
    width === 0 &&
    payload.field !== 'string_data' &&
    stored < packedBytes(type.dtype, elements) / 8
  )
    throw problem(
      `${payload.field} has fewer values than its shape`,
      `${stored} bytes`,
      `${elements} values`,
    );
}

/** Read a SparseTensorProto: values and indices as tensors, and the dense shape. */
export function readSparse(
  wire: WireReader,
  field: WireField,
  parent: Frame | null,
  depth: number,
): SparseRecord {
  const frame = wire.frame(field, parent, 'a sparse tensor');
  let values: TensorRecord | undefined;
  let indices: TensorRecord | undefined;
  const dims: number[] = [];
  wire.forEachField(frame.payload, frame.end, depth, (part) => {
    if (part.number === 1) values = readTensor(wire, part, frame, depth + 1);
    else if (part.number === 2) indices = readTensor(wire, part, frame, depth + 1);
    else if (part.number === 3) wire.int64s(part, 'a dimension', dims, MAX_RANK);
  });
  if (values === undefined || indices === undefined)
    throw wire.malformed('a sparse tensor without values or indices', field.start);
  elementCount(wire, dims, values.name, field.start);
  return { values, indices, dims };
}

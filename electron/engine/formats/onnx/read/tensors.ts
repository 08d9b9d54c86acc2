import { packedBytes, type DtypeName } from '../../../../../shared/dtypes.ts';
import type { Role, TensorData, TensorRef } from '../../../../../shared/model.ts';
import { Calls, NO_ATTRIBUTES, type Attributes } from './calls.ts';
import type { ExternalFiles, ExternalRange } from './external-data.ts';
import { checkFunctions } from './functions.ts';
import type {
  AttributeRecord,
  FunctionRecord,
  OnnxIndex,
  SparseRecord,
  TensorRecord,
} from './records.ts';
import { collectStored, type Following } from './scopes.ts';
import type { OnnxTensor, Stored, Use } from './stored.ts';
import { executionOrder } from './node-order.ts';
import type { FileSource } from '../../../source.ts';
import { outranks } from '../../slot.ts';
import { readNumbers } from '../../../tensor-bytes.ts';
import { checkSparseIndices } from './sparse-indices.ts';
import { packedValues, quantizedBy } from './stored-quantization.ts';
import { tensorType } from './tensor-types.ts';

/** Where one stored tensor's values are, by file number. */
type FileNumber = (range: ExternalRange) => number;

/**
 * Make the model's tensors from its structure, in the order in which they are first used, unused ones
 * last. Tied weights are one tensor with several consumers.
 */
export function buildTensors(
  index: OnnxIndex,
  external: ExternalFiles,
  fileNumber: FileNumber,
  model: FileSource,
): OnnxTensor[] {
  const found: Stored[] = [];
  const calls = new Calls(index.functions, checkFunctions(model.path, index.functions));
  const following: Following = {
    readIntegers: (stored) => smallIntegers(model, stored),
    calls,
    attributes: NO_ATTRIBUTES,
  };
  collectStored(index.graph, null, following, found);
  const common = calls.commonAttributes([index.graph, ...index.functions]);
  for (const body of index.functions)
    collectStored(
      body,
      null,
      { ...following, attributes: common.get(body) ?? defaultsOf(body) },
      found,
    );
  return inOrderOfUse(index, found).map((stored, id) => {
    const place = locate(stored, external, fileNumber);
    if (stored.sparse !== undefined) checkSparse(stored.name, stored.sparse, external, model);
    const use = mainUse(stored.uses);
    const by = quantizedBy(stored.uses, place.dtype);
    const parameters = packedValues(by, place);
    const ref: TensorRef = {
      id,
      name: stored.name,
      shape: stored.dims,
      ...place,
      ...(parameters === undefined ? {} : { parameters }),
      layer: use?.node ?? stored.name,
      op: use?.op ?? 'none',
      role: roleOf(stored, use, place.dtype, by !== null),
      axis: use?.axis ?? null,
      graph: stored.graph.path,
      consumers: stored.uses.map(({ node, op, input }) => ({ node, op, input })),
      quantization: null,
      ...(stored.hasDouble === true ? { fixed: DOUBLE } : {}),
    };
    return { ref, stored };
  });
}

const DOUBLE = 'one of several tensors that the graph stores under this name';

/** Operators that add whatever they are given. */
const ADDS: ReadonlySet<string> = new Set(['Add', 'Sum', 'QLinearAdd']);
function inOrderOfUse(index: OnnxIndex, found: readonly Stored[]): Stored[] {
  const positions = executionOrder(index);
  const first = ({ uses }: Stored): number =>
    uses.reduce((least, use) => Math.min(least, positions.get(use.reachedBy)!), positions.size);
  const keyed = found.map((stored) => ({ stored, position: first(stored) }));
  return keyed.sort((a, b) => a.position - b.position).map(({ stored }) => stored);
}

/** What a function that nothing calls would compute with. */
function defaultsOf(body: FunctionRecord): Attributes {
  return new Map(body.defaults.map((value) => [value.name, value]));
}

/** The use that says what a tensor is: the first weight, else the first embedding, and so on. */
function mainUse(uses: readonly Use[]): Use | undefined {
  let best: Use | undefined;
  for (const use of uses) if (best === undefined || outranks(use.role, best.role)) best = use;
  return best;
}

function roleOf(
  stored: Stored,
  use: Use | undefined,
  dtype: DtypeName,
  isQuantized: boolean,
): Role {
  if (use === undefined) return 'other';
  if (stored.uses.some((other) => other.isSensitive) || dtype === 'bool' || dtype === 'string')
    return 'constant';
  const isInteger = /^u?int/.test(dtype);
  if (isInteger && !isQuantized) return 'constant';
  if (stored.storage === 'sparse') return use.role === 'weight' ? 'other' : use.role;
  // What is added along more than one axis is a parameter of its own, such as a position table.
  if (use.role === 'bias' && ADDS.has(use.op) && stored.dims.filter((dim) => dim > 1).length > 1)
    return 'constant';
  return use.role;
}

interface Place {
  readonly dtype: DtypeName;
  readonly elements: number;
  readonly bytes: number;
  readonly storage: TensorRef['storage'];
  readonly data: TensorData;
}

function locate(stored: Stored, external: ExternalFiles, fileNumber: FileNumber): Place {
  if (stored.tensor === null) return locateList(stored.attribute!, stored.dims);
  const tensor = stored.tensor;
  const dtype = tensorType(tensor.dataType)!.dtype;
  const elements = product(tensor.dims);
  const bytes = dtype === 'string' ? stringBytes(tensor) : packedBytes(dtype, elements);
  const storage =
    stored.storage === 'initializer' || stored.storage === 'sparse' ? 'inline' : 'constant';
  if (tensor.external === null)
    return { dtype, elements, bytes, storage, data: inlineData(tensor) };
  const range = external.resolve(
    tensor.name === '' ? stored.name : tensor.name,
    tensor.external,
    bytes,
  );
  const ranges = [{ file: fileNumber(range), offset: range.offset, length: range.length }];
  return { dtype, elements, bytes, storage: 'external', data: { encoding: 'raw', ranges } };
}

/** Check a sparse tensor's indices where they are: in the model, or in a file beside it. */
function checkSparse(
  name: string,
  record: SparseRecord,
  external: ExternalFiles,
  model: FileSource,
): void {
  const { indices } = record;
  const { dtype } = tensorType(indices.dataType)!;
  const elements = product(indices.dims);
  const shared = { name, dtype, elements };
  if (indices.external === null)
    return checkSparseIndices([model], record, { ...shared, data: inlineData(indices) });
  const range = external.resolve(name, indices.external, packedBytes(dtype, elements));
  const ranges = [{ file: 0, offset: range.offset, length: range.length }];
  checkSparseIndices([range.file], record, { ...shared, data: { encoding: 'raw', ranges } });
}

/** Axes lists are short. */
const MAX_AXES = 64;

/** The values of a small int64 constant that is stored inline: what Unsqueeze's and Squeeze's axes are. */
function smallIntegers(
  model: FileSource,
  { name, tensor, dims }: Stored,
): readonly number[] | null {
  const elements = product(dims);
  if (tensor === null || tensor.external !== null || elements > MAX_AXES) return null;
  if (tensorType(tensor.dataType)!.dtype !== 'int64') return null;
  return readNumbers([model], { name, dtype: 'int64', elements, data: inlineData(tensor) });
}

function locateList(attribute: AttributeRecord, dims: readonly number[]): Place {
  const elements = product(dims);
  if (attribute.floats.length > 0) {
    const ranges = attribute.floats.map(({ start, end }) => ({
      file: 0,
      offset: start,
      length: end - start,
    }));
    return {
      dtype: 'float32',
      elements,
      bytes: elements * 4,
      storage: 'constant',
      data: { encoding: 'raw', ranges },
    };
  }
  const dtype = attribute.name.startsWith('value_string')
    ? 'string'
    : attribute.name.startsWith('value_float')
      ? 'float32'
      : 'int64';
  return {
    dtype,
    elements,
    bytes: packedBytes(dtype, elements),
    storage: 'constant',
    data: { encoding: 'varint', ranges: [] },
  };
}

/** Where a tensor that is stored in the model itself has its values. */
export function inlineData(tensor: TensorRecord): TensorData {
  if (tensor.payload === null) return { encoding: 'raw', ranges: [] };
  const isVarint =
    tensor.payload.field === 'int32_data' ||
    tensor.payload.field === 'int64_data' ||
    tensor.payload.field === 'uint64_data';
  return {
    encoding: isVarint ? 'varint' : 'raw',
    ranges: tensor.payload.spans.map(({ start, end }) => ({
      file: 0,
      offset: start,
      length: end - start,
    })),
  };
}

function stringBytes(tensor: TensorRecord): number {
  return tensor.payload?.spans.reduce((sum, span) => sum + span.end - span.start, 0) ?? 0;
}

function product(dims: readonly number[]): number {
  return dims.includes(0) ? 0 : dims.reduce((result, dim) => result * dim, 1);
}
